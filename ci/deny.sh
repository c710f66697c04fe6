#!/usr/bin/env bash
# Licences, sources and banned crates always; known vulnerabilities where their database can be reached.
set -euo pipefail
cd "$(dirname "$0")/.."

skipped() {
    printf '\n%s\n%s\n%s\n\n' "******** NOT CHECKED ********" "$1" "*****************************" >&2
}

if ! cargo deny --version >/dev/null 2>&1; then
    skipped "cargo-deny is not installed: no licence, source, ban or vulnerability was looked at"
    exit 0
fi
cargo deny --log-level error check bans licenses sources
if cargo deny --log-level off fetch db >/dev/null 2>&1; then
    cargo deny --log-level error check advisories
else
    skipped "the advisory database cannot be fetched from here: vulnerabilities were not looked at"
fi
