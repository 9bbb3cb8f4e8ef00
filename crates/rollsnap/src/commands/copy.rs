//! `rollsnap upload NAME` and `rollsnap download NAME`: one snapshot to the other store, proved
//! on the way.

use rollsnap_engine::catalog::{Entry, Reader, Standing};
use rollsnap_engine::manifest::Verdict;
use rollsnap_engine::mirror::Copied;
use rollsnap_engine::{Kind, Manifest, SnapshotName, key_index, mirror};
use rollsnap_store::{Location, Store};
use serde::Serialize;

use super::Context;
use super::progress::Bar;
use crate::assembly;
use crate::output;
use crate::report::Failure;

#[derive(Serialize)]
struct Report {
    name: String,
    from: String,
    to: String,
    /// Whether it was there already, whole.
    already_there: bool,
    /// Whether it took the place of a copy that was broken.
    replaced: bool,
}

pub(super) async fn upload(context: &Context, name: &str) -> Result<(), Failure> {
    let settings = context.settings()?;
    let local = assembly::local_to_read(&settings)?;
    let remote = context.tend(assembly::remote_needed(&settings)?);
    copy(context, "upload", name, &local, &*remote).await
}

pub(super) async fn download(context: &Context, name: &str) -> Result<(), Failure> {
    let settings = context.settings()?;
    let local = assembly::local(&settings)?;
    let remote = assembly::remote_needed(&settings)?;
    copy(context, "download", name, &*remote, &local).await
}

/// Only what is proved is copied: whoever wants the bytes all the same can copy the file.
fn unproved(verb: &str, location: &Location, entry: &Entry, standing: &Standing) -> Failure {
    let why = match standing {
        Standing::Suspect(why) => why,
        Standing::Corrupt(told) if told.is_of_broken_copy() => "it was read back and is broken",
        Standing::Corrupt(_) => "its database is broken",
        _ => "it has no manifest",
    };
    let name = &entry.name;
    let object = entry.object();
    let message = format!("{verb} {name}: {location}/{object} is not proved: {why}");
    let hint = match standing {
        Standing::Corrupt(_) => {
            "rollsnap verify tells what is wrong with it; where another copy holds, that one replaces it"
        }
        _ => "check it by hand: etcdutl snapshot status, then copy the file itself",
    };
    Failure::new(Kind::Corrupt, message).with_hint(hint)
}

async fn copy(
    context: &Context,
    verb: &str,
    name: &str,
    from: &dyn Store,
    to: &dyn Store,
) -> Result<(), Failure> {
    let name = SnapshotName::new(name)?;
    let source = Reader::default().read(from).await?;
    let Some(entry) = source.find(&name) else {
        let message = format!(
            "{verb} {name}: there is no such snapshot in {}",
            from.location()
        );
        return Err(Failure::new(Kind::Usage, message).with_hint("rollsnap list shows all names"));
    };
    let manifest = match &entry.standing {
        Standing::Proved(manifest) | Standing::Disputed(manifest) => manifest,
        standing => return Err(unproved(verb, from.location(), entry, standing)),
    };
    let target = Reader::default().read(to).await?;
    let same = |there: &Manifest| {
        let is_broken = there.is_of_broken_copy() || there.verdict() == Some(Verdict::Corrupt);
        there.stored.content == manifest.stored.content && !is_broken
    };
    let already_there = target
        .find(&name)
        .and_then(Entry::manifest)
        .is_some_and(same);
    let mut replaced = false;
    if !already_there {
        let bar = Bar::new();
        bar.say(format!("to {}", to.location()));
        let from = bar.watching(from, entry.size);
        // How another copy reads says nothing of this one.
        let manifest = manifest.with_reading(None);
        let copied = mirror::copy(&from, to, entry, &manifest).await?;
        replaced = copied == Copied::Replaced;
    }
    if source.indexed.contains(&name) && !target.indexed.contains(&name) {
        key_index::copy(from, to, &name).await?;
    }
    let report = Report {
        name: name.to_string(),
        from: from.location().to_string(),
        to: to.location().to_string(),
        already_there,
        replaced,
    };
    output::tell(context.format, &report, || {
        if already_there {
            format!("{name} is in {} already\n", report.to)
        } else if replaced {
            let to = &report.to;
            format!("copied {name} to {to}, in the place of a copy that was broken\n")
        } else {
            format!("copied {name} to {}\n", report.to)
        }
    })
}
