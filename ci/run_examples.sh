#!/usr/bin/env bash
# Runs every example for a few batches: SIGINT after some seconds, which has to drain it and end it with status 0. One whose first line says "needs" (a broker, a service) is only built. (To it alone: twice would hurry it.)
set -euo pipefail
cd "$(dirname "$0")/.."
shopt -s nullglob

seconds_each=${TIDEMILL_EXAMPLE_SECONDS:-4}

cargo build --workspace --examples --locked
# What an earlier run remembers is no part of this one.
TMPDIR=$(mktemp -d)
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
output=$TMPDIR/output
run=0 failed=0
for file in crates/*/examples/*.rs crates/*/examples/*/main.rs; do
    name=$(basename "${file%/main.rs}" .rs)
    if head -n 1 "$file" | grep -qi '\bneeds\b'; then
        echo "built only: $name ($(head -n 1 "$file" | sed 's|^//! *||'))"
        continue
    fi
    binary=${CARGO_TARGET_DIR:-target}/debug/examples/$name
    if timeout --foreground --preserve-status --signal=INT --kill-after=30 "$seconds_each" "$binary" </dev/null >"$output" 2>&1 &&
        [ -s "$output" ]; then
        echo "ran: $name"
    else
        echo "FAILED, silent, or deaf to SIGINT: $name; its last lines:" >&2
        tail -n 40 "$output" >&2
        failed=$((failed + 1))
    fi
    run=$((run + 1))
done
echo "$run examples ran, $failed of them failed"
[ "$failed" = 0 ]
