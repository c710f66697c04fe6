#!/usr/bin/env bash
# Checks the tools that `make test` needs; installs cargo-deny if it is missing.
set -euo pipefail
cd "$(dirname "$0")/.."

missing=0
need() { # command, what to do
    if ! $1 --version >/dev/null 2>&1; then
        echo "missing: \"$1\"; $2" >&2
        missing=1
    fi
}
need cargo "install Rust (the version is rust-version in Cargo.toml, or newer) from https://rustup.rs"
need "cargo fmt" "run: rustup component add rustfmt"
need "cargo clippy" "run: rustup component add clippy"
need cc "install a C compiler; zstd is built with it"
need python3 "install Python 3.10 or newer"
need "python3 -m pip" "install pip and venv for Python, in Debian the packages python3-pip and python3-venv"
[ "$missing" = 0 ] || exit 1

if ! cargo deny --version >/dev/null 2>&1; then
    echo "cargo-deny is missing; installing it (a debug build: quicker to build, and fast enough)"
    # Without it `make deny` says loudly what was left out.
    cargo install --locked --debug cargo-deny || echo "WARNING: cargo-deny cannot be installed here" >&2
fi
