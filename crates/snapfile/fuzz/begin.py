#!/usr/bin/env python3
"""Makes what the targets begin with, below target/fuzz/corpus: begin.py [OBJECTS]

OBJECTS is a directory of Kubernetes' objects in protobuf, NAME.pb. Asks the target `structured` for
its databases, so build the targets first. The result is what the committed corpus grew from: none
of it need be made again."""

import glob
import gzip
import io
import os
import struct
import subprocess
import sys
import zipfile
import zlib

ROOT = os.path.dirname(os.path.abspath(__file__)) + "/../../.."
CORPUS = ROOT + "/target/fuzz/corpus"


def put(target, name, content):
    os.makedirs(f"{CORPUS}/{target}", exist_ok=True)
    with open(f"{CORPUS}/{target}/{name}", "wb") as file:
        file.write(content)


def zstd(plain, *options):
    run = ["zstd", "-q", "-c", *options]
    return subprocess.run(run, input=plain, stdout=subprocess.PIPE, check=True).stdout


def seekable(plain, frame):
    parts = [plain[at : at + frame] for at in range(0, len(plain), frame)]
    frames = [zstd(part) for part in parts]
    rows = b"".join(struct.pack("<II", len(f), len(p)) for f, p in zip(frames, parts))
    table = rows + struct.pack("<IBI", len(frames), 0, 0x8F92EAB1)
    return b"".join(frames) + struct.pack("<II", 0x184D2A5E, len(table)) + table


def zipped(plain, method, times=1):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as file:
        for number in range(times):
            file.writestr(f"backup/snapshot{number or ''}", plain)
    return out.getvalue()


def record(form, *fields):
    return struct.pack("<" + form, *fields)


def ours(plain, state=None, row=20):
    """As rollsnap writes it, with the table of its frames: crates/engine/src/codec/zip."""
    out, directory = b"", b""
    entries = [(b"/backup/n", plain)] + [(b"/etc/kubernetes/n.rkestate", state)] * (state is not None)
    for name, content in entries:
        deflate = zlib.compressobj(2, zlib.DEFLATED, -15)
        frame = deflate.compress(content) + deflate.flush(zlib.Z_SYNC_FLUSH)
        rows = [len(frame)] * (content != b"")
        sizes = (zlib.crc32(content), len(frame) * len(rows) + 2, len(content))
        table = record("HHB", 0x7372, 1 + 4 * len(rows), row) + record(f"{len(rows)}I", *rows)
        common = record("HHHHH", 20, 8, 8, 0, 33)
        directory += record("IH", 0x02014B50, 788) + common + record("III", *sizes)
        directory += record("HHHHHII", len(name), len(table), 0, 0, 0, 0o100644 << 16, len(out))
        directory += name + table
        out += record("I", 0x04034B50) + common + record("IIIHH", 0, 0, 0, len(name), 0) + name
        out += frame * len(rows) + b"\3\0" + record("IIII", 0x08074B50, *sizes)
    count = len(entries)
    end = record("IHHHHIIH", 0x06054B50, 0, 0, count, count, len(directory), len(out), 0)
    return out + directory + end


def database(number):
    """The one that an input without changes stands for."""
    put("structured", str(number), bytes([number]))
    forged = ROOT + "/target/fuzz/forged"
    target = ROOT + "/target/fuzz/x86_64-unknown-linux-gnu/release/structured"
    run = [target, f"{CORPUS}/structured/{number}"]
    subprocess.run(run, env={"FORGED": forged}, stderr=subprocess.DEVNULL, check=True)
    return open(forged, "rb").read()


for number in range(7):
    name, plain = f"{number}.db", database(number)
    put("database", name, plain)
    if len(plain) > 16 * 1024:
        continue
    put("image", name, plain)
    put("image", name + ".gz", gzip.compress(plain, mtime=0))
    put("image", name + ".zst", zstd(plain))
    put("image", name + ".frames", seekable(plain, 2048))
    put("image", name + ".zip", zipped(plain, zipfile.ZIP_DEFLATED))
    put("image", name + ".stored.zip", zipped(plain, zipfile.ZIP_STORED))
    put("image", name + ".two.zip", zipped(plain, zipfile.ZIP_DEFLATED, 2))
    put("zip", name + ".two", zipped(plain, zipfile.ZIP_DEFLATED, 2))
    put("zip", name, ours(plain))
    put("zip", name + ".state", ours(plain, b"{}"))
# A bomb of each kind: 32 MiB of zeros behind a meta page.
bomb = database(0)[:-32] + bytes(32 << 20)
put("image", "bomb.gz", gzip.compress(bomb, mtime=0))
put("image", "bomb.zst", zstd(bomb))
put("image", "bomb.zip", zipped(bomb, zipfile.ZIP_DEFLATED))

put("zip", "empty", ours(b"", b"{}"))
put("zip", "lies", ours(database(0), b"{}", 23))
for path in glob.glob(ROOT + "/crates/engine/testdata/rke/*.zip"):
    put("zip", os.path.basename(path), open(path, "rb").read())

put("record", "record", bytes.fromhex("0a01611002180220012a0176300 7".replace(" ", "")))
put("record", "revision", struct.pack(">Q", 2) + b"_" + struct.pack(">Q", 0))
put("record", "tombstone", struct.pack(">Q", 2) + b"_" + struct.pack(">Q", 1) + b"t")
put("record", "digest", b"ab" * 32)
put("record", "stream", b"\x07" + bytes(544))

put("index", "steps", bytes(range(40, 64)) * 20)
put("index", "even", bytes([53]) * 2000)
put("index", "changes", b"\x08\x00\x01\x10\x00\x80")
put("index", "end", b"ROLLKEYS".rjust(56, b"\0"))

# Beside these: the first segments of servers 3.4 and 3.5, without the zeros behind them.
for number, text in enumerate([
    "m1=http://127.0.0.1:2380", "a=http://[::1]:2380,a=http://h:1", "a=unix:///x",
    "m1=https://10.0.0.1:2380,m2=https://10.0.0.2:2380,m3=https://10.0.0.3:2380",
    "\x01meta\n\x02entry\n\x03state\n\x05snap",
]):
    put("log", f"text{number}", text.encode())

for path in glob.glob(sys.argv[1] + "/*.pb") if len(sys.argv) > 1 else []:
    put("kube", os.path.basename(path), open(path, "rb").read())
for number, text in enumerate([
    "/registry/pods/kube-system/coredns", "/registry/minions/n", "/registry/apps/deployments/a/b",
    "/registry/example.com/things/a/b", "pods\nkube-system\na", "deploy/a\nb", "things.example.com",
    "k8s:enc:aescbc:v1:key1:xxxx", "k8s:enc:kms:v2:plugin:xxxx",
    '{"apiVersion":"v1","kind":"Secret","metadata":{"name":"a","uid":"1","annotations":'
    '{"a":"yes","kubectl.kubernetes.io/last-applied-configuration":"{}"}},"data":{"k":"djE="},'
    '"stringData":{"l":"v2"}}',
    '{"apiVersion":"v1","kind":"Service","spec":{"clusterIP":"10.0.0.1","ports":[{"port":80}]},'
    '"status":{}}',
    '{"kind":"ConfigMap","data":{"a":"line\\nline\\n","b":" x","c":"0x1f","d":"~","e":"2001-01-01"}}',
]):
    put("kube", f"text{number}", text.encode())

MANIFEST = """{"format": 1, "name": "n", "class": "rolling", "order": 7, "cluster_id": "c1",
"member_id": "31", "etcd_version": "3.4.16", "revision": 9, "raft_term": 2,
"raft_applied_index": 11, "database": {"digest": "%s", "size": 512},
"stored": {"codec": "none", "digest": "%s", "size": 544},
"started_at": "2026-05-01T12:00:00Z", "finished_at": "2026-05-01T12:00:01Z",
"tool": "rollsnap 0.1.0"%s}"""
DIGEST = "ab" * 32
VERIFIED = """, "verification": {"at": "2026-05-01T12:00:02Z", "method": "deep", "result": "corrupt",
"findings": ["page 1: x"], "seconds": 1.5}, "contents": {"hash": 7, "live_keys": 1, "records": 2,
"first_revision": 2, "compact_revision": 1, "store_revision": 9, "total_size": 512,
"bytes_in_use": 256, "version": "3.6.0"}, "members": [{"name": "a", "id": "31",
"endpoint": "https://10.0.0.1:2379", "hash": 5, "agrees": false}]"""
put("manifest", "plain", (MANIFEST % (DIGEST, DIGEST, "")).encode())
put("manifest", "verified", (MANIFEST % (DIGEST, DIGEST, VERIFIED)).encode())

for number, text in enumerate([
    "2018-05-04T18:40:16Z_etcd", "rke_etcd_snapshot_2018-05-04T18-40-16Z", "my snapshot",
    "2018-05-04T18:40:16+02:00_etcd", "a.zip", "x.zst", "n.manifest.json",
]):
    put("names", str(number), text.encode())

for number, text in enumerate([
    "services:\n  etcd:\n    snapshot: true\n    creation: 6h0s\n    retention: 24h\n",
    "services:\n  etcd:\n    backup_config:\n      enabled: true\n      interval_hours: 12\n"
    "      retention: 6\n      safe_timestamp: true\n      timeout: 300\n"
    "      s3backupconfig:\n        access_key: \"a\"\n        secret_key: 's'\n"
    "        bucket_name: b\n        folder: f\n        endpoint: s3.example.com\n"
    "        region: r\n        custom_ca: |-\n          -----BEGIN CERTIFICATE-----\n",
    "backup_config: &a {interval_hours: 1}\ndir: /x\nendpoints: [https://a:2379, b]\n",
    "x: &s\n  access_key: a\nservices:\n  etcd:\n    backup_config:\n      s3backupconfig:\n"
    "        <<: *s\n        bucket_name: b\n", "1h30m", "5m0s", "300", "%YAML 1.2\n---\na: !!int 1\n",
]):
    put("cluster_yml", str(number), text.encode())
