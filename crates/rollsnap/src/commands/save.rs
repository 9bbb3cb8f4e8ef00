//! `rollsnap save`: one snapshot now, kept until somebody deletes it.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rollsnap_engine::catalog::Reader;
use rollsnap_engine::manifest::{Class, Manifest};
use rollsnap_engine::pipeline::{Order, Saved};
use rollsnap_engine::reconcile::complete_drafts;
use rollsnap_engine::{Kind, SnapshotName};
use rollsnap_rke::duration::GoDuration;
use serde::Serialize;

use super::Context;
use crate::assembly;
use crate::journal;
use crate::output::{self, Format, Size};
use crate::report::Failure;

#[derive(Serialize)]
struct Report<'a> {
    snapshot: &'a Manifest,
    seconds: f64,
    path: String,
    /// Where the copy is; absent without a bucket.
    #[serde(skip_serializing_if = "Option::is_none")]
    remote: Option<String>,
}

pub(super) async fn run(context: &Context, name: Option<&str>) -> Result<(), Failure> {
    let settings = context.settings()?;
    journal::tell_settings(&settings.report());
    let style = settings.making.time_style.value;
    let name = match name {
        Some(name) => SnapshotName::new(name)?,
        None => SnapshotName::one_off(context.clock.now(), style),
    };
    let local = assembly::local(&settings)?;
    let pipeline = assembly::pipeline(&settings, &local, &context.clock)?;
    complete_drafts(&local, &*pipeline.drafts).await?;
    let known = Reader::default().read(&local).await?;
    if known.find(&name).is_some() {
        let message = format!("save {name}: a snapshot of this name is already there");
        return Err(Failure::new(Kind::Usage, message)
            .with_hint("choose another name, or delete that snapshot first"));
    }
    let after = known.newest().map_or(0, |manifest| manifest.order);
    let bar = progress_bar();
    let order = Order {
        name,
        class: Class::OneOff,
        after,
    };
    let saved = pipeline
        .save(&order, &|done, total| {
            bar.set_length(total);
            bar.set_position(done);
        })
        .await;
    bar.finish_and_clear();
    let Saved {
        manifest,
        took,
        upload,
    } = saved?;

    let mut remote = None;
    let mut failure = None;
    if let (Some(upload), Some(store)) = (upload, &pipeline.remote) {
        match upload.commit(&manifest).await {
            Ok(_) => remote = Some(store.location().to_string()),
            Err(error) => failure = Some(not_copied(&manifest, error)),
        }
    }
    tell(context.format, &manifest, took, &settings.dir.value, remote);
    failure.map_or(Ok(()), Err)
}

/// The snapshot stands all the same, and a daemon on this directory will copy it.
fn not_copied(manifest: &Manifest, error: rollsnap_store::StoreError) -> Failure {
    let cause = Failure::from(error);
    Failure {
        message: format!(
            "{} is saved, but not copied: {}",
            manifest.name, cause.message
        ),
        hint: cause
            .hint
            .or_else(|| Some(format!("try rollsnap upload {}", manifest.name))),
        ..cause
    }
}

fn tell(
    format: Format,
    manifest: &Manifest,
    took: Duration,
    dir: &std::path::Path,
    remote: Option<String>,
) {
    let object = manifest.name.stored(manifest.stored.codec);
    let path = dir.join(object.as_str()).display().to_string();
    match format {
        Format::Json => {
            let seconds = took.as_secs_f64();
            output::print_json(&Report {
                snapshot: manifest,
                seconds,
                path,
                remote,
            });
        }
        Format::Text => {
            let size = Size(manifest.stored.content.size);
            let runtime = GoDuration(Duration::from_millis(
                u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            ));
            let copy = remote
                .map(|remote| format!(", copied to {remote}"))
                .unwrap_or_default();
            let revision = manifest.revision;
            output::print(&format!(
                "{path}  {size}, revision {revision}, proved in {runtime}{copy}\n"
            ));
        }
    }
}

/// A bar on a terminal, nothing elsewhere: the line at the end says it all.
fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
    let style = "{bar:30} {percent:>3}% {bytes}/{total_bytes} {bytes_per_sec} {eta}";
    bar.with_style(
        ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()),
    )
}
