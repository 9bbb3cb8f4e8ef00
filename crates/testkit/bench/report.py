"""Medians, the tables, and the targets."""

from statistics import median

MB = 1_000_000
# Processors that others may use in a run that counts as quiet.
QUIET = 0.2


def summary(runs):
    """Per contestant: medians, extremes of the wall, and the median of the ratios to what ran in
    the same round, which a load that drifts moves less than the ratio of the medians."""
    rows = {}
    for name, done in runs.items():
        row = {key: median(getattr(run, key) for run in done) for key in vars(done[0])}
        row["wall_min"] = min(run.wall for run in done)
        row["wall_max"] = max(run.wall for run in done)
        row["rss"] = max(run.rss for run in done)
        row["runs"] = len(done)
        bases = (("drain", "wall"), ("etcdctl-3.5", "cpu"), ("etcdutl", "cpu"),
                 ("etcdctl-zip", "wall"), ("sequence", "wall"), ("sdk", "wall"),
                 ("etcdutl-restore", "cpu"), ("etcdutl-restore", "wall"), ("sdk-restore", "wall"))
        for base, key in bases:
            if base in runs:
                pairs = list(zip(done, runs[base]))
                quiet = [pair for pair in pairs if max(run.others for run in pair) < QUIET]
                for which, chosen in (("", pairs), ("_quiet", quiet)):
                    if chosen:
                        row[f"{key}_to_{base}{which}"] = median(
                            getattr(run, key) / getattr(other, key) for run, other in chosen
                        )
        rows[name] = row
    return rows


def table(rows, titles):
    """The contest as Markdown."""
    lines = [
        "| | wall s [min..max] | x drain | client CPU s | x etcdctl 3.5 | peak RSS MB"
        " | stored MB | local peak MB | etcd CPU s | etcd RSS + MB | others' cores |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, row in rows.items():
        lines.append(
            f"| {titles[name]} | {row['wall']:.2f} [{row['wall_min']:.2f}..{row['wall_max']:.2f}]"
            f" | {ratio(row, 'wall_to_drain')} | {row['cpu']:.2f} | {ratio(row, 'cpu_to_etcdctl-3.5')}"
            f" | {row['rss'] / MB:.1f} | {row['stored'] / MB:.1f} | {row['local_peak'] / MB:.1f}"
            f" | {row['server_cpu']:.2f} | {row['server_growth'] / MB:.0f} | {row['others']:.2f} |"
        )
    return "\n".join(lines)


def memory_table(memory):
    """Peak memory by size, as Markdown."""
    names = list(next(iter(memory.values())))
    lines = [f"| snapshot | {' | '.join(names)} |", "| --- |" + " --- |" * len(names)]
    for size, peaks in memory.items():
        cells = " | ".join(f"{peaks[name] / MB:.1f} MB" for name in names)
        lines.append(f"| {int(size) / MB:.0f} MB | {cells} |")
    return "\n".join(lines)


def ratio(row, key):
    return f"{row[key]:.2f}" if key in row else ""


def targets(rows, memory, idle, binary, size):
    """Each target with what was reached: (text, reached, in quiet rounds alone, limit), smaller is
    better. Those whose runs were left out are missing."""

    def row(name, key):
        return rows[name][key]

    def peak(name):
        seen = [peaks[name] for peaks in memory.values() if name in peaks]
        seen += [rows[name]["rss"]] if name in rows else []
        return max(seen) / MB

    ratios = [
        ("save: wall / drain", "save", "wall_to_drain", 1.10),
        ("save: CPU / etcdctl 3.5", "save", "cpu_to_etcdctl-3.5", 0.85),
        ("status: CPU / etcdutl 3.5", "status", "cpu_to_etcdutl", 1.0),
        ("restore: CPU / etcdutl 3.5", "restore", "cpu_to_etcdutl-restore", 0.5),
        ("restore: wall / etcdutl 3.5", "restore", "wall_to_etcdutl-restore", 1.0),
        ("restore --from-s3: wall / boto3, etcdutl", "restore-s3", "wall_to_sdk-restore", 0.7),
        ("zstd: wall / drain", "zstd", "wall_to_drain", 1.30),
        ("zip: wall / etcdctl, zip", "zip", "wall_to_etcdctl-zip", 0.6),
        ("save --s3: wall / sequence", "s3", "wall_to_sequence", 0.5),
        ("save --s3: wall / etcdctl, boto3", "s3", "wall_to_sdk", 0.7),
        ("save --s3, zstd: wall / sequence", "s3-zstd", "wall_to_sequence", 0.5),
        ("save --s3, zstd: wall / etcdctl, boto3", "s3-zstd", "wall_to_sdk", 0.5),
    ]
    wanted = [
        ("save: peak RSS, MB", lambda: peak("save"), 16),
        ("zstd: peak RSS, MB", lambda: peak("zstd"), 24),
        ("save: local peak / stored", lambda: row("save", "local_peak") / row("save", "stored"), 1),
        ("save --s3: peak RSS, MB", lambda: max(peak("s3"), peak("s3-zstd")), 64),
        ("status: peak RSS, MB", lambda: peak("status"), 32),
        ("verify: peak RSS, MB", lambda: peak("verify"), 32),
        ("restore: peak RSS, MB", lambda: peak("restore"), 64),
        ("verify: CPU s per GB", lambda: row("verify", "cpu") / size * 1e9, 1.5),
        ("get of one key: wall, ms", lambda: row("get", "wall") * 1000, 50),
        ("zstd: local peak / stored", lambda: row("zstd", "local_peak") / row("zstd", "stored"), 1),
        ("etcd's growth in a save less that in a drain, MB",
         lambda: (row("save", "server_growth") - row("drain", "server_growth")) / MB, 0),
        ("idle daemon after snapshots, MB", lambda: idle["as shipped"]["rss"] / MB, 9),
        ("stripped binary, MB", lambda: binary / MB, 12),
    ]

    found = [
        (text, row(name, key), rows[name].get(f"{key}_quiet"), limit)
        for text, name, key, limit in ratios
        if key in rows.get(name, {})
    ]
    for text, value, limit in wanted:
        try:
            found.append((text, value(), None, limit))
        except (KeyError, TypeError, ValueError):
            continue
    return found


def targets_table(found):
    """The targets as Markdown."""
    lines = [
        "| target | at most | reached | | in quiet rounds |",
        "| --- | --- | --- | --- | --- |",
    ]
    for text, value, quiet, limit in found:
        verdict = "yes" if value <= limit else "**no**"
        alone = "" if quiet is None else f"{quiet:.2f}"
        lines.append(f"| {text} | {limit:g} | {value:.2f} | {verdict} | {alone} |")
    return "\n".join(lines)
