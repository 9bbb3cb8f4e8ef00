"""One measured process: wall, CPU, peak memory, peak space, and how much else the machine did."""

import os
import select
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

TICK_MS = 20
CLOCK = os.sysconf("SC_CLK_TCK")


@dataclass
class Run:
    """What one run of a contestant took. Bytes and seconds; CPU is user and system together."""

    wall: float = 0.0
    cpu: float = 0.0
    rss: int = 0
    local_peak: int = 0
    stored: int = 0
    server_cpu: float = 0.0
    server_growth: int = 0
    others: float = 0.0
    load: float = field(default_factory=lambda: os.getloadavg()[0])

    def __add__(self, later):
        """Two steps in sequence."""
        wall = self.wall + later.wall
        return Run(
            wall=wall,
            cpu=self.cpu + later.cpu,
            rss=max(self.rss, later.rss),
            local_peak=max(self.local_peak, later.local_peak),
            stored=max(self.stored, later.stored),
            server_cpu=self.server_cpu + later.server_cpu,
            server_growth=max(self.server_growth, later.server_growth),
            others=(self.others * self.wall + later.others * later.wall) / wall,
            load=self.load,
        )


class Failed(Exception):
    """A measured program did not do its work."""


def run(argv, env, folder, etcd, bucket, log):
    """Runs a program to its end. `folder` is where it writes; its size is watched.

    Peak memory is the greatest VmHWM seen at the ticks, and what wait4 tells where that can be
    told apart from this process: a child inherits the peak of the process that started it.
    """
    os.sync()
    load = os.getloadavg()[0]
    etcd.reset_peak()
    server_before, cpu_before, bucket_before = etcd.memory(), etcd.cpu(), bucket.cpu()
    machine, ourselves = machine_cpu(), time.process_time()
    began = time.monotonic()
    with open(log, "ab") as out:
        child = subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    rss, space = watch(child.pid, folder)
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.monotonic() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise Failed(f"{' '.join(map(str, argv))}: exit {child.returncode}; see {log}")
    cpu = usage.ru_utime + usage.ru_stime
    server_cpu = etcd.cpu() - cpu_before
    known = cpu + server_cpu + bucket.cpu() - bucket_before + time.process_time() - ourselves
    told = usage.ru_maxrss * 1024
    return Run(
        wall=wall,
        cpu=cpu,
        rss=max(rss, told) if told > 1.05 * own_peak() else rss,
        local_peak=max(space, size_of(folder)),
        server_cpu=server_cpu,
        server_growth=max(0, etcd.peak() - server_before),
        others=max(0.0, (machine_cpu() - machine - known) / wall),
        load=load,
    )


def watch(pid, folder):
    """Looks at a process until it ends: the peaks of its memory and of a folder's size."""
    rss = space = 0
    poll = select.poll()
    handle = os.pidfd_open(pid)
    poll.register(handle, select.POLLIN)
    try:
        while not poll.poll(TICK_MS):
            rss = max(rss, status_bytes(pid, "VmHWM"))
            space = max(space, size_of(folder))
    finally:
        os.close(handle)
    return rss, space


def status_bytes(pid, key):
    """A size from /proc/PID/status; 0 when the process is gone."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(key + ":"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def process_cpu(pid):
    """User and system seconds of a running process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / CLOCK


def machine_cpu():
    """Busy seconds of all processors, and those that the hypervisor kept from us."""
    user, nice, system, _, _, _, _, steal = (
        int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    )
    return (user + nice + system + steal) / CLOCK


def own_peak():
    """The peak of this process."""
    return status_bytes(os.getpid(), "VmHWM")


def size_of(folder):
    """Bytes of all files below a folder."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(root, name)).st_size
            except OSError:
                pass
    return total


def wait_for_quiet(limit, patience=10):
    """Waits until others use fewer than `limit` processors for a second; tells how many they use."""
    deadline = time.monotonic() + patience
    while True:
        before = machine_cpu()
        time.sleep(1)
        busy = machine_cpu() - before
        if limit is None or busy < limit or time.monotonic() > deadline:
            return busy
