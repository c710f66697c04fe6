#!/usr/bin/env bash
# Fetches the jars of a real Kafka for the tests of tidemill-kafka, once: about 45 MB.
set -euo pipefail
cd "$(dirname "$0")/.."

into=${CARGO_TARGET_DIR:-target}/kafka
ci/jars.sh kafka || { [ $? -eq 3 ] && exit 0; exit 1; }
# One start and stop, to archive the classes that it loads: every later start is quicker for it.
ports=$(python3 -c 'import socket; a, b = socket.create_server(("127.0.0.1", 0)), socket.create_server(("127.0.0.1", 0)); print(a.getsockname()[1], b.getsockname()[1])')
folder=$(mktemp -d)
KAFKA_JARS=$into/jars KAFKA_ARCHIVE=$folder/classes.jsa timeout 60 ci/kafka/node.sh "$folder" 1 "${ports% *}" "1@127.0.0.1:${ports#* }" &
for _ in $(seq 300); do
    grep -q 'Kafka Server started' "$folder/log" 2>/dev/null && break
    sleep 0.1
done
kill $!
wait $! || true
mv "$folder/classes.jsa" "$into/classes.jsa" || echo "its classes could not be archived; it starts slower" >&2
rm -rf "$folder"
# Last: what says that all are there.
cp ci/kafka/pom.xml "$into/pom.xml"
