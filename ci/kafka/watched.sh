#!/usr/bin/env bash
# Runs a node of Kafka that ends, at the latest, with whoever started this: watched.sh FOLDER [ARGUMENT OF node.sh...]
#
# When standard input ends, which it does when the process that holds its other end dies, the node is killed and FOLDER
# removed. The node is in this script's process group: a signal to the group reaches both, and leaves FOLDER as it is.
set -uo pipefail

folder=$1
"$(dirname "$0")/node.sh" "$@" </dev/null &
node=$!
# Bash would tell of a node that is killed.
exec 2>/dev/null
{
    cat >/dev/null
    kill -KILL "$node"
    tail --pid="$node" -f /dev/null
    rm -rf "$folder"
} <&0 &
watcher=$!
trap : TERM
while wait "$node"; code=$?; kill -0 "$node"; do :; done
# Gone by itself or by a signal: the folder stays for a look at the log, or for the next start.
kill "$watcher"
exit "$code"
