#!/usr/bin/env bash
# Makes the Debian package, and prints its path.
#
#   deploy/deb.sh            compiles the program, linked against this machine's libc
#   deploy/deb.sh IMAGE      takes the static one out of the sidecar's image: for any Debian
#
# Wants cargo-deb, which .ci/install brings. Works in target/deb.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export PATH=$PWD/.tools/bin:$PATH
export CARGO_TARGET_DIR=$PWD/target/deb
build=()
if [ $# -gt 0 ]; then
  build=(--no-build --no-strip)
  mkdir -p "$CARGO_TARGET_DIR/release"
  container=$(docker create "$1")
  trap 'docker rm "$container" >/dev/null' EXIT
  docker cp --quiet "$container:/usr/bin/rollsnap" "$CARGO_TARGET_DIR/release/rollsnap" 2>/dev/null ||
    docker cp "$container:/usr/bin/rollsnap" "$CARGO_TARGET_DIR/release/rollsnap"
fi
cargo deb --quiet --package rollsnap --output "$CARGO_TARGET_DIR/" "${build[@]}"
