"""Starts an etcd on a data directory, waits until it answers, and ends it: boot.py ETCD DATA_DIR"""

import subprocess
import sys
import time
import urllib.request

from servers import START_LIMIT, free_port

TICK = 0.01


def main():
    program, data_dir = sys.argv[1:]
    client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    etcd = subprocess.Popen([program, f"--data-dir={data_dir}", f"--listen-client-urls={client}",
                             f"--advertise-client-urls={client}", f"--listen-peer-urls={peer}",
                             "--quota-backend-bytes=17179869184"])
    try:
        deadline = time.monotonic() + START_LIMIT
        while not answers(client):
            if etcd.poll() is not None or time.monotonic() > deadline:
                sys.exit("etcd does not answer")
            time.sleep(TICK)
    finally:
        etcd.kill()
        etcd.wait()


def answers(client):
    """Whether it has a leader and applied what it was asked."""
    try:
        with urllib.request.urlopen(f"{client}/health", timeout=2) as answer:
            return b"true" in answer.read()
    except OSError:
        return False


if __name__ == "__main__":
    main()
