#!/usr/bin/env bash
# Fetches the jars of a real HDFS for the tests of tidemill-store, once: about 60 MB.
set -euo pipefail
cd "$(dirname "$0")/.."

ci/jars.sh hadoop || { [ $? -eq 3 ] && exit 0; exit 1; }
# Last: what says that all are there.
cp ci/hadoop/pom.xml "${CARGO_TARGET_DIR:-target}/hadoop/pom.xml"
