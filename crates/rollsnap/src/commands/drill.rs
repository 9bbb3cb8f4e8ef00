//! `rollsnap drill`: a restore rehearsed, and the word of it beside the snapshot.

use std::path::PathBuf;
use std::sync::Arc;

use rollsnap_engine::drill::{self, Boot, DrillError, Drilled, Ears, Order, Step};
use rollsnap_engine::image::Scratch;
use rollsnap_engine::manifest::{self, Outcome};
use rollsnap_engine::{Kind, proof};
use rollsnap_rke::duration;
use rollsnap_store::Store;
use serde::Serialize;
use tokio::runtime::Handle;

use super::Context;
use super::opened::{Opened, blocking};
use super::progress::Bar;
use super::restore::Source;
use crate::assembly;
use crate::cli::drill::Drill;
use crate::cli::restore::Restore;
use crate::config::Settings;
use crate::output;
use crate::report::{Failure, chain};

#[derive(Serialize)]
struct Report<'a> {
    name: &'a str,
    location: &'a str,
    result: Outcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    finding: Option<&'a str>,
    /// Of the restore alone.
    seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keys: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    boot: Option<&'a manifest::Boot>,
    /// Whether that was written into its manifest.
    recorded: bool,
}

/// Deals with a stop itself: what was made is removed before the end.
pub(super) async fn run(context: &Context, request: &Drill) -> Result<(), Failure> {
    let settings = Settings::read(context.inputs()).0;
    let order = order(context, request, &settings)?;
    let source = Restore {
        snapshot: Some(request.snapshot.clone()),
        from_s3: request.from_s3,
        ..Restore::default()
    };
    let opened = tokio::select! {
        biased;
        () = context.orders.stop.cancelled() => return Err(failure("", &DrillError::Stopped)),
        source = Source::open(context, "drill", &source) => source?.opened,
    };
    let drilled = act(context, &opened, order).await?;
    // Whoever leaves the digest out has not shown what is to be written down: that it can be restored.
    let recorded = !request.skip_hash_check && record(context, &settings, &opened, &drilled).await;
    let report = Report {
        name: &opened.name,
        location: &opened.location,
        result: drilled.result,
        finding: drilled.finding.as_deref(),
        seconds: drilled.took.as_secs_f64(),
        revision: drilled.revision,
        keys: drilled.keys,
        boot: drilled.boot.as_ref(),
        recorded,
    };
    output::tell(context.format, &report, || report.text())?;
    let Some(finding) = &drilled.finding else {
        return Ok(());
    };
    let message = format!("drill {}: {finding}", opened.location);
    let hint = match drilled.result {
        Outcome::Corrupt => "rollsnap verify tells everything that is wrong with it",
        _ => "it was restored; try another etcd, or none",
    };
    Err(Failure::new(Kind::Corrupt, message).with_hint(hint))
}

fn order(context: &Context, request: &Drill, settings: &Settings) -> Result<Order, Failure> {
    let limit = duration::parse(&request.boot_timeout).map_err(|wrong| {
        let what = format!("--boot-timeout {}: {}", request.boot_timeout, wrong.what);
        Failure::new(Kind::Usage, what).with_hint(wrong.cure)
    })?;
    let configured = settings.drill.boot.as_ref().map(|boot| boot.value.clone());
    let program = request.boot.as_ref().map(PathBuf::from).or(configured);
    Ok(Order {
        scratch: scratch(settings).dir().to_owned(),
        boot: program.map(|program| Boot { program, limit }),
        skip_hash_check: request.skip_hash_check,
        at: context.clock.now(),
    })
}

/// Where drills are held: as told, else beside the snapshots, else where temporary files are. A whole
/// data directory is no small thing: `/tmp` is memory on many machines.
fn scratch(settings: &Settings) -> Scratch {
    if settings.scratch.is_none() && !settings.dir.value.is_dir() {
        return Scratch::new(std::env::temp_dir());
    }
    assembly::scratch(settings)
}

async fn act(context: &Context, opened: &Opened, order: Order) -> Result<Drilled, Failure> {
    let bar = Bar::new();
    bar.say(format!("drill {}", opened.name));
    let bytes = opened.image.bytes();
    let (stop, runtime) = (context.orders.stop.clone(), Handle::current());
    let done = blocking(move || {
        let ears = Ears {
            stop: &|| stop.is_cancelled(),
            tell: &|step, done, total| match step {
                Step::Restore => bar.at(done, total),
                Step::Compare => bar.say("compares what was restored".to_owned()),
                Step::Boot => bar.say("waits for etcd".to_owned()),
            },
        };
        drill::drill(&*bytes, &order, &runtime, &ears)
    });
    done.await?
        .map_err(|error| failure(&opened.location, &error))
}

/// Writes into the manifest beside the snapshot what came of it, where it is one of the directory's
/// or of the bucket's. What keeps that from being written changes nothing of the answer.
async fn record(
    context: &Context,
    settings: &Settings,
    opened: &Opened,
    drilled: &Drilled,
) -> bool {
    let Some(before) = &opened.manifest else {
        return false;
    };
    let local = assembly::local_to_read(settings).ok();
    let local = local.map(|local| Arc::new(local) as Arc<dyn Store>);
    let remote = assembly::remote(settings).ok().flatten();
    // The directory may have been given by a path that is not whole.
    let whole = |path: &str| std::path::absolute(path).ok();
    let is_there = |store: &Arc<dyn Store>| {
        let place = format!("{}/{}", store.location(), opened.name);
        opened.location == place || whole(&opened.location) == whole(&place)
    };
    let Some(store) = local.into_iter().chain(remote).find(is_there) else {
        return false;
    };
    let after = before.with_drill(Some(drilled.to_drill(context.clock.now())));
    match proof::exchange(&*store, before, &after).await {
        Ok(recorded) => recorded,
        Err(error) => {
            let why = chain(&error);
            let name = &opened.name;
            output::complain(&format!(
                "rollsnap: what came of the drill is not written into the manifest of {name}: {why}"
            ));
            false
        }
    }
}

fn failure(location: &str, error: &DrillError) -> Failure {
    let message = format!("drill {location}: {}", chain(error));
    let failure = Failure::new(error.kind(), message.replace(" : ", ": "));
    match error.hint() {
        Some(hint) => failure.with_hint(hint),
        None => failure,
    }
}

impl Report<'_> {
    fn text(&self) -> String {
        let mut lines = vec![format!(
            "drill of {}: {}",
            self.location,
            self.result.as_str()
        )];
        if let (Some(revision), Some(keys)) = (self.revision, self.keys) {
            let took = self.seconds;
            lines.push(format!(
                "restored in {took:.1} s: revision {revision}, {keys} keys"
            ));
        }
        if let Some(manifest::Boot { etcd_version, took }) = self.boot {
            let took = took.as_secs_f64();
            let same = match self.result {
                Outcome::Held => ", with the same keys",
                _ => "",
            };
            lines.push(format!(
                "etcd {etcd_version} answered after {took:.1} s{same}"
            ));
        }
        if !self.recorded {
            lines.push("not written into a manifest".to_owned());
        }
        lines.push(String::new());
        lines.join("\n")
    }
}
