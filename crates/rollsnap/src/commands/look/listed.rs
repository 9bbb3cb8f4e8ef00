//! Keys without their values, as lists of them are held and printed.

use std::ops::ControlFlow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rollsnap_engine::look::{self, LookError, OwnedKey, ReadAt, Record};
use rollsnap_kube::Keys;
use serde::{Serialize, Serializer};

use super::wanted::Wanted;

/// A key that is alive, and what is known of it beside its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) key: Box<[u8]>,
    pub(super) create_revision: i64,
    pub(super) mod_revision: i64,
    pub(super) version: i64,
    pub(super) lease: i64,
    /// Bytes of the value.
    pub(super) size: u64,
}

impl Listed {
    pub(super) fn of(record: &Record<'_>) -> Self {
        Self {
            key: record.key.into(),
            create_revision: record.create_revision,
            mod_revision: record.mod_revision,
            version: record.version,
            lease: record.lease,
            size: record.value.len() as u64,
        }
    }

    pub(super) fn of_found(found: &OwnedKey) -> Self {
        Self {
            key: found.key.as_slice().into(),
            create_revision: found.create_revision,
            // etcd counts in signed numbers, and so does everybody who asks it.
            mod_revision: found.revision.main.cast_signed(),
            version: found.version,
            lease: found.lease,
            size: found.value.len() as u64,
        }
    }
}

/// Every wanted key that is alive at a revision, sorted by key.
///
/// Memory: each key and 56 bytes.
pub(super) fn list(
    file: &dyn ReadAt,
    at: Option<u64>,
    wanted: &Wanted,
) -> Result<Vec<Listed>, LookError> {
    let mut keys = Vec::new();
    look::live(file, at, wanted.prefix(), &mut |live| {
        if wanted.has(live.record.key) {
            keys.push(Listed::of(&live.record));
        }
        ControlFlow::Continue(())
    })?;
    keys.sort_unstable_by(|a, b| a.key.cmp(&b.key));
    Ok(keys)
}

/// A key in JSON: as text where it is text.
#[derive(Serialize)]
pub(super) struct KeyFields<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

impl<'a> KeyFields<'a> {
    pub(super) fn of(key: &'a [u8], keys: &Keys) -> Self {
        let text = std::str::from_utf8(key).ok();
        let object = keys.parse(key);
        Self {
            key: text,
            key_base64: text.is_none().then(|| STANDARD.encode(key)),
            group: object.map(|it| it.group).filter(|group| !group.is_empty()),
            resource: object.map(|it| it.resource),
            namespace: object.and_then(|it| it.namespace),
            name: object.map(|it| it.name),
        }
    }
}

/// When a key was written, in JSON.
#[derive(Serialize)]
pub(super) struct RevisionFields {
    create_revision: i64,
    mod_revision: i64,
    version: i64,
    /// In hexadecimal, as etcdctl takes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    lease: Option<String>,
    size: u64,
}

impl RevisionFields {
    pub(super) fn of(listed: &Listed) -> Self {
        Self {
            create_revision: listed.create_revision,
            mod_revision: listed.mod_revision,
            version: listed.version,
            lease: (listed.lease != 0).then(|| format!("{:x}", listed.lease)),
            size: listed.size,
        }
    }
}

/// Keys as a JSON list, made while it is written.
pub(super) struct Rows<'a> {
    pub(super) listed: &'a [Listed],
    pub(super) keys: &'a Keys,
}

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Row<'a> {
            #[serde(flatten)]
            key: KeyFields<'a>,
            #[serde(flatten)]
            revisions: RevisionFields,
        }
        serializer.collect_seq(self.listed.iter().map(|listed| Row {
            key: KeyFields::of(&listed.key, self.keys),
            revisions: RevisionFields::of(listed),
        }))
    }
}
