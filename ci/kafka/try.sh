#!/usr/bin/env bash
# One node of a real Kafka for trying things by hand, on port 9092 if that is free, until Ctrl-C; its data goes with it.
set -euo pipefail
cd "$(dirname "$0")/../.."

ci/kafka.sh
ports=$(python3 - <<'PORTS'
import socket

def free(port):
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError:
        return socket.create_server(("127.0.0.1", 0))

print(*[held.getsockname()[1] for held in [free(9092), free(0)]])
PORTS
)
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null; wait; rm -rf "$folder"' EXIT
trap 'exit 0' INT TERM
ci/kafka/node.sh "$folder" 1 "${ports% *}" "1@127.0.0.1:${ports#* }" &
until grep -q 'Kafka Server started' "$folder/log" 2>/dev/null; do
    if ! kill -0 $! 2>/dev/null; then
        echo "Kafka did not start; the end of its log:" >&2
        tail -n 20 "$folder/log" >&2
        exit 1
    fi
    sleep 0.1
done
echo "Kafka listens on 127.0.0.1:${ports% *}; Ctrl-C ends it"
wait
