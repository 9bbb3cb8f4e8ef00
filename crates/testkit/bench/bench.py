#!/usr/bin/env python3
"""Measures rollsnap beside etcdctl on one real etcd: `just bench --help`.

The order of events: build, start etcd and the S3 server, fill to each size, look at memory there,
let all contestants run in turns at the size of the contest, look at the idle daemon, print.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import contest
import measure
import puts
import report
from servers import Bucket, Etcd

ROOT = Path(__file__).resolve().parents[3]
TRIPLE = "x86_64-unknown-linux-gnu"
UNITS = {"M": 10**6, "G": 10**9}
MEMORY = ("save", "zstd", "s3", "s3-zstd", "status", "verify")
# As the image and the unit set it. The contest goes without, which is the worse case.
MALLOC = {"MALLOC_ARENA_MAX": "1", "MALLOC_TRIM_THRESHOLD_": "131072"}
# The daemon saves this often and rests in between.
SAVES, PERIOD = 3, 40


class World:
    """What a run needs: programs, servers and folders."""

    KEPT = "kept"

    def __init__(self, work):
        self.tools = ROOT / ".tools/bin"
        # The product as it is shipped: static. The bench's own programs need not be.
        self.rollsnap = ROOT / "target" / TRIPLE / "release/rollsnap"
        self.programs = ROOT / "target/release"
        self.folder = work / "snapshots"
        self.sample = work / "sample"
        # The same, saved by rollsnap, with what it keeps beside a snapshot.
        self.kept = work / "kept"
        self.python = ROOT / ".tools/venv/bin/python"
        self.log = work / "clients.log"
        certificates = work / "certificates"
        certificates.mkdir()
        subprocess.run([self.programs / "certificates", certificates], check=True)
        self.etcd = Etcd(self.tools, work, certificates)
        self.bucket = Bucket(self.programs / "s3-server", work)

    def environment(self, with_bucket):
        bucket = self.bucket.environment() if with_bucket else {}
        return {**self.etcd.environment(), **bucket}

    def fill(self, size):
        """Fills without syncs, then starts etcd as it would run, and reads everything once."""
        self.etcd.serve("--unsafe-no-fsync")
        fill = [self.programs / "fill", "--size", str(size), "--endpoint", self.etcd.endpoint,
                "--certificates", self.etcd.certificates]
        subprocess.run(fill, check=True, stdout=subprocess.DEVNULL)
        self.etcd.serve()
        save = [self.etcd.ctl, "snapshot", "save", self.sample]
        subprocess.run(save, check=True, capture_output=True, env=self.etcd.environment())
        shutil.rmtree(self.kept, ignore_errors=True)
        keep = [self.rollsnap, "save", "--dir", self.kept, "--name", self.KEPT]
        subprocess.run(keep, check=True, capture_output=True, env=self.etcd.environment())
        return self.sample.stat().st_size

    def stop(self):
        self.etcd.stop()
        self.bucket.stop()


def main():
    options = parse()
    # Ended from outside, it still ends its servers.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if not options.no_build:
        build()
    work = ROOT / "target/bench"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    world = World(work)
    try:
        results = measure_all(world, options)
    except measure.Failed as failed:
        sys.exit(f"bench: {failed}")
    finally:
        world.stop()
    print_all(results)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")
    shutil.rmtree(work)


def measure_all(world, options):
    field = contest.contestants(world)
    chosen = [c for c in field if not options.only or c.name in options.only]
    results = {
        "machine": machine(),
        "etcd": world.etcd.version,
        "titles": {c.name: c.what for c in field},
        "memory": {},
        "contest": {},
        "runs": {},
        "idle": None,
        "binary": world.rollsnap.stat().st_size,
    }
    for size in sorted({options.size, *options.memory}):
        bytes_sent = world.fill(size)
        say(f"etcd {world.etcd.version} holds {bytes_sent / 1e6:.0f} MB")
        if size in options.memory:
            results["memory"][bytes_sent] = {
                c.name: contest.carry_out(c, world).rss for c in field if c.name in MEMORY
            }
        if size == options.size:
            results["bytes"] = bytes_sent
            runs = in_turns(chosen, world, options) if chosen else {}
            results["runs"] = {name: [vars(run) for run in done] for name, done in runs.items()}
            results["contest"] = report.summary(runs)
            if not options.only or "puts" in options.only:
                results["puts"] = puts.measure_all(world, options, say)
                results["puts_table"] = puts.table(world, results["puts"])
            if not options.only:
                results["idle"] = daemons(world)
    results["load_after"] = os.getloadavg()
    return results


def in_turns(chosen, world, options):
    """Every round has everybody once, and starts one further down the list."""
    runs = {contestant.name: [] for contestant in chosen}
    for turn in range(options.runs):
        start = turn % len(chosen)
        for contestant in chosen[start:] + chosen[:start]:
            busy = measure.wait_for_quiet(options.quiet)
            run = contest.carry_out(contestant, world)
            runs[contestant.name].append(run)
            say(
                f"round {turn + 1} {contestant.name:12} {run.wall:6.2f} s  CPU {run.cpu:5.2f} s"
                f"  RSS {run.rss / 1e6:5.1f} MB  load {run.load:.1f}"
                f"  others' cores {busy:.2f} before, {run.others:.2f} in the run"
            )
    return runs


def daemons(world):
    """The daemon at rest in the surroundings that make a difference."""
    return {
        "as shipped": idle_daemon(world, {**world.environment(False), **MALLOC}),
        "with a bucket": idle_daemon(world, {**world.environment(True), **MALLOC}),
        "glibc's malloc as it is": idle_daemon(world, world.environment(False)),
    }


def idle_daemon(world, env):
    """Memory of the daemon once it has taken some snapshots and has nothing to do."""
    contest.clean(world)
    argv = [world.rollsnap, "run", "--dir", world.folder, "--creation", f"{PERIOD}s",
            "--retention", f"{2 * PERIOD}s"]
    log = world.folder.parent / "daemon.log"
    with open(log, "wb") as out:
        daemon = subprocess.Popen(argv, env=env, stdout=out, stderr=out)
    try:
        deadline = time.monotonic() + 20 * PERIOD
        while log.read_bytes().count(b"Created backup") < SAVES:
            if daemon.poll() is not None or time.monotonic() > deadline:
                raise measure.Failed(f"the daemon takes no snapshots; see {log}")
            time.sleep(0.1)
        # Threads that only blocked are given up after ten seconds.
        time.sleep(12)
        before = measure.process_cpu(daemon.pid)
        time.sleep(5)
        return {
            "rss": measure.status_bytes(daemon.pid, "VmRSS"),
            "anonymous": measure.status_bytes(daemon.pid, "RssAnon"),
            "peak": measure.status_bytes(daemon.pid, "VmHWM"),
            "cpu_in_5_s": measure.process_cpu(daemon.pid) - before,
        }
    finally:
        daemon.terminate()
        daemon.wait()
        contest.clean(world)


def print_all(results):
    print(f"\n{results['machine']}; etcd {results['etcd']}, mutual TLS on loopback;"
          f" {results['bytes'] / 1e6:.0f} MB snapshot; load at the end"
          f" {results['load_after'][0]:.1f}\n")
    if results["contest"]:
        print(report.table(results["contest"], results["titles"]), "\n")
    if results.get("puts_table"):
        print(results["puts_table"], "\n")
    if results["memory"]:
        print("Peak memory by size:\n")
        print(report.memory_table(results["memory"]), "\n")
    for how, idle in (results["idle"] or {}).items():
        print(f"Idle daemon after {SAVES} snapshots, {how}: {idle['rss'] / 1e6:.1f} MB"
              f" ({idle['anonymous'] / 1e6:.1f} MB of it anonymous; {idle['peak'] / 1e6:.1f} MB at"
              f" its peak), {idle['cpu_in_5_s']:.2f} s CPU in 5 s.")
    print(f"Static stripped binary: {results['binary'] / 1e6:.1f} MB.\n")
    found = report.targets(results["contest"], results["memory"], results["idle"],
                           results["binary"], results["bytes"])
    print(report.targets_table(found))


def machine():
    words = Path("/proc/cpuinfo").read_text()
    model = next(
        (line.split(":", 1)[1].strip() for line in words.splitlines() if "model name" in line),
        "unknown processor",
    )
    extra = ", SHA-NI" if "sha_ni" in words else ", no SHA-NI"
    return f"{os.cpu_count()} x {model}{extra}"


def build():
    """The product static, as the image has it, and the bench's programs beside it."""
    cargo = ["cargo", "build", "--quiet", "--release", "--locked", "--package"]
    static = {**os.environ, "RUSTFLAGS": "-C target-feature=+crt-static"}
    subprocess.run([*cargo, "rollsnap", "--target", TRIPLE], cwd=ROOT, env=static, check=True)
    bins = [word for name in ("drain", "fill", "puts", "certificates", "s3-server")
            for word in ("--bin", name)]
    subprocess.run([*cargo, "rollsnap-testkit", *bins], cwd=ROOT, check=True)
    # Only the bench needs it, so the installation of the tests does without.
    pip = ROOT / ".tools/venv/bin/pip"
    subprocess.run([pip, "install", "--quiet", "--disable-pip-version-check", "boto3"], check=True)


def parse():
    parser = argparse.ArgumentParser(prog="just bench", description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=size, default=size("1G"), help="database (default 1G)")
    parser.add_argument("--runs", type=int, default=5, help="rounds of the contest (default 5)")
    parser.add_argument("--only", type=lambda text: text.split(","), default=[],
                        help="these contestants, such as drain,save,zstd or puts, and no daemon")
    parser.add_argument("--memory", type=sizes, default=sizes("100M,1G,4G"),
                        help="sizes to look at peak memory at (default 100M,1G,4G; '' for none)")
    parser.add_argument("--quiet", type=float, metavar="CORES",
                        help="before each run wait, 10 s at most, until others use less")
    parser.add_argument("--json", type=Path, help="also write everything there")
    parser.add_argument("--no-build", action="store_true", help="measure what is built already")
    return parser.parse_args()


def size(text):
    return int(float(text[:-1]) * UNITS[text[-1]]) if text[-1] in UNITS else int(text)


def sizes(text):
    return [size(part) for part in text.split(",") if part]


def say(text):
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
