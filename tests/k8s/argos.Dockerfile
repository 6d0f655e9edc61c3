# syntax=docker/dockerfile:1
# ARGOS in a pod, for `make k8s`: tests/src/bin/argos-in-cluster.rs. Not a product. Built as docker/Dockerfile is, with the
# same caches, so that what both need is compiled once.
ARG RUST=docker.io/library/rust:1-bookworm
ARG BASE=gcr.io/distroless/cc-debian12:nonroot

FROM ${RUST} AS build
WORKDIR /src
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends g++ libssl-dev make pkg-config \
    && rm -rf /var/lib/apt/lists/*
COPY . .
# See docker/Dockerfile: what the cache holds of other checkouts must not be taken for this one.
RUN find . -name '*.rs' -exec touch {} + && find . -name '*.toml' -exec touch {} +
ARG CARGO_BUILD_JOBS
ENV CARGO_PROFILE_RELEASE_STRIP=symbols RUSTFLAGS="-C link-arg=-Wl,-z,pack-relative-relocs"
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    mkdir /out \
    && export CARGO_BUILD_JOBS="${CARGO_BUILD_JOBS:-$(nproc)}" \
    && cargo build --locked --release --package tests --bin argos-in-cluster --features kafka-tls \
    && cp target/release/argos-in-cluster /out/

FROM ${BASE}
USER 65532:65532
# What it holds records to, where it was built to look for them.
COPY contracts/schemas /src/contracts/schemas
COPY --from=build /out/argos-in-cluster /usr/local/bin/argos-in-cluster
ENTRYPOINT ["/usr/local/bin/argos-in-cluster"]
