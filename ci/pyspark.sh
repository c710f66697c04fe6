#!/usr/bin/env bash
# The two Pythons that `make oracle` and `make bench` compare, under target/: the real PySpark, and ours. PySpark is
# about 320 MB, and needs a Java runtime.
set -euo pipefail
cd "$(dirname "$0")/.."

target=${CARGO_TARGET_DIR:-target}
if ! java -version >/dev/null 2>&1; then
    echo "missing: \"java\"; PySpark needs a Java runtime (17), for example the package openjdk-17-jre-headless" >&2
    exit 1
fi

spark=$target/pyspark
if [ ! -e "$spark/ready" ]; then
    python3 -m venv "$spark"
    # distutils, which PySpark 3.5 imports, left Python with 3.12; setuptools still has it.
    timeout 900 "$spark/bin/pip" install --quiet 'pyspark==3.5.*' 'setuptools<80' 'hypothesis>=6.100' 'pytest>=8'
    # Last: what says that all is there.
    touch "$spark/ready"
fi

ours=$target/python
[ -x "$ours/bin/python" ] || python3 -m venv "$ours"
timeout 1800 "$ours/bin/pip" install --quiet ./python
