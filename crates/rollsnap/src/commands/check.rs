//! `rollsnap check`: whether the set-up holds, part by part, with the cure of what does not.

use std::fmt::Write as _;

use rollsnap_store::Effort;
use serde::Serialize;

use super::Context;
use crate::check::{self, Outcome, Trial};
use crate::output;
use crate::report::Failure;

#[derive(Serialize)]
struct Report<'a> {
    checks: Vec<Row<'a>>,
    held: usize,
    weak: usize,
    failed: usize,
    untried: usize,
}

#[derive(Serialize)]
struct Row<'a> {
    part: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    location: &'a str,
    check: &'static str,
    result: &'static str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
}

pub(super) async fn run(context: &Context, effort: Effort) -> Result<(), Failure> {
    let settings = context.settings_with_etcd()?;
    let trials = check::try_out(&settings, effort, context.clock.now()).await;
    let report = Report::of(&trials);
    output::tell(context.format, &report, || text(&trials))?;
    let first = trials.iter().find_map(|trial| match &trial.outcome {
        Outcome::Failed(failure) => Some(failure),
        _ => None,
    });
    first.map_or(Ok(()), |first| {
        let message = format!("check: {} of {} failed", report.failed, trials.len());
        Err(Failure::new(first.kind, message)
            .with_hint("the reason and the cure of each are above"))
    })
}

impl<'a> Report<'a> {
    fn of(trials: &'a [Trial]) -> Self {
        let checks: Vec<_> = trials.iter().map(Row::of).collect();
        let count = |result| checks.iter().filter(|row| row.result == result).count();
        Self {
            held: count("held"),
            weak: count("weak"),
            failed: count("failed"),
            untried: count("untried"),
            checks,
        }
    }
}

impl<'a> Row<'a> {
    fn of(trial: &'a Trial) -> Self {
        let (result, message, hint, kind) = match &trial.outcome {
            Outcome::Held(text) => ("held", text, None, None),
            Outcome::Weak { message, hint } => ("weak", message, hint.as_deref(), None),
            Outcome::Failed(failure) => {
                let kind = Some(failure.kind.label());
                ("failed", &failure.message, failure.hint.as_deref(), kind)
            }
            Outcome::Untried(why) => ("untried", why, None, None),
        };
        Self {
            part: trial.part.to_string(),
            location: &trial.location,
            check: trial.what,
            result,
            message,
            hint,
            kind,
        }
    }

    /// Whether neither was tried, for the same reason, of the same place.
    fn is_untried_as(&self, other: &Self) -> bool {
        let of = |row: &Self| {
            (
                row.part.clone(),
                row.location.to_owned(),
                row.message.to_owned(),
            )
        };
        self.result == "untried" && other.result == "untried" && of(self) == of(other)
    }

    fn mark(&self) -> char {
        match self.result {
            "held" => '✓',
            "weak" => '!',
            "failed" => '✗',
            _ => '-',
        }
    }
}

/// The trials below their parts, one a line, each cure below its trial. What was not tried for one
/// and the same reason is one line.
fn text(trials: &[Trial]) -> String {
    let rows: Vec<_> = trials.iter().map(Row::of).collect();
    let width = rows.iter().map(|row| row.check.len()).max().unwrap_or(0);
    let mut text = String::new();
    let mut before = None;
    for alike in rows.chunk_by(Row::is_untried_as) {
        let Some(row) = alike.first() else { continue };
        let place = (row.part.as_str(), row.location);
        if before != Some(place) {
            let heading = format!("{} {}", row.part, row.location);
            // Writing to a text cannot fail.
            let _ = writeln!(text, "{}", heading.trim_end());
            before = Some(place);
        }
        let (mark, message) = (row.mark(), row.message);
        if alike.len() > 1 {
            let names: Vec<_> = alike.iter().map(|row| row.check).collect();
            let _ = writeln!(text, "  {mark} {}: {message}", names.join(", "));
            continue;
        }
        let mut lines = message.lines();
        let (check, first) = (row.check, lines.next().unwrap_or_default());
        let _ = writeln!(text, "  {mark} {check:width$}  {first}");
        for line in lines {
            let _ = writeln!(text, "    {:width$}  {line}", "");
        }
        if let Some(hint) = row.hint {
            let _ = writeln!(text, "    {:width$}  hint: {hint}", "");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use rollsnap_engine::Kind;

    use super::*;
    use crate::check::Part;

    #[test]
    fn each_part_has_its_trials_below_it_and_each_cure_its_own_line() {
        let trial = |part, location: &str, what, outcome| Trial {
            part,
            location: location.to_owned(),
            what,
            outcome,
        };
        let failure = Failure::new(Kind::Denied, "put s3://b/f: access denied");
        let trials = [
            trial(
                Part::Etcd,
                "http://a:1",
                "answers",
                Outcome::Held("member m1".into()),
            ),
            trial(
                Part::Directory,
                "/d",
                "file system",
                Outcome::Weak {
                    message: "tmpfs: memory".into(),
                    hint: Some("use a disk".into()),
                },
            ),
            trial(
                Part::Bucket,
                "s3://b/f",
                "put",
                Outcome::Failed(failure.with_hint("give the keys the right")),
            ),
            trial(
                Part::Bucket,
                "s3://b/f",
                "delete",
                Outcome::Untried("not put".into()),
            ),
            trial(
                Part::Bucket,
                "s3://b/f",
                "read",
                Outcome::Untried("not put".into()),
            ),
            trial(
                Part::Bucket,
                "s3://b/f",
                "lock",
                Outcome::Untried("not told".into()),
            ),
        ];
        assert_eq!(
            text(&trials),
            "\
etcd http://a:1
  ✓ answers      member m1
directory /d
  ! file system  tmpfs: memory
                 hint: use a disk
bucket s3://b/f
  ✗ put          put s3://b/f: access denied
                 hint: give the keys the right
  - delete, read: not put
  - lock         not told
"
        );
    }
}
