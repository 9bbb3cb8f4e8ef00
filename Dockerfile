# The sidecar's image: one static binary on nothing, under 20 MB.
#
#   docker build -t rollsnap .          where a registry answers
#   just image                          anywhere else: makes the builder from this machine
#
# RKE runs its other helpers from the image that it takes its snapshots with. The target `rke` is
# that image, with this program in the place of its backup program (docs/coming-from-rke.md):
#
#   docker build -t registry.example/rke-snapshots:v0.1.111 \
#     --target rke --build-arg RKE_TOOLS=rancher/rke-tools:v0.1.111 .
#
# Only instructions of the classic builder are used (no BuildKit, no cache mounts), so that the
# engines that RKE nodes run can build it. The two ideas that replace cache mounts:
#   - dependencies are built in a layer of their own, from the manifests and empty sources;
#   - the build stage works offline when its base says so (CARGO_NET_OFFLINE) and carries the crates.

# A Debian or derivative with cargo and a C compiler. protoc is added when it is missing.
ARG BUILDER=rust:1.95-bookworm
# The rke-tools image of the cluster, for the target `rke`. Nothing is the default because the
# classic builder makes every stage before the last one, and that must not need a second image.
ARG RKE_TOOLS=scratch

FROM ${BUILDER} AS build
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
# What deploy/image.sh finds old build stages by.
LABEL rollsnap.stage=build
RUN if ! command -v protoc >/dev/null || ! [ -d /usr/include/google/protobuf ]; then \
      apt-get update -qq; \
      DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        ca-certificates libprotobuf-dev protobuf-compiler; \
      rm -rf /var/lib/apt/lists/*; \
    fi

# A static binary needs an explicit target: without it the flag reaches procedural macros, which
# are shared libraries.
ENV RUSTFLAGS="-C target-feature=+crt-static"
WORKDIR /src

COPY Cargo.toml Cargo.lock ./
COPY crates/engine/Cargo.toml crates/engine/
COPY crates/etcd/Cargo.toml crates/etcd/
COPY crates/kube/Cargo.toml crates/kube/
COPY crates/rke/Cargo.toml crates/rke/
COPY crates/rollsnap/Cargo.toml crates/rollsnap/
COPY crates/snapfile/Cargo.toml crates/snapfile/
COPY crates/store/Cargo.toml crates/store/
COPY crates/testkit/Cargo.toml crates/testkit/
RUN for crate in crates/*; do mkdir "$crate/src"; : >"$crate/src/lib.rs"; done; \
    echo 'fn main() {}' >crates/rollsnap/src/main.rs; \
    cargo build --locked --release --package rollsnap \
      --target "$(rustc -vV | sed -n 's/^host: //p')"; \
    rm -r crates

COPY crates crates
# The copied files keep their times, which are older than the empty crates' build: touch them, or
# cargo takes them for built.
RUN host=$(rustc -vV | sed -n 's/^host: //p'); \
    find crates -name '*.rs' -exec touch {} +; \
    cargo build --locked --release --package rollsnap --target "$host"; \
    mkdir -p /image/usr/bin /image/etc/ssl/certs /image/opt/rke; \
    cp "target/$host/release/rollsnap" /image/usr/bin/; \
    cp /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/; \
    echo 'root:x:0:0:root:/:/sbin/nologin' >/image/etc/passwd; \
    echo 'nonroot:x:65532:65532:nonroot:/:/sbin/nologin' >>/image/etc/passwd; \
    echo 'root:x:0:' >/image/etc/group; \
    echo 'nonroot:x:65532:' >>/image/etc/group; \
    mkdir -p /snapshots && mkdir -m 0700 /snapshots/etcd-snapshots; \
    # Where RKE calls it: v0.1.7 and 8 by the second path, all later ones by the first, which is a
    # file of its own, for other containers may share that folder without the rest.
    mkdir -p /rke/opt/rke /rke/opt/rke-tools /rke/usr/bin; \
    ln /image/usr/bin/rollsnap /rke/opt/rke-tools/rke-etcd-backup; \
    ln -s ../rke-tools/rke-etcd-backup /rke/opt/rke/rke-etcd-backup; \
    ln -s /opt/rke-tools/rke-etcd-backup /rke/usr/bin/rollsnap; \
    # No loader may be asked for: there is none in the image. Last, for `!` ends nothing.
    ! readelf --program-headers /image/usr/bin/rollsnap | grep INTERP

# User, entry point and everything else stay the base's, for RKE counts on them.
FROM ${RKE_TOOLS} AS rke
COPY --from=build /rke/ /
ENV MALLOC_ARENA_MAX=1 MALLOC_TRIM_THRESHOLD_=131072

FROM scratch
COPY --from=build /image/ /
# Nobody but its owner reads a snapshot; a named volume mounted here takes over owner and mode.
COPY --from=build --chown=65532:65532 /snapshots/ /opt/rke/

# Not root by default. RKE's key files and snapshot directory are root's: run there with --user 0.
USER 65532:65532
# One heap instead of one for each thread, and what is freed goes back to the system: 9 MB at rest
# instead of 12, at no cost in time (docs/performance.md).
ENV MALLOC_ARENA_MAX=1 MALLOC_TRIM_THRESHOLD_=131072
ENTRYPOINT ["/usr/bin/rollsnap"]
CMD ["run"]

ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="rollsnap" \
      org.opencontainers.image.description="Rolling, verified snapshots of etcd" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
