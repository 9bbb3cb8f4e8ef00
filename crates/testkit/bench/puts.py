"""What a snapshot costs etcd's other clients: the times of 200 puts a second, with none running,
and while one is taken."""

import json
import subprocess
import time
from statistics import median

import contest
import measure

RATE, PACE = 200, "50MB"
# How long the puts go on where no snapshot ends them.
ALONE = 20
TARGETS = {"p50": 1.1, "p99": 2.0}


def ways(world):
    """Title and command of each; none for nothing."""
    save = [world.rollsnap, "save", "--dir", world.folder, "--verify", "digest"]
    return {
        "none": ("no snapshot", None),
        "full": ("rollsnap save", save),
        "paced": (f"rollsnap save --max-rate {PACE}", [*save, "--max-rate", PACE]),
        "etcdctl": ("etcdctl 3.5.1 snapshot save",
                    [world.etcd.ctl, "snapshot", "save", world.folder / "snapshot"]),
    }


def measure_all(world, options, say):
    """Every round has each once, and starts one further down the list."""
    field = list(ways(world).items())
    runs = {name: [] for name, _ in field}
    for turn in range(options.runs):
        start = turn % len(field)
        for name, (title, argv) in field[start:] + field[:start]:
            measure.wait_for_quiet(options.quiet)
            run = carry_out(world, argv)
            runs[name].append(run)
            say(f"round {turn + 1} puts, {title:30} p50 {run['p50']:7.2f} ms"
                f"  p99 {run['p99']:7.2f} ms  max {run['max']:7.2f} ms  of {run['puts']}")
    return runs


def carry_out(world, argv):
    """The times of the puts while the command runs."""
    contest.clean(world)
    puts = [world.programs / "puts", "--rate", str(RATE), "--endpoint", world.etcd.endpoint,
            "--certificates", world.etcd.certificates]
    load = subprocess.Popen(puts, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        if load.stdout.readline().strip() != "ready":
            raise measure.Failed("the puts do not begin")
        if argv:
            done = subprocess.run(argv, env=world.environment(False), capture_output=True)
            if done.returncode:
                raise measure.Failed(f"{argv}: {done.stderr.decode()}")
        else:
            time.sleep(ALONE)
        load.terminate()
        out, _ = load.communicate()
    finally:
        load.kill()
        load.wait()
        contest.clean(world)
    return json.loads(out)


def table(world, runs):
    """Medians over the rounds, and the median of the ratios to no snapshot in the same round."""
    lines = [f"Puts at {RATE} a second while a snapshot is taken:\n",
             "| | p50 ms | x none | p99 ms | x none | longest ms |",
             "| --- | --- | --- | --- | --- | --- |"]
    for name, (title, _) in ways(world).items():
        own, none = runs[name], runs["none"]
        times = {key: median(run[key] for run in own) for key in ("p50", "p99")}
        ratios = {key: median(run[key] / base[key] for run, base in zip(own, none))
                  for key in times}
        longest = max(run["max"] for run in own)
        lines.append(f"| {title} | {times['p50']:.2f} | {ratios['p50']:.2f} | {times['p99']:.2f}"
                     f" | {ratios['p99']:.2f} | {longest:.0f} |")
        if name == "paced":
            reached = all(ratios[key] <= most for key, most in TARGETS.items())
    targets = ", ".join(f"{key} within {most} times" for key, most in TARGETS.items())
    lines.append(f"\nTarget of the paced one: {targets} of none: {'yes' if reached else '**no**'}.")
    return "\n".join(lines)
