#!/usr/bin/env bash
# Builds the Python package into a virtual environment below the target folder, then checks and tests it.
set -euo pipefail
cd "$(dirname "$0")/.."

target=${CARGO_TARGET_DIR:-$PWD/target}
venv=$target/python-tests
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
timeout 900 "$venv/bin/pip" install --quiet --disable-pip-version-check -r python/requirements-dev.txt

export VIRTUAL_ENV=$venv PATH=$venv/bin:$PATH CARGO_TARGET_DIR=$target
cd python
# The profile of the other tests: nothing is compiled twice.
maturin develop --quiet --profile dev --locked
mypy --strict tidemill examples
# What the module of the engine has is what its stub says.
python -m mypy.stubtest tidemill._native
pytest -q tests
pytest -q --doctest-modules tidemill
