#!/usr/bin/env bash
# Runs one node of a real Kafka, broker and controller in one: node.sh FOLDER ID PORT VOTERS [KEY=VALUE...] [--OPTION=VALUE...]
#
# FOLDER keeps its data, settings and log; started again with the same arguments it goes on. PORT on 127.0.0.1 is for
# clients. VOTERS are all nodes as "1@127.0.0.1:4001,2@127.0.0.1:4002", each with a port for the controllers. What
# follows are further settings of the broker, and options of the tool that formats its storage; secured.port=PORT is a port
# for users who show who they are, over TLS. It is ready once FOLDER/log has the line "Kafka Server started".
# The jars are those that ci/kafka.sh fetched, or in KAFKA_JARS.
set -euo pipefail

folder=$1 id=$2 port=$3 voters=$4
shift 4
settings=() of_format=() secured=
for given in "$@"; do
    case $given in
    --*) of_format+=("${given%%=*}" "${given#*=}") ;;
    secured.port=*) secured=SECURED://127.0.0.1:${given#*=} ;;
    *) settings+=("$given") ;;
    esac
done
here=$(cd "$(dirname "$0")" && pwd)
jars=${KAFKA_JARS:-${CARGO_TARGET_DIR:-$here/../../target}/kafka/jars}
if ! jars=$(cd "$jars" 2>/dev/null && pwd); then
    echo "the jars of Kafka are not there; run ci/kafka.sh first" >&2
    exit 1
fi

nodes=$(tr ',' '\n' <<<"$voters" | wc -l)
controller=$(tr ',' '\n' <<<"$voters" | sed -n "s/^$id@//p")
mkdir -p "$folder"
cat >"$folder/server.properties" <<SETTINGS
process.roles=broker,controller
node.id=$id
controller.quorum.voters=$voters
listeners=CLIENTS://127.0.0.1:$port,CONTROLLER://$controller${secured:+,$secured}
advertised.listeners=CLIENTS://127.0.0.1:$port${secured:+,$secured}
inter.broker.listener.name=CLIENTS
controller.listener.names=CONTROLLER
listener.security.protocol.map=CLIENTS:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURED:SASL_SSL
log.dirs=$folder/data
# Small and quick: nothing of it outlives a test.
num.network.threads=2
num.io.threads=4
num.partitions=1
default.replication.factor=$nodes
offsets.topic.num.partitions=3
offsets.topic.replication.factor=$nodes
transaction.state.log.num.partitions=3
transaction.state.log.replication.factor=$nodes
transaction.state.log.min.isr=$((nodes > 1 ? 2 : 1))
min.insync.replicas=$((nodes > 1 ? 2 : 1))
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=2097152
controlled.shutdown.max.retries=1
# A node that was killed comes back only once its last life is given up.
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
$(printf '%s\n' "${settings[@]}")
SETTINGS

# With the classes as ci/kafka.sh archived them a start takes half the time. KAFKA_ARCHIVE: where to archive them.
options=(-Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto -Djava.net.preferIPv4Stack=true
    "-Dlog4j2.configurationFile=file:$here/log4j2.properties" -cp "$jars/*")
if [ -n "${KAFKA_ARCHIVE:-}" ]; then
    options+=("-XX:ArchiveClassesAtExit=$KAFKA_ARCHIVE")
elif [ -e "$jars/../classes.jsa" ]; then
    options+=("-XX:SharedArchiveFile=$jars/../classes.jsa")
fi
exec >>"$folder/log" 2>&1
[ -e "$folder/data/meta.properties" ] ||
    java "${options[@]}" kafka.tools.StorageTool format --cluster-id dGlkZW1pbGwtLXRlc3RzLQ --config "$folder/server.properties" \
        "${of_format[@]}"
exec java "${options[@]}" kafka.Kafka "$folder/server.properties"
