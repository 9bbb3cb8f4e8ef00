"""The servers of the bench: an etcd with mutual TLS and an S3 server, both on loopback."""

import os
import socket
import subprocess
import time
from pathlib import Path

import measure

START_LIMIT = 60
QUOTA = 16 << 30
KEYS = ("bench-key", "bench-secret")
BUCKET = "bench"


def free_port():
    """A port that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Server:
    """A process that ends with its `with` block."""

    process = None

    def start(self, argv, log, env=None):
        with open(log, "ab") as out:
            self.process = subprocess.Popen(
                argv, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait()
        self.process = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def cpu(self):
        return measure.process_cpu(self.process.pid)


class Etcd(Server):
    """One member on its own."""

    def __init__(self, tools, work, certificates):
        self.program = tools / "etcd-3.5"
        self.ctl = tools / "etcdctl-3.5"
        self.dir = work / "etcd"
        self.log = work / "etcd.log"
        self.certificates = certificates
        self.endpoint = f"https://127.0.0.1:{free_port()}"
        self.peer = f"http://127.0.0.1:{free_port()}"
        text = subprocess.run([self.program, "--version"], capture_output=True, text=True).stdout
        self.version = text.splitlines()[0].split()[-1]

    def environment(self):
        """How every client, etcdctl and rollsnap alike, finds it."""
        return {
            "PATH": os.environ["PATH"],
            "ETCDCTL_API": "3",
            "ETCDCTL_ENDPOINTS": self.endpoint,
            "ETCDCTL_CACERT": str(self.certificates / "ca.pem"),
            "ETCDCTL_CERT": str(self.certificates / "client.pem"),
            "ETCDCTL_KEY": str(self.certificates / "client-key.pem"),
        }

    def serve(self, *more):
        """Starts it, anew if it runs, and waits until it answers."""
        self.stop()
        self.start(
            [
                self.program,
                "--name=bench",
                f"--data-dir={self.dir}",
                f"--listen-client-urls={self.endpoint}",
                f"--advertise-client-urls={self.endpoint}",
                f"--listen-peer-urls={self.peer}",
                f"--initial-advertise-peer-urls={self.peer}",
                f"--initial-cluster=bench={self.peer}",
                f"--quota-backend-bytes={QUOTA}",
                f"--cert-file={self.certificates / 'server.pem'}",
                f"--key-file={self.certificates / 'server-key.pem'}",
                f"--trusted-ca-file={self.certificates / 'ca.pem'}",
                "--client-cert-auth",
                *more,
            ],
            self.log,
        )
        deadline = time.monotonic() + START_LIMIT
        health = [self.ctl, "endpoint", "health"]
        while subprocess.run(health, env=self.environment(), capture_output=True).returncode:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise measure.Failed(f"etcd does not answer; see {self.log}")
            time.sleep(0.1)

    def memory(self):
        return measure.status_bytes(self.process.pid, "VmRSS")

    def peak(self):
        return measure.status_bytes(self.process.pid, "VmHWM")

    def reset_peak(self):
        """Peaks count from here: 5 in /proc/PID/clear_refs (proc(5))."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")


class Bucket(Server):
    """testkit's S3 server with one bucket."""

    def __init__(self, program, work):
        self.endpoint = f"http://127.0.0.1:{free_port()}"
        self.root = work / "s3"
        self.objects = self.root / BUCKET
        log = work / "s3.log"
        self.start(
            [program, "--listen", self.endpoint.removeprefix("http://"), "--dir", self.root,
             "--bucket", BUCKET],
            log,
            {"S3_ACCESS_KEY": KEYS[0], "S3_SECRET_KEY": KEYS[1]},
        )
        deadline = time.monotonic() + START_LIMIT
        while b"ready" not in log.read_bytes():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise measure.Failed(f"the S3 server does not come up; see {log}")
            time.sleep(0.05)

    def environment(self):
        """How rollsnap and rclone find it."""
        return {
            "S3_ENDPOINT": self.endpoint,
            "S3_BUCKET_NAME": BUCKET,
            "S3_ACCESS_KEY": KEYS[0],
            "S3_SECRET_KEY": KEYS[1],
            "RCLONE_CONFIG": "/dev/null",
            "RCLONE_CONFIG_BENCH_TYPE": "s3",
            "RCLONE_CONFIG_BENCH_PROVIDER": "Other",
            "RCLONE_CONFIG_BENCH_ENDPOINT": self.endpoint,
            "RCLONE_CONFIG_BENCH_ACCESS_KEY_ID": KEYS[0],
            "RCLONE_CONFIG_BENCH_SECRET_ACCESS_KEY": KEYS[1],
        }
