//! `rollsnap diff`: what was created, deleted and changed between two snapshots, or between two
//! revisions of one.
//!
//! Memory: every wanted key of both sides and 80 bytes with each; of values those of some keys at
//! a time, 64 MiB or one pair. With `-o json --full` the printed differences too.

use std::process::ExitCode;

use rollsnap_engine::Kind;
use rollsnap_engine::image::Access;
use rollsnap_engine::look::{self, LookError, ReadAt};
use rollsnap_kube::Keys;
use serde::Serialize;

use super::changes::{Change, Changes, Marked, Nature, marks};
use super::legible;
use super::listed::{KeyFields, RevisionFields};
use super::patch::{self, Sides};
use super::value::Manner;
use super::wanted::{Choice, Wanted};
use crate::cli::look::Diff;
use crate::commands::Context;
use crate::commands::opened::Opened;
use crate::commands::operand::Operand;
use crate::output::{self, Format};
use crate::report::Failure;

/// Bytes of values that are held at a time.
const HELD: u64 = 64 << 20;

#[derive(Serialize)]
struct Document<'a> {
    a: Side<'a>,
    b: Side<'a>,
    created: u64,
    deleted: u64,
    changed: u64,
    /// Keys whose values are the same on both sides.
    same: u64,
    changes: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Side<'a> {
    location: &'a str,
    revision: u64,
}

#[derive(Serialize)]
struct Row<'a> {
    change: &'static str,
    #[serde(flatten)]
    key: KeyFields<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    a: Option<RevisionFields>,
    #[serde(skip_serializing_if = "Option::is_none")]
    b: Option<RevisionFields>,
    #[serde(skip_serializing_if = "Option::is_none")]
    diff: Option<String>,
}

/// One side, as it was asked for.
struct Asked {
    /// The revision that is looked at.
    revision: u64,
    marked: Vec<Marked>,
}

pub(super) async fn run(context: &Context, diff: &Diff) -> Result<ExitCode, Failure> {
    if diff.a == "-" && diff.b == "-" {
        let message = "diff: standard input can be read once, as A or as B";
        return Err(Failure::new(Kind::Usage, message));
    }
    let a = Operand::open(context, &diff.a, Access::All).await?;
    let other = if diff.a == diff.b {
        None
    } else {
        Some(Operand::open(context, &diff.b, Access::All).await?)
    };
    let pair = Pair {
        context,
        a: &a,
        b: other.as_ref().unwrap_or(&a),
        diff,
    };
    let wanted = pair.wanted().await?;
    let (in_a, in_b) = tokio::try_join!(
        pair.asked(pair.a, diff.at_a, &wanted),
        pair.asked(pair.b, diff.at_b, &wanted),
    )?;
    let is_one = is_one(diff, &wanted, &in_a.marked, &in_b.marked);
    let changes = Changes::between(&in_a.marked, &in_b.marked);
    if is_one && in_a.marked.is_empty() && in_b.marked.is_empty() {
        let message = format!("diff {}: there is none on either side", diff.what);
        let failure = Failure::new(Kind::Usage, message);
        return Err(failure.with_hint("rollsnap ls shows what there is"));
    }
    pair.tell(&wanted.keys, [&in_a, &in_b], &changes, diff.full || is_one)
        .await?;
    if diff.exit_code && !changes.all.is_empty() {
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether one key is meant, and so the difference itself.
fn is_one(diff: &Diff, wanted: &Wanted, a: &[Marked], b: &[Marked]) -> bool {
    let is_key = |marked: &[Marked], key: &[u8]| marked.iter().any(|it| *it.listed.key == *key);
    match &wanted.choice {
        Choice::All { .. } => false,
        Choice::Objects { name, .. } => name.is_some(),
        Choice::Raw(key) => diff.what.words.is_some() && (is_key(a, key) || is_key(b, key)),
    }
}

/// Two open snapshots.
struct Pair<'a> {
    context: &'a Context,
    a: &'a Opened,
    b: &'a Opened,
    diff: &'a Diff,
}

impl Pair<'_> {
    /// The keys that are meant. A custom resource may be known to one side alone.
    async fn wanted(&self) -> Result<Wanted, Failure> {
        let read = |at| {
            let what = self.diff.what.clone();
            move |file: &dyn ReadAt| Wanted::read(&what, file, at)
        };
        let in_b = read(self.diff.at_b);
        let told = self.b.look(self.context, "diff", in_b);
        match told.await? {
            Ok(wanted) => Ok(wanted),
            Err(failure) => {
                let in_a = read(self.diff.at_a);
                let told = self.a.look(self.context, "diff", in_a);
                told.await?.map_err(|_| failure)
            }
        }
    }

    async fn asked(
        &self,
        opened: &Opened,
        at: Option<u64>,
        wanted: &Wanted,
    ) -> Result<Asked, Failure> {
        let wanted = wanted.clone();
        let question = move |file: &dyn ReadAt| -> Result<Asked, LookError> {
            Ok(Asked {
                revision: at.unwrap_or(*look::revisions(file)?.end()),
                marked: marks(file, at, &wanted)?,
            })
        };
        opened.look(self.context, "diff", question).await
    }

    async fn tell(
        &self,
        keys: &Keys,
        [a, b]: [&Asked; 2],
        changes: &Changes<'_>,
        is_full: bool,
    ) -> Result<(), Failure> {
        let mut rows = Vec::new();
        for share in changes.shares(HELD) {
            let patches = if is_full {
                self.patches(keys, [a, b], share).await?
            } else {
                Vec::new()
            };
            match self.context.format {
                // Printed as they come: only the last share is held.
                Format::Text => output::print(&patches.concat())?,
                Format::Json => {
                    let mut patches = patches.into_iter();
                    rows.extend(
                        share
                            .iter()
                            .map(|change| Row::of(change, keys, patches.next())),
                    );
                }
            }
        }
        match self.context.format {
            Format::Json => output::json(&Document {
                a: Side::of(self.a, a),
                b: Side::of(self.b, b),
                created: changes.count(Nature::Created),
                deleted: changes.count(Nature::Deleted),
                changed: changes.count(Nature::Changed),
                same: changes.same,
                changes: rows,
            }),
            Format::Text if is_full => Ok(()),
            Format::Text => summary(changes),
        }
    }

    /// The differences of some keys, one text for each.
    async fn patches(
        &self,
        keys: &Keys,
        [a, b]: [&Asked; 2],
        share: &[Change<'_>],
    ) -> Result<Vec<String>, Failure> {
        let of = |side: fn(&Change<'_>) -> bool| -> Vec<Box<[u8]>> {
            let there = share.iter().filter(|change| side(change));
            there.map(|change| change.key().into()).collect()
        };
        let in_a = of(|change| change.a.is_some());
        let in_b = of(|change| change.b.is_some());
        let (at_a, at_b) = (Some(a.revision), Some(b.revision));
        let (in_a, in_b) = tokio::try_join!(
            self.a.look(self.context, "diff", move |file| patch::values(
                file, at_a, &in_a
            )),
            self.b.look(self.context, "diff", move |file| patch::values(
                file, at_b, &in_b
            )),
        )?;
        let manner = Manner {
            for_apply: false,
            show_secrets: self.diff.show_secrets,
        };
        Ok(share
            .iter()
            .map(|change| {
                let key = change.key();
                let sides = Sides {
                    a: in_a.get(key).map(|value| (a.revision, &**value)),
                    b: in_b.get(key).map(|value| (b.revision, &**value)),
                };
                patch::of(keys, key, sides, manner)
            })
            .collect())
    }
}

impl<'a> Side<'a> {
    fn of(opened: &'a Opened, asked: &Asked) -> Self {
        Self {
            location: &opened.location,
            revision: asked.revision,
        }
    }
}

impl<'a> Row<'a> {
    fn of(change: &Change<'a>, keys: &Keys, diff: Option<String>) -> Self {
        let side = |side: Option<&Marked>| side.map(|it| RevisionFields::of(&it.listed));
        Self {
            change: change.nature().word(),
            key: KeyFields::of(change.key(), keys),
            a: side(change.a),
            b: side(change.b),
            diff,
        }
    }
}

/// One line for each change, and one for all.
fn summary(changes: &Changes<'_>) -> Result<(), Failure> {
    let revision = |side: Option<&Marked>| match side {
        Some(it) => it.listed.mod_revision.to_string(),
        None => "-".to_owned(),
    };
    let rows = changes.all.iter().map(|change| {
        [
            change.nature().word().to_owned(),
            revision(change.a),
            revision(change.b),
            legible::line(change.key()),
        ]
    });
    output::pour(|out| {
        if !changes.all.is_empty() {
            output::columns(out, ["CHANGE", "A", "B", "KEY"], rows)?;
        }
        writeln!(
            out,
            "{} created, {} deleted, {} changed, {} the same",
            changes.count(Nature::Created),
            changes.count(Nature::Deleted),
            changes.count(Nature::Changed),
            changes.same
        )
    })
}
