#!/usr/bin/env bash
# Checks the unit as systemd would read it, on a machine that need not run systemd.
#
# In a root directory of its own: this machine's units beside ours, and a stand-in for the binary.
#   verify     no unknown key, no missing unit or program, with the S3 drop-in in place too
#   security   exposure under 3.0 of 10
#   sysusers, tmpfiles     the user and the directories come out as the unit wants them
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
fail() { printf 'systemd-check: %s\n' "$*" >&2; exit 1; }

units=$root/usr/lib/systemd/system
install -d "$root/usr/bin" "$root/etc" "$units"
ln -s usr/bin "$root/bin"
cp -R /usr/lib/systemd/system/. "$units"
cp -R rollsnap.service rollsnap.service.d "$units"
for program in rollsnap sh; do install -m 0755 /bin/true "$root/usr/bin/$program"; done

said=$(systemd-analyze verify --root="$root" rollsnap.service 2>&1) && [ -z "$said" ] ||
  fail "verify: $said"
systemd-analyze security --offline=true --root="$root" --threshold=30 --no-pager rollsnap.service |
  tail -n 1

install -D -m 0644 sysusers.d/rollsnap.conf "$root/usr/lib/sysusers.d/rollsnap.conf"
install -D -m 0644 tmpfiles.d/rollsnap.conf "$root/usr/lib/tmpfiles.d/rollsnap.conf"
systemd-sysusers --root="$root"
systemd-tmpfiles --root="$root" --create --prefix=/opt --prefix=/etc/rollsnap
user=$(sed -n 's/^rollsnap:[^:]*:\([0-9]*\):.*/\1/p' "$root/etc/passwd")
[ "$(stat -c '%a %u' "$root/opt/rke/etcd-snapshots")" = "700 $user" ] ||
  fail "the snapshot directory is not rollsnap's alone"
echo 'systemd-check: ok'
