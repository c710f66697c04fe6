#!/usr/bin/env bash
# Fetches the jars of a real server for tests, once: jars.sh NAME, by ci/NAME/pom.xml, into the target folder.
# Exits with 3 if they were there already.
set -euo pipefail
cd "$(dirname "$0")/.."

name=$1
into=${CARGO_TARGET_DIR:-target}/$name
pom=ci/$name/pom.xml
for tool in java mvn; do
    if ! "$tool" -version >/dev/null 2>&1; then
        echo "missing: \"$tool\"; the tests against a real $name need a Java runtime (17 or newer) and Maven, for example the packages openjdk-17-jre-headless and maven" >&2
        exit 1
    fi
done

if cmp -s "$pom" "$into/pom.xml"; then
    echo "the jars of $name are there"
    exit 3
fi
rm -rf "$into"
mkdir -p "$into"
# Stops after ten minutes, whatever the registry does.
timeout 600 mvn -q -B -f "$pom" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$(cd "$into" && pwd)/jars"
echo "fetched $(find "$into/jars" -name '*.jar' | wc -l) jars of $name"
