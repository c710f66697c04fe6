# All the house's commands. `make` lists them; `make test` is what CI runs.

CARGO ?= cargo
TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))
.DEFAULT_GOAL := help
.PHONY: help test tools hadoop kafka kafka-jars fmt lint unit tidy doc examples python wheel guard deny bench soak oracle

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# One after the other: on two cores nothing is won by running them side by side.
test: ## everything that has to pass before a review
	@set -e; for step in tools hadoop kafka-jars fmt lint unit doc examples python guard deny; do \
		echo "== make $$step"; $(MAKE) --no-print-directory $$step; \
	done

tools: ## checks that the tools are there, installs what it can
	ci/tools.sh

hadoop: ## fetches what the tests against a real HDFS need, if it is not there
	ci/hadoop.sh

kafka-jars: ## fetches the real Kafka that tests run against, if it is not there
	ci/kafka.sh

kafka: ## runs a real Kafka for trying things by hand, until Ctrl-C
	ci/kafka/try.sh

fmt: ## formatting, checked only
	$(CARGO) fmt --all --check

lint: ## clippy, every warning an error
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

unit: ## unit, integration and doc tests; the tree's invariants among them
	$(CARGO) test --workspace --locked --no-fail-fast

tidy: ## only the tree's invariants
	$(CARGO) test -p tidemill --locked --test it tidy

doc: ## the documentation, every broken link an error
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked

examples: ## every example, for a few batches
	ci/run_examples.sh

python: ## the Python package: types, tests, every example in its documentation
	ci/python.sh

wheel: ## the Python package as a wheel, in target/wheels
	python3 -m pip wheel --no-deps --wheel-dir $(TARGET)/wheels ./python

guard: ## proves that the core stays light
	ci/guard_tree.sh

deny: ## licences, sources, banned crates, known vulnerabilities
	ci/deny.sh

bench: ## the benchmarks; minutes, and only meaningful on a quiet machine
	$(CARGO) run --release --locked -p tidemill-bench
	ci/pyspark.sh
	python3 python/bench/bench.py

soak: ## the long runs: tests with "soak" in their name, which are ignored otherwise
	$(CARGO) test --release --workspace --locked soak -- --ignored --nocapture

oracle: ## the comparisons with a slow, obvious model at full length: tests with "oracle" in their name
	$(CARGO) test --release --workspace --locked oracle -- --include-ignored
	ci/pyspark.sh
	$(TARGET)/pyspark/bin/python -m pytest -q python/oracle
