"""Who runs against whom, and with which commands."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import measure
from servers import BUCKET

# Deflate at the level of zlib that is about as fast as Go's default, with which rke-tools zipped
# (172 MB in a CPU second here). zip's own default, 6, takes nearly twice as long.
ZIP = (
    "import sys, zipfile; zipfile.ZipFile(sys.argv[2], 'w', zipfile.ZIP_DEFLATED,"
    " compresslevel=4).write(sys.argv[1], 'snapshot')"
)


# What a script with Amazon's own client does: its defaults, ten parts of 8 MiB at a time.
CLIENT = (
    "import os, sys, boto3; boto3.client('s3', endpoint_url=os.environ['S3_ENDPOINT'],"
    " region_name='us-east-1', aws_access_key_id=os.environ['S3_ACCESS_KEY'],"
    " aws_secret_access_key=os.environ['S3_SECRET_KEY'])"
)
SDK = CLIENT + ".upload_file(sys.argv[1], os.environ['S3_BUCKET_NAME'], 'snapshot')"
# The other way: an object to a file.
FETCH = CLIENT + ".download_file(os.environ['S3_BUCKET_NAME'], sys.argv[1], sys.argv[2])"
BOOT = Path(__file__).with_name("boot.py")

# The key of the first put of `fill`.
FIRST_KEY = "/registry/persistentvolumeclaims/team-28/object-00000001"


@dataclass
class Contestant:
    """One column of commands, run one after another."""

    name: str
    what: str
    steps: list
    # Whether it knows the bucket, which then tells what is stored. rollsnap uploads if it does.
    uploads: bool = False
    # What is done before the clock starts.
    before: list = field(default_factory=list)


def contestants(world):
    """All of them, in the order of the table."""
    out = world.folder
    snapshot, archive = out / "snapshot", out / "snapshot.zip"
    # etcdctl checks nothing of what it saves; what deep verification adds is a row of its own.
    save = [world.rollsnap, "save", "--dir", out, "--verify", "digest"]
    deep = [world.rollsnap, "save", "--dir", out]
    etcdctl = [world.tools / "etcdctl-3.5", "snapshot", "save", snapshot]
    drain = [world.programs / "drain", "--endpoint", world.etcd.endpoint,
             "--certificates", world.etcd.certificates]
    copy = [world.tools / "rclone", "copyto", archive, f"bench:{BUCKET}/snapshot.zip",
            "--s3-no-check-bucket"]
    boot = [sys.executable, "-B", BOOT, world.tools / "etcd-3.5", out / "etcd"]
    to_bucket = [world.rollsnap, "upload", "--dir", world.kept, world.KEPT]
    return [
        Contestant("drain", "the stream to nothing (limit)", [drain]),
        Contestant("write", "dd of the same bytes, synced (limit)",
                   [["dd", f"if={world.sample}", f"of={snapshot}", "bs=1M", "conv=fsync"]]),
        Contestant("etcdctl-3.5", "etcdctl 3.5.1 snapshot save", [etcdctl]),
        Contestant("etcdctl-3.4", "etcdctl 3.4.23 snapshot save",
                   [[world.tools / "etcdctl-3.4", "snapshot", "save", snapshot]]),
        Contestant("save", "rollsnap save", [save]),
        Contestant("zstd", "rollsnap save --compression zstd", [[*save, "--compression", "zstd"]]),
        Contestant("zip", "rollsnap save --compression zip", [[*save, "--compression", "zip"]]),
        Contestant("etcdctl-zip", "etcdctl 3.5.1, then zip",
                   [etcdctl, [sys.executable, "-c", ZIP, snapshot, archive]]),
        Contestant("s3", "rollsnap save --s3", [[*save, "--s3"]], uploads=True),
        Contestant("s3-zstd", "rollsnap save --s3 --compression zstd",
                   [[*save, "--s3", "--compression", "zstd"]], uploads=True),
        Contestant("save-deep", "rollsnap save, verified deep after it", [deep]),
        Contestant("etcdutl", "etcdutl 3.5.1 snapshot status (checks no digest)",
                   [[world.tools / "etcdutl-3.5", "snapshot", "status", world.sample]]),
        Contestant("status", "rollsnap status, digest checked",
                   [[world.rollsnap, "status", world.sample]]),
        Contestant("verify", "rollsnap verify (deep)",
                   [[world.rollsnap, "verify", world.sample]]),
        Contestant("get", "rollsnap get of one key, by the index",
                   [[world.rollsnap, "get", "--dir", world.kept, world.KEPT, FIRST_KEY,
                     "-o", "raw"]]),
        Contestant("get-scan", "rollsnap get of one key, no index",
                   [[world.rollsnap, "get", world.sample, FIRST_KEY, "-o", "raw"]]),
        Contestant("etcdutl-restore", "etcdutl 3.5.1 snapshot restore",
                   [[world.tools / "etcdutl-3.5", "snapshot", "restore", world.sample,
                     "--data-dir", out / "etcd"]]),
        Contestant("restore", "rollsnap restore",
                   [[world.rollsnap, "restore", "--no-safety", world.sample, "--data-dir", out / "etcd"]]),
        Contestant("sdk-restore", "boto3, etcdutl 3.5.1 snapshot restore, etcd's first answer",
                   [[world.python, "-c", FETCH, world.KEPT, snapshot],
                    [world.tools / "etcdutl-3.5", "snapshot", "restore", snapshot,
                     "--data-dir", out / "etcd"], boot],
                   uploads=True, before=[to_bucket]),
        Contestant("restore-s3", "rollsnap restore --from-s3, etcd's first answer",
                   [[world.rollsnap, "restore", "--no-safety", world.KEPT, "--from-s3", "--dir", out / "none",
                     "--data-dir", out / "etcd"], boot],
                   uploads=True, before=[to_bucket]),
        Contestant("sdk", "etcdctl 3.5.1, then boto3",
                   [etcdctl, [world.python, "-c", SDK, snapshot]], uploads=True),
        Contestant("sequence", "etcdctl 3.5.1, then zip, then rclone",
                   [etcdctl, [sys.executable, "-c", ZIP, snapshot, archive], copy], uploads=True),
    ]


def carry_out(contestant, world):
    """One run from a clean folder and an empty bucket to a clean folder and an empty bucket."""
    clean(world)
    env = world.environment(contestant.uploads)
    for step in contestant.before:
        subprocess.run(step, check=True, capture_output=True, env=env)
    total = None
    for step in contestant.steps:
        done = measure.run(step, env, world.folder, world.etcd, world.bucket, world.log)
        total = total + done if total else done
    total.stored = measure.size_of(world.bucket.objects if contestant.uploads else world.folder)
    clean(world)
    return total


def clean(world):
    """Leaves nothing of the run before."""
    for folder in (world.folder, world.bucket.objects):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
    # The S3 server keeps notes on each object beside its buckets.
    for note in Path(world.bucket.root).glob(".*"):
        if note.is_file():
            os.unlink(note)
