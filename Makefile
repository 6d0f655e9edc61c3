# Every target that builds uses the same features and the same profile, so that nothing is built twice.
# `make demo` alone differs: it meets no Kafka, so it needs neither TLS towards Kafka nor OpenSSL's headers to build.

FEATURES := --features argos-relay/dev,tests/kafka-tls
DEMO_FEATURES := --features argos-relay/dev
NEEDS := cc c++ make pkg-config openssl-headers
KAFKA_DIR ?= .cache/broker
KAFKA_PORT ?= 9092

.DEFAULT_GOAL := help
.PHONY: help contracts build demo test alerts lint fmt doc deny advisories fuzz sim sim-mutants model console chaos kills upgrade bench soak performance image consumers helm k8s kafka-up kafka-down clean

help: ## Shows this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

build: ## Builds everything, tests included
	@tests/prerequisites.sh $(NEEDS)
	cargo build --workspace --all-targets $(FEATURES)

demo: ## Runs the whole service against a simulated ARGOS; no Kafka needed
	@tests/prerequisites.sh cc c++ make
	cargo run -q -p argos-relay $(DEMO_FEATURES) -- demo

test: ## Runs every test with a real Kafka broker (KAFKA_BOOTSTRAP=host:port to use your own)
	tests/run.sh --workspace $(FEATURES)

alerts: ## Plays a fault for every alert, with a real Kafka and a real Prometheus (WRITE_ALERTS=1 keeps the table in docs/alerts.md)
	@tests/prerequisites.sh $(NEEDS) java mvn prometheus
	cargo build --workspace --all-targets $(FEATURES)
	ALERTS=$(or $(ALERTS),all) tests/with_broker.sh cargo test --workspace $(FEATURES) --test all -- --nocapture alerts::

lint: ## Format, clippy, documentation, licences and sources of dependencies
	@tests/prerequisites.sh $(NEEDS)
	cargo fmt --all --check
	cargo clippy --workspace --all-targets $(FEATURES) -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --workspace $(FEATURES)
	tests/supply/deny.sh bans licenses sources

fmt: ## Formats the code
	cargo fmt --all

doc: ## Builds the documentation of this workspace
	cargo doc --no-deps --workspace $(FEATURES)

deny: ## Checks licences, sources and banned crates with cargo-deny (fetches a pinned binary if absent)
	tests/supply/deny.sh bans licenses sources

advisories: ## Checks the dependencies against the RustSec advisory database (fetches it)
	tests/supply/deny.sh advisories

fuzz: ## Searches for inputs that break a parser, for FUZZ_SECONDS (default 600)
	FUZZ_SECONDS=$(or $(FUZZ_SECONDS),600) fuzz/run.sh

contracts: ## Writes contracts/schemas anew from the types (RELEASE=1: also keeps them as those of this version)
	UPDATE=1 RELEASE=$(RELEASE) cargo test -q -p models contract
	RELEASE=$(RELEASE) cargo test -q --workspace $(FEATURES) --test records release

sim: ## Simulates whole lives of the service on virtual time (SEEDS=n for more than 2000; SEED=n replays one)
	cargo test -q --workspace $(FEATURES) --test sim -- --nocapture every_seed

sim-mutants: ## Plants each bug into the simulation and writes when it is caught into docs/proof.md
	WRITE_PROOF=1 cargo test -q --workspace $(FEATURES) --test sim -- --nocapture every_planted

model: ## Checks the model of the protocol with its largest instance too (some minutes)
	MODEL=full cargo test -q --workspace $(FEATURES) --test model -- --nocapture

console: ## Tests the operators' page in a headless Chromium; screenshots are left in target/console
	@tests/prerequisites.sh $(NEEDS) java mvn
	cargo build --workspace --all-targets $(FEATURES)
	tests/with_broker.sh cargo test --workspace $(FEATURES) --test all -- --nocapture console

chaos: ## Faults of every kind on three brokers and three replicas for an hour (MINUTES=n; SEED=n draws the same again)
	@tests/prerequisites.sh $(NEEDS) java mvn
	cargo build --workspace --all-targets $(FEATURES)
	MINUTES=$(or $(MINUTES),60) cargo test --workspace $(FEATURES) --test chaos -- --nocapture under_every_fault

kills: ## Kills replicas 30 times under load (KILLS=n for more), with one real Kafka broker
	@tests/prerequisites.sh $(NEEDS) java mvn
	cargo build --workspace --all-targets $(FEATURES)
	KILLS=$(or $(KILLS),30) tests/with_broker.sh cargo test --workspace $(FEATURES) --test all -- --nocapture kills

upgrade: ## Rolls from another build to this one and back, under load, with a real Kafka broker (FROM=git ref)
	@tests/prerequisites.sh $(NEEDS) java mvn
	cargo build --workspace --all-targets $(FEATURES)
	FROM=$(FROM) tests/upgrade.sh $(FEATURES)

bench: ## Measures everything beside bare programs, up to 30 minutes (QUICK=1: 3 minutes; ONLY=door,confirm,...; TIMES=n; ROWS=n)
	@tests/prerequisites.sh cc c++ make java mvn
	cargo build --release -p bench -p argos-relay $(DEMO_FEATURES)
	BENCH_OWN_KAFKA=$(KAFKA_BOOTSTRAP) KAFKA_COMPILER=4 KAFKA_HEAP=1g tests/with_broker.sh target/release/measure

soak: ## Keeps up a steady load for SOAK_MINUTES (default 30) and judges whether memory grows
	$(MAKE) bench ONLY=soak SOAK_MINUTES=$(or $(SOAK_MINUTES),30)

performance: ## Writes the tables and plots of docs/performance.md from what `make bench` measured last
	cargo run -q --release -p bench -p argos-relay $(DEMO_FEATURES) --bin performance

image: ## Builds the image, its SBOM and its list of licences with docker, podman or buildah (TARGET=simulator, TAG=...)
	docker/build.sh

consumers: ## Runs the consumers in five languages against a simulation, and compares them (builds them: some minutes, once)
	tests/consumers/run.sh

helm: build ## Tests the Helm chart without a cluster (builds helm with go where it is absent: some minutes, once)
	tests/helm/run.sh

k8s: ## Runs the chart on the cluster of KUBECONFIG under load; LOAD_IMAGE="kind load image-archive" or the like brings the images there
	tests/k8s/run.sh

kafka-up: ## Starts one Kafka broker on 127.0.0.1:9092 (KAFKA_PORT, KAFKA_DIR)
	@tests/prerequisites.sh java mvn
	tests/kafka/broker.sh start $(KAFKA_DIR) $(KAFKA_PORT)
	@echo "Kafka serves on 127.0.0.1:$(KAFKA_PORT)"

kafka-down: ## Stops it
	tests/kafka/broker.sh stop $(KAFKA_DIR)

clean: ## Removes what was built; the fetched Kafka stays in .cache
	cargo clean
