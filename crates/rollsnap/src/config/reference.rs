//! `docs/config.md`, made from the table of options.

use std::fmt::Write as _;

use super::options::{Group, Kind, OPTIONS, OnCommandLine, Spec};

/// The reference page.
pub fn page() -> String {
    let mut page = String::from(HEAD);
    for group in Group::ALL {
        // Writing to a text cannot fail.
        let _ = writeln!(page, "\n## {}", group.title());
        for spec in OPTIONS.iter().filter(|spec| spec.group == group) {
            option(&mut page, spec);
        }
    }
    page
}

fn option(page: &mut String, spec: &Spec) {
    let _ = writeln!(page, "\n### {}\n\n{}\n", spec.name, spec.help);
    if spec.on_command_line == OnCommandLine::Flag {
        // A switch takes its value behind `=` only: what follows may be an argument.
        let value = match spec.kind {
            Kind::Switch => format!("[={}]", spec.value_name),
            _ => format!(" {}", spec.value_name),
        };
        let _ = writeln!(page, "- Flag: `--{}{value}`", spec.name);
    }
    if !spec.env.is_empty() {
        let _ = writeln!(page, "- Environment: {}", quoted(spec.env));
    }
    if !spec.file.is_empty() {
        let _ = writeln!(page, "- File: {}", quoted(spec.file));
    }
    if let Kind::OneOf(words) = spec.kind {
        let _ = writeln!(page, "- One of: {}", quoted(words));
    }
    let _ = writeln!(page, "- Default: {}", spec.default);
}

fn quoted(words: &[&str]) -> String {
    let words: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    words.join(", ")
}

const HEAD: &str = "\
# Configuration

<!-- Made from crates/rollsnap/src/config/options.rs: `just bless` writes it anew. -->

Flags count over the environment, the environment over the config file, the file over the
defaults. A variable that is set to nothing counts as not set. `rollsnap config show` prints what
is in force and who said it; `rollsnap config check` tells everything that is wrong at once.

The config file is RKE's `cluster.yml` as it is, or a small YAML file with the same keys at its
top level: either `backup_config` and the older keys of `services.etcd`, or the keys of
`backup_config` themselves. The keys below are written as they stand in `cluster.yml`.

```yaml
dir: /opt/rke/etcd-snapshots
endpoints: 127.0.0.1:2379
backup_config:
  interval_hours: 12
  retention: 6
  compression: zstd
  s3backupconfig:
    bucket_name: my-bucket
    endpoint: s3.amazonaws.com
    access_key_file: /run/secrets/access-key
    secret_key_file: /run/secrets/secret-key
```

`interval_hours` supersedes `creation`, and a `retention` in `backup_config` (a number of
snapshots) supersedes the older `retention` (a duration), key by key. Where neither is given it is
12 hours and 6 snapshots, or `5m0s` and `24h` where only the older keys are used.

`cron` takes the place of an interval; in one layer there is one of the two. `retention_tiers` stands
beside a number of snapshots, never beside a duration. [operations.md](operations.md) has examples of
both.

Durations are written as in Go (`5m0s`, `1h30m`, `24h`) or in words (`2days`), from `1s` to
`87600h`. `M` is refused: it would be months.
";
