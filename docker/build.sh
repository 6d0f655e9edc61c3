#!/usr/bin/env bash
# Builds an image with docker, podman or buildah, whichever works here, and beside it, in target/image: sbom.cdx.json
# (CycloneDX) and licences.txt, both from Cargo.lock alone.
#
#   TARGET=relay|simulator  TAG=NAME:VERSION  BUILDER=docker|podman|buildah  docker/build.sh [ARGUMENTS FOR THE BUILD]
#
# Exit codes: 0 built, 69 no builder that works.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
target=${TARGET:-relay}
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"$/\1/p' Cargo.toml)
name=argos-relay
[ "$target" != simulator ] || name=argos-relay-simulator
tag=${TAG:-$name:$version}
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
# Untracked and changed files are in the image too: then no commit describes it.
[ -z "$(git status --porcelain 2>/dev/null)" ] || revision=$revision-dirty

# The command alone says nothing: docker's needs its daemon.
works() { command -v "$1" >/dev/null && "$1" info >/dev/null 2>&1; }
builder=${BUILDER:-}
for one in docker podman buildah; do
    [ -n "$builder" ] || ! works "$one" || builder=$one
done
[ -n "$builder" ] || { echo "build.sh: neither docker, podman nor buildah works here" >&2; exit 69; }

echo "Building $tag ($target) with $builder" >&2
DOCKER_BUILDKIT=1 "$builder" build -f docker/Dockerfile --target "$target" -t "$tag" \
    --build-arg VERSION="$version" --build-arg REVISION="$revision" \
    --build-arg CARGO_BUILD_JOBS="${CARGO_BUILD_JOBS:-}" "$@" .

if [ "$target" = relay ]; then
    python3 docker/sbom.py target/image
fi
