#!/usr/bin/env bash
# The core crate must not pull heavy dependencies; they belong to leaf crates.
set -euo pipefail
cd "$(dirname "$0")/.."

heavy='^(tokio|axum|rdkafka|datafusion|pyo3|object_store|hdfs-native|hyper|reqwest|rustls)([-_][a-z0-9_-]+)? '
tree=$(cargo tree --locked -p tidemill --edges normal,build --target all --all-features --prefix none)
if found=$(grep -E "$heavy" <<<"$tree" | sort -u); then
    printf 'the core crate pulls:\n%s\nmove what needs it into a leaf crate; see "cargo tree -p tidemill -i NAME"\n' "$found" >&2
    exit 1
fi
echo "the core pulls $(awk '{ print $1, $2 }' <<<"$tree" | sort -u | wc -l) crates, none of them heavy"
