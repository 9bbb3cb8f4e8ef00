#!/usr/bin/env bash
# Runs the sidecar as RKE runs it on an etcd node: host network, restarted always, the node's
# snapshot directory and certificates mounted, under the name that its users grep for.
#
#   deploy/docker-run.sh [OPTION OF rollsnap run...]
#   deploy/docker-run.sh --interval-hours 12 --retention 6
#   docker logs -f etcd-rolling-snapshots
#
# Like `rke up`, it replaces a sidecar that is there; its snapshots stay, and so does its rhythm:
# the next one is due an interval after the newest that lies in the directory.
#
# Root, because RKE's keys are root's and 0600; with no capability at all, because root's own
# files are all that is touched. With S3, put each key into a file of root's below
# /etc/kubernetes/rollsnap/: what is given with --env or as an option stands in `docker inspect`.
set -euo pipefail

image=${IMAGE:-rollsnap:dev}
name=etcd-rolling-snapshots
options=(
  --detach
  --name "$name"
  --network host
  --restart always
  --user 0
  --cap-drop ALL
  --security-opt no-new-privileges
  --read-only
  --log-opt max-size=10m --log-opt max-file=3
  --volume /opt/rke/etcd-snapshots:/opt/rke/etcd-snapshots:z
  --volume /etc/kubernetes:/etc/kubernetes:ro,z
)
for key in access secret; do
  file=/etc/kubernetes/rollsnap/s3-$key-key
  if [ -f "$file" ]; then options+=(--env "ROLLSNAP_${key^^}_KEY_FILE=$file"); fi
done

docker rm --force "$name" >/dev/null 2>&1 || true
exec docker run "${options[@]}" "$image" run "$@"
