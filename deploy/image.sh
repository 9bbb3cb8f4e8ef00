#!/usr/bin/env bash
# Builds the sidecar's image as rollsnap:dev with the classic builder, and checks its size.
#
#   deploy/image.sh              the image
#   deploy/image.sh rke BASE     that rke-tools image with this program in it, as rollsnap:rke
#
# BUILDER names the base of the build stage; unsaid, it is made from this machine (builder.sh).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

build() { DOCKER_BUILDKIT=0 docker build --force-rm --build-arg "BUILDER=$builder" "$@" .; }

builder=${BUILDER:-$(deploy/builder.sh)}
version=$(sed -nE 's/^version = "(.*)"/\1/p' Cargo.toml | head -n 1)
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)

if [ "${1:-}" = rke ]; then
  build --target rke --tag "${IMAGE:-rollsnap:rke}" --build-arg "RKE_TOOLS=$2"
  exit
fi

image=${IMAGE:-rollsnap:dev}
limit=20000000
build --tag "$image" --build-arg "VERSION=$version" --build-arg "REVISION=$revision"

# This build's stage is the next one's cache; those before it are only gigabytes.
docker image prune --force --filter label=rollsnap.stage=build --filter until=12h >/dev/null

size=$(docker image inspect --format '{{.Size}}' "$image")
printf 'image: %s, %s bytes\n' "$image" "$size" >&2
if [ "$size" -ge "$limit" ]; then
  printf 'image: over the limit of %s bytes\n' "$limit" >&2
  exit 1
fi
