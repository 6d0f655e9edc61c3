#!/usr/bin/env bash
# Installs the chart on a real cluster and does to it under load what is done to it in life; see run.py.
#
#   KUBECONFIG=FILE LOAD_IMAGE="COMMAND" run.sh
#
# KUBECONFIG   the cluster; everything happens in one namespace, which is made and removed (NAMESPACE, default
#              argos-relay-test). For a moment one node is cordoned.
# LOAD_IMAGE   a command that brings an image into the cluster; a docker-archive is put behind it:
#              "kind load image-archive", "k3d image import". Without it the cluster has to have the three images of today:
#              localhost/argos-relay:k8s, localhost/argos-relay-argos:k8s, localhost/argos-relay-kafka:k8s.
# BUILD_ARGS   more arguments for the builds of the images, BUILDER=docker|podman as in docker/build.sh.
# RATE         webhooks a second, default 100. SEED draws the same lives. KEEP=1 leaves the namespace behind.
#
# Leaves report.txt, the log of the simulated ARGOS and, after a failure, those of the pods in target/k8s.
# Exit codes: 0 all is well, 1 not, 69 a tool or the cluster cannot be had.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
began=$SECONDS
out=$PWD/target/k8s
mkdir -p "$out"

command -v kubectl >/dev/null || { echo "Please install kubectl" >&2; exit 69; }
kubectl version --request-timeout=20s >/dev/null 2>&1 || { echo "No cluster answers: set KUBECONFIG" >&2; exit 69; }
tests/prerequisites.sh python3
PATH=$(tests/helm/get.sh helm):$PATH
export PATH

build() {
    builder=${BUILDER:-}
    for one in docker podman; do
        [ -n "$builder" ] || ! "$one" info >/dev/null 2>&1 || builder=$one
    done
    [ -n "$builder" ] || { echo "Neither docker nor podman works here" >&2; exit 69; }
    local more
    read -ra more <<<"${BUILD_ARGS:-}"
    BUILDER=$builder TAG=localhost/argos-relay:k8s docker/build.sh "${more[@]}"
    "$builder" build -f tests/k8s/argos.Dockerfile -t localhost/argos-relay-argos:k8s "${more[@]}" .
    tests/prerequisites.sh java mvn
    local context=$out/kafka jars
    jars=$(tests/kafka/get.sh)
    rm -rf "$context"
    mkdir -p "$context/jars"
    cp -r tests/kafka "$context/kafka"
    cp -r "$jars" "$context/jars/"
    cp tests/k8s/kafka.sh "$context/serve.sh"
    "$builder" build -f tests/k8s/kafka.Dockerfile -t localhost/argos-relay-kafka:k8s "${more[@]}" "$context"
}

load() {
    local image archive command
    read -ra command <<<"$LOAD_IMAGE"
    for image in argos-relay argos-relay-argos argos-relay-kafka; do
        archive=$out/$image.tar
        rm -f "$archive"
        "$builder" save -o "$archive" "localhost/$image:k8s"
        "${command[@]}" "$archive"
        rm -f "$archive"
    done
}

if [ -n "${LOAD_IMAGE:-}" ]; then
    build
    echo "Images built in $((SECONDS - began)) s"
    load
else
    echo "LOAD_IMAGE is not set: the images that the cluster has are taken"
fi
status=0
PYTHONDONTWRITEBYTECODE=1 python3 tests/k8s/run.py "$out" || status=$?
echo "make k8s took $((SECONDS - began)) s in all"
exit $status
