//! The one key that somebody means, and what to say where there is none.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use rollsnap_engine::Kind;
use rollsnap_engine::look::{self, LookError, ReadAt};
use rollsnap_kube::Selection;
use rollsnap_rke::nearest;

use super::history::{self, Version};
use super::legible;
use super::wanted::{Choice, Wanted};
use crate::cli::look::What;
use crate::report::Failure;

/// Names that are compared with one that is not there.
const MOST_NAMES: usize = 10_000;

/// One key.
pub(super) struct Found {
    pub(super) wanted: Wanted,
    pub(super) key: Vec<u8>,
}

/// The key that is meant, whether it is there or not. Without a namespace, an object of that name
/// in any is meant, if there is only one: to know that takes two passes.
pub(super) fn find(
    file: &dyn ReadAt,
    what: &What,
    at: Option<u64>,
) -> Result<Result<Found, Failure>, LookError> {
    let wanted = match Wanted::read(what, file, at)? {
        Ok(wanted) => wanted,
        Err(failure) => return Ok(Err(failure)),
    };
    let usage = |message: String| Failure::new(Kind::Usage, message);
    let key = match &wanted.choice {
        Choice::Raw(key) => key.clone(),
        Choice::Objects { selection, .. } if selection.exact => selection.prefix.clone(),
        Choice::Objects { name: Some(_), .. } => {
            let mut keys = matching(file, at, &wanted)?;
            match (keys.pop(), keys.pop()) {
                (Some(key), None) => key,
                (None, _) => {
                    return Ok(Err(absent(file, &wanted, what, &[], at)?));
                }
                (Some(one), Some(another)) => {
                    let namespace = |key: &[u8]| {
                        let object = wanted.keys.parse(key);
                        let namespace = object.and_then(|it| it.namespace).unwrap_or("none");
                        legible::line(namespace.as_bytes())
                    };
                    let message = format!(
                        "get {what}: there is one in namespace {}, and one in {}",
                        namespace(&another),
                        namespace(&one)
                    );
                    return Ok(Err(usage(message).with_hint("say which by -n NAMESPACE")));
                }
            }
        }
        Choice::Objects { .. } | Choice::All { .. } => {
            let message = format!("get {what}: the object's name is missing");
            return Ok(Err(usage(message).with_hint("rollsnap ls shows the names")));
        }
    };
    Ok(Ok(Found { wanted, key }))
}

/// The wanted keys that are alive, in order. The caller wants to know of two at most.
fn matching(
    file: &dyn ReadAt,
    at: Option<u64>,
    wanted: &Wanted,
) -> Result<Vec<Vec<u8>>, LookError> {
    let mut keys = Vec::new();
    look::live(file, at, wanted.prefix(), &mut |live| {
        if wanted.has(live.record.key) {
            keys.push(live.record.key.to_vec());
        }
        match keys.len() {
            0 | 1 => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        }
    })?;
    keys.sort();
    Ok(keys)
}

/// Why there is no such key, and what was perhaps meant. `key` is empty where the words leave it
/// open.
pub(super) fn absent(
    file: &dyn ReadAt,
    wanted: &Wanted,
    what: &What,
    key: &[u8],
    at: Option<u64>,
) -> Result<Failure, LookError> {
    let revisions = look::revisions(file)?;
    let at = at.unwrap_or(*revisions.end());
    let message = if at == *revisions.end() {
        format!("get {what}: there is none")
    } else {
        format!("get {what}: there is none at revision {at}")
    };
    let mut hints = Vec::new();
    if !key.is_empty() {
        let versions = history::read(file, key)?;
        hints.extend(elsewhen(&versions, at, *revisions.start()));
    }
    if hints.is_empty() {
        hints.extend(nearby(file, wanted, key, at)?);
    }
    let failure = Failure::new(Kind::Usage, message);
    Ok(match hints.first() {
        Some(hint) => failure.with_hint(hint),
        None => failure.with_hint("rollsnap ls shows what there is"),
    })
}

/// When it was there instead.
fn elsewhen(versions: &[Version], at: u64, first: u64) -> Option<String> {
    let before = versions.iter().rfind(|version| version.revision <= at);
    if let Some(deleted) = before.filter(|version| version.put.is_none()) {
        let revision = deleted.revision;
        let last = revision.saturating_sub(1);
        return Some(if last < first {
            format!("it was deleted at revision {revision}, and what it was is compacted")
        } else {
            format!("it was deleted at revision {revision}; --rev {last} shows what it was")
        });
    }
    let after = versions.iter().find(|version| version.revision > at)?;
    Some(format!("it was created at revision {}", after.revision))
}

/// What is called alike, or is called so elsewhere.
fn nearby(
    file: &dyn ReadAt,
    wanted: &Wanted,
    key: &[u8],
    at: u64,
) -> Result<Option<String>, LookError> {
    match &wanted.choice {
        Choice::Objects {
            selection,
            name: Some(name),
        } => alike(file, wanted, selection, name, at),
        Choice::Objects { .. } | Choice::All { .. } => Ok(None),
        Choice::Raw(_) => {
            let slash = key.iter().rposition(|byte| *byte == b'/');
            let (parent, last) = key.split_at(slash.map_or(0, |slash| slash + 1));
            let mut names = BTreeSet::new();
            look::live(file, Some(at), parent, &mut |live| {
                let rest = live.record.key.strip_prefix(parent).unwrap_or_default();
                names.extend(std::str::from_utf8(rest).ok().map(str::to_owned));
                enough(names.len())
            })?;
            let Ok(last) = std::str::from_utf8(last) else {
                return Ok(None);
            };
            let below = names.iter().find(|name| name.starts_with(last));
            let meant = nearest(last, names.iter().map(String::as_str)).or(below.map(|it| &**it));
            Ok(meant.map(|meant| {
                let parent = legible::line(parent);
                format!("there is {parent}{}", legible::line(meant.as_bytes()))
            }))
        }
    }
}

fn alike(
    file: &dyn ReadAt,
    wanted: &Wanted,
    selection: &Selection,
    name: &str,
    at: u64,
) -> Result<Option<String>, LookError> {
    let text = |text: &str| legible::line(text.as_bytes());
    let all = wanted.keys.select(&full_name(selection), None, None);
    let Ok(all) = all else { return Ok(None) };
    let mut names = BTreeSet::new();
    let mut elsewhere = None;
    look::live(file, Some(at), &all.prefix, &mut |live| {
        if let Some(object) = wanted.keys.parse(live.record.key)
            && all.matches(&object)
        {
            if object.name == name {
                elsewhere = object.namespace.map(str::to_owned).or(elsewhere.take());
            }
            names.insert(object.name.to_owned());
        }
        enough(names.len())
    })?;
    if let Some(namespace) = elsewhere {
        return Ok(Some(format!(
            "there is one in namespace {}",
            text(&namespace)
        )));
    }
    let meant = nearest(name, names.iter().map(String::as_str));
    Ok(meant.map(|meant| format!("did you mean {}?", text(meant))))
}

/// A resource as `kubectl` takes it.
fn full_name(selection: &Selection) -> String {
    match &*selection.group {
        "" => selection.resource.clone(),
        group => format!("{}.{group}", selection.resource),
    }
}

fn enough(names: usize) -> ControlFlow<()> {
    if names < MOST_NAMES {
        return ControlFlow::Continue(());
    }
    ControlFlow::Break(())
}
