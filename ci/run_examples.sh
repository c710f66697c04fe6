#!/usr/bin/env bash
# Runs every example for a few batches. One whose first line says "needs" (a broker, a service) is only built.
set -euo pipefail
cd "$(dirname "$0")/.."
shopt -s nullglob

export TIDEMILL_EXAMPLE_BATCHES=${TIDEMILL_EXAMPLE_BATCHES:-3}
limit_s=${TIDEMILL_EXAMPLE_LIMIT:-60}

cargo build --workspace --examples --locked
output=$(mktemp)
trap 'rm -f "$output"' EXIT
run=0 failed=0
for file in crates/*/examples/*.rs crates/*/examples/*/main.rs; do
    crate=$(cut -d/ -f2 <<<"$file")
    name=$(basename "${file%/main.rs}" .rs)
    if head -n 1 "$file" | grep -qi '\bneeds\b'; then
        echo "built only: $name ($(head -n 1 "$file" | sed 's|^//! *||'))"
        continue
    fi
    if timeout "$limit_s" cargo run --quiet --locked -p "$crate" --example "$name" </dev/null >"$output" 2>&1; then
        echo "ran: $name"
    else
        echo "FAILED or longer than $limit_s s: $name; its last lines:" >&2
        tail -n 40 "$output" >&2
        failed=$((failed + 1))
    fi
    run=$((run + 1))
done
echo "$run examples ran, $failed of them failed"
[ "$failed" = 0 ]
