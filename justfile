# Every recipe is a line or two; CI calls the same ones.
set shell := ["bash", "-euo", "pipefail", "-c"]

export PATH := justfile_directory() / ".tools/bin:" + env("PATH")

# The recipes.
default:
    @just --list --unsorted

# A real etcd, the daemon at an interval of seconds and an S3 server: watch snapshots come and go.
demo seconds="25": programs
    target/debug/demo --seconds {{ seconds }}

# What the demo and the containers run. Always of the whole workspace: parts of it build the same
# dependencies again, with other features.
[private]
programs:
    cargo build --quiet --workspace --bin rollsnap --bin s3-server --bin demo --bin soak

# Unit, property and contract tests, and those against real etcd and S3 servers.
test:
    cargo nextest run --workspace -E 'not (binary(containers) or binary(readme))'

# The sidecar in real containers, and the README's first command. Builds the image first.
e2e: image programs
    cargo nextest run --workspace -E 'binary(containers) or binary(readme)'

# Formats the sources.
fmt:
    cargo fmt --all

# What CI refuses: unformatted code and warnings.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- --deny warnings

# Licences, sources and duplicates of all dependencies.
deny:
    cargo deny --all-features check licenses bans sources

# The reference of the library, and the pages that are made from the program, compared.
docs:
    RUSTDOCFLAGS="--deny warnings" cargo doc --workspace --no-deps --document-private-items --locked
    cargo nextest run --workspace -E 'binary(reference)'

# Hostile bytes for all that reads bytes, so many seconds for each target: docs/testing.md.
fuzz seconds="10" target="":
    crates/snapfile/fuzz/run {{ seconds }} {{ target }}

# Accepts what the program says now into docs/.
bless:
    UPDATE_DOCS=1 cargo nextest run --workspace -E 'binary(reference) or test(of_the_operator_are)'

# Draws the README's picture of the page anew.
pictures:
    UPDATE_DOCS=1 cargo nextest run --workspace -E 'test(it_is_drawn_light)'

# The sidecar's image, rollsnap:dev.
image:
    deploy/image.sh

# Makes the golden snapshots anew: real servers 3.4 and 3.5, with their own answers beside.
goldens *names:
    cargo run --quiet --package rollsnap-testkit --bin goldens -- {{ names }}
    UPDATE_GOLDENS=1 cargo nextest run --package rollsnap-snapfile -E 'test(pages_of_other_hosts)'

# So many random databases, built and of real servers, read by us and by etcd; CI has 340.
differential count="3000":
    DIFFERENTIAL={{ count }} cargo test --quiet --package rollsnap-snapfile --test snapshots differential

# The systemd unit: that it is well formed, and that little is exposed.
systemd-check:
    deploy/systemd/check.sh

# The daemon for so many minutes, with load on etcd and something that breaks every 15 seconds.
soak minutes="20": programs
    target/debug/soak --minutes {{ minutes }}

# Save, compression and upload against etcdctl, side by side; see docs/performance.md.
bench *args:
    python3 -B crates/testkit/bench/bench.py {{ args }}

# Everything that CI runs.
ci: lint deny docs test e2e systemd-check (fuzz "5")
