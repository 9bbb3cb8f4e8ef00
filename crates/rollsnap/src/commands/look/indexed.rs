//! One key by the index beside a snapshot, without reading the snapshot through.

use rollsnap_engine::Kind;
use rollsnap_engine::look::{self, IndexError, LookError, OwnedKey, ReadAt, get_by_index};
use rollsnap_kube::{Keys, Scope, Selection};

use super::definitions::definition;
use crate::cli::look::What;
use crate::report::{Failure, chain};

/// What an index told.
#[derive(Debug)]
pub(super) enum Told {
    /// The key.
    Key(Keys, Box<OwnedKey>),
    /// That it is absent.
    Absent,
    /// Nothing: the question needs all records.
    Nothing,
    /// Nothing that is believed, and why.
    Doubt(String),
}

/// Asks for the one key that is meant at revision `at` (by default the last).
pub(super) fn ask(
    file: &dyn ReadAt,
    index: &dyn ReadAt,
    what: &What,
    at: Option<u64>,
) -> Result<Told, LookError> {
    if let Some(at) = at
        && at != *look::revisions(file)?.end()
    {
        return Ok(Told::Nothing);
    }
    let keys = Keys::new(&what.etcd_prefix);
    let get = |key: &[u8]| get_by_index(file, index, key);
    let found = match meant(what, &keys, get) {
        Ok(None) => return Ok(Told::Nothing),
        Ok(Some(key)) => get(&key),
        Err(error) => Err(error),
    };
    match found {
        Ok(Some(found)) => Ok(Told::Key(keys, Box::new(found))),
        Ok(None) => Ok(Told::Absent),
        Err(IndexError::Snapshot(error)) => Err(error),
        Err(doubt) => Ok(Told::Doubt(chain(&doubt))),
    }
}

/// That there is no such key, where only reading everything could tell more.
pub(super) fn absent(what: &What) -> Failure {
    Failure::new(Kind::Usage, format!("get {what}: there is none"))
        .with_hint("rollsnap ls shows what there is")
}

/// The key that is meant, where that follows from the words. Of a custom resource the definition
/// tells whether it has namespaces.
fn meant(
    what: &What,
    keys: &Keys,
    get: impl Fn(&[u8]) -> Result<Option<OwnedKey>, IndexError>,
) -> Result<Option<Vec<u8>>, IndexError> {
    let Some(words) = &what.words else {
        return Ok(None);
    };
    let (namespace, name) = (what.namespace.as_deref(), what.name.as_deref());
    if what.raw || words.starts_with('/') {
        // What else was said beside a raw key is for others to refuse.
        let is_alone = namespace.is_none() && name.is_none();
        return Ok(is_alone.then(|| words.clone().into_bytes()));
    }
    let Ok(selection) = keys.select(words, namespace, name) else {
        return Ok(None);
    };
    if selection.scope != Scope::Unknown {
        return Ok(exact(selection));
    }
    let full = format!("{}.{}", selection.resource, selection.group);
    let definitions = keys.select("customresourcedefinitions", None, Some(&full));
    let Some(key) = definitions.ok().and_then(exact) else {
        return Ok(None);
    };
    let Some(definition) = get(&key)?.and_then(|found| definition(&found.value)) else {
        return Ok(None);
    };
    if definition.is_namespaced {
        return Ok(exact(selection));
    }
    let own_name = words.split_once('/').map(|(_, name)| name);
    let name = name.or(own_name).filter(|name| !name.is_empty());
    let all = keys.select(&definition.full, None, None);
    let prefix = all.ok().map(|all| all.prefix);
    Ok(prefix
        .zip(name)
        .map(|(prefix, name)| [&prefix, name.as_bytes()].concat()))
}

fn exact(selection: Selection) -> Option<Vec<u8>> {
    selection.exact.then_some(selection.prefix)
}
