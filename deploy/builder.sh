#!/usr/bin/env bash
# Makes the base of the image's build stage from this machine, where no registry answers.
#
# The result is what a registry's Rust image would be: the Debian packages of a C and protobuf
# builder, the active Rust toolchain, and the crates of Cargo.lock, so that the build needs no
# network. Two images, because their inputs change at different rates:
#   rollsnap-toolchain:DIGEST   packages and toolchain, imported once a version
#   rollsnap-builder:DIGEST     the crates on top, made again when Cargo.lock changes
# DIGEST is over the inputs; an image that is there already is left alone.
#
# Prints the name of the second.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

packages=(base-files bash binutils coreutils findutils gcc grep libc6-dev libprotobuf-dev
  protobuf-compiler sed tar)

say() { printf 'builder: %s\n' "$*" >&2; }
digest() { sha256sum | cut -c1-12; }
have_image() { docker image inspect "$1" >/dev/null 2>&1; }

# The packages and all that they need, as far as this machine has them.
closure() {
  apt-cache depends --recurse --installed --no-recommends --no-suggests --no-conflicts \
    --no-breaks --no-replaces --no-enhances "${packages[@]}" | grep '^[a-z0-9]' | sort -u
}

# Their files without the documentation. Names below /bin and /lib are spelled as they lie on
# disk, below /usr; the links that join the two come first. `cc` is made by alternatives, so no
# package owns it.
files() {
  printf '%s\n' /bin /sbin /lib /lib64 /etc/ld.so.cache /etc/alternatives/cc /usr/bin/cc
  closure | xargs dpkg-query --listfiles 2>/dev/null |
    grep -Ev '^/usr/share/(doc|info|locale|man|lintian|bug)/' |
    sed -nE 's,^/(bin|sbin|lib|lib64)/,/usr/\1/,; \,^/(etc|usr)/,p' | sort -u |
    while IFS= read -r path; do
      if [ -L "$path" ] || [ -f "$path" ]; then printf '%s\n' "$path"; fi
    done
}

toolchain_image() {
  local image rust extra
  image=rollsnap-toolchain:$({
    rustc -vV
    closure | xargs dpkg-query --show
    cat "${BASH_SOURCE[0]}"
  } 2>/dev/null | digest)
  if ! have_image "$image"; then
    say "importing this machine's packages and toolchain as $image"
    rust=$(realpath "$(rustc --print sysroot)")
    extra=$(mktemp -d)
    install -d -m 1777 "$extra/tmp"
    install -d "$extra/root" "$extra/etc/ssl/certs"
    # The public roots only: what else this machine trusts is no business of an image.
    cat /usr/share/ca-certificates/mozilla/*.crt >"$extra/etc/ssl/certs/ca-certificates.crt"
    tar --create --file - --absolute-names --numeric-owner --owner 0 --group 0 \
      --transform "s,^$rust,/usr/local/rust," --transform "s,^$extra,," \
      --exclude "$rust/share" --exclude "$rust/bin/clippy-driver" --exclude "$rust/bin/rustdoc" \
      "$rust" "$extra/tmp" "$extra/root" "$extra/etc" --no-recursion --files-from <(files) |
      docker import \
        --change 'ENV PATH=/usr/local/rust/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
        --change 'ENV CARGO_HOME=/usr/local/cargo' - "$image" >/dev/null
    rm -rf "$extra"
  fi
  echo "$image"
}

# The archives that Cargo.lock names, relative to cargo's home, whatever else it has seen.
locked_archives() {
  sed -nE 'N; s/^name = "(.*)"\nversion = "(.*)"/\1-\2.crate/p; D' Cargo.lock |
    while IFS= read -r archive; do
      (cd "$1" && find registry/cache -mindepth 2 -maxdepth 2 -name "$archive")
    done
}

builder_image() {
  local toolchain=$1 image context home=${CARGO_HOME:-$HOME/.cargo}
  image=rollsnap-builder:$({
    echo "$toolchain"
    cat Cargo.lock
  } | digest)
  if ! have_image "$image"; then
    say "adding the crates of Cargo.lock as $image"
    cargo fetch --locked --quiet
    context=$(mktemp -d)
    locked_archives "$home" |
      tar --create --file "$context/crates.tar" --directory "$home" registry/index --files-from -
    cat >"$context/Dockerfile" <<DOCKERFILE
FROM $toolchain
ADD crates.tar /usr/local/cargo/
ENV CARGO_NET_OFFLINE=true
DOCKERFILE
    DOCKER_BUILDKIT=0 docker build --quiet --tag "$image" "$context" >/dev/null 2>&1 ||
      DOCKER_BUILDKIT=0 docker build --tag "$image" "$context" >&2
    rm -rf "$context"
  fi
  echo "$image"
}

builder_image "$(toolchain_image)"
