//! `docs/metrics.md`, made from the table of families.

use std::fmt::Write as _;

use super::family::{Family, Kind};
use super::table::FAMILIES;

/// The reference page.
pub fn page() -> String {
    let mut page = String::from(HEAD);
    for family in FAMILIES {
        describe(&mut page, family);
    }
    page
}

fn describe(page: &mut String, family: &Family) {
    // Writing to a text cannot fail.
    let _ = writeln!(page, "\n## {}\n\n{}\n", family.name, family.help);
    let _ = writeln!(page, "- Kind: {}", family.kind.as_str());
    for label in family.labels {
        let values: Vec<_> = label.values.iter().map(|it| format!("`{it}`")).collect();
        let values = match &*values {
            [] => "the version".to_owned(),
            values => values.join(", "),
        };
        let _ = writeln!(page, "- Label `{}`: {values}", label.name);
    }
    if let Kind::Histogram(buckets) = family.kind {
        let buckets: Vec<_> = buckets.iter().map(ToString::to_string).collect();
        let _ = writeln!(page, "- Buckets: {}", buckets.join(", "));
    }
    if !family.absent.is_empty() {
        let _ = writeln!(page, "- Absent: {}", family.absent);
    }
}

const HEAD: &str = "\
# Metrics

<!-- Made from crates/rollsnap/src/http/metrics/table.rs: `just bless` writes it anew. -->

`rollsnap run` answers at `http://127.0.0.1:2389/metrics` in Prometheus' text format. The address is
the option [http](config.md#http).

Counters and histograms begin at 0 when the daemon does, every one of their label values at once,
and go on over a reload. Gauges are read from the directory's and the bucket's own manifests for
each answer, so they are right from the first one on; what is not known is absent, never 0. No
number is labelled with a snapshot's name, a path or an error's text: labels have the values that
are listed here and no others. Nothing here is secret.
";
