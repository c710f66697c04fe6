#!/usr/bin/env bash
# Fetches the jars of a real HDFS for the tests of tidemill-store, once: about 60 MB.
set -euo pipefail
cd "$(dirname "$0")/.."

into=${CARGO_TARGET_DIR:-target}/hadoop
pom=ci/hadoop/pom.xml
for tool in java mvn; do
    if ! "$tool" -version >/dev/null 2>&1; then
        echo "missing: \"$tool\"; the tests against HDFS need a Java runtime (17 or newer) and Maven, for example the packages openjdk-17-jre-headless and maven" >&2
        exit 1
    fi
done

if cmp -s "$pom" "$into/pom.xml"; then
    echo "the jars of HDFS are there"
    exit 0
fi
rm -rf "$into"
mkdir -p "$into"
# Stops after ten minutes, whatever the registry does.
timeout 600 mvn -q -B -f "$pom" dependency:copy-dependencies -DoutputDirectory="$(cd "$into" && pwd)/jars"
# Last: what says that all are there.
cp "$pom" "$into/pom.xml"
echo "fetched $(find "$into/jars" -name '*.jar' | wc -l) jars of HDFS"
