//! Every version of one key that a snapshot still has.

use rollsnap_engine::look::{self, LookError, ReadAt};
use rollsnap_kube::Keys;
use serde::Serialize;

use super::legible;
use super::listed::{KeyFields, Listed, RevisionFields};
use crate::output::{self, Format, Size, Table};
use crate::report::Failure;

/// One change of a key.
#[derive(Debug)]
pub(super) struct Version {
    /// The main revision that made it.
    pub(super) revision: u64,
    /// What it wrote; `None` where it deleted.
    pub(super) put: Option<Listed>,
}

#[derive(Serialize)]
struct History<'a> {
    #[serde(flatten)]
    key: KeyFields<'a>,
    versions: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    revision: u64,
    /// `put` or `delete`.
    change: &'static str,
    #[serde(flatten)]
    put: Option<RevisionFields>,
}

pub(super) fn read(file: &dyn ReadAt, key: &[u8]) -> Result<Vec<Version>, LookError> {
    let mut versions = Vec::new();
    look::versions(file, key, &mut |change, record| {
        versions.push(Version {
            revision: change.revision.main,
            put: (!change.is_tombstone).then(|| Listed::of(&record)),
        });
    })?;
    Ok(versions)
}

pub(super) fn print(
    is_json: bool,
    key: &[u8],
    keys: &Keys,
    versions: &[Version],
) -> Result<(), Failure> {
    let rows = versions.iter().map(|version| Row {
        revision: version.revision,
        change: version.word(),
        put: version.put.as_ref().map(RevisionFields::of),
    });
    let history = History {
        key: KeyFields::of(key, keys),
        versions: rows.collect(),
    };
    let format = if is_json { Format::Json } else { Format::Text };
    output::tell(format, &history, || {
        format!("{}\n{}", legible::line(key), table(versions).render())
    })
}

fn table(versions: &[Version]) -> Table {
    let mut table = Table::new(&["REVISION", "CHANGE", "VERSION", "CREATED", "SIZE"]);
    for version in versions {
        let mut row = vec![version.revision.to_string(), version.word().to_owned()];
        row.extend(match &version.put {
            Some(put) => [
                put.version.to_string(),
                put.create_revision.to_string(),
                Size(put.size).to_string(),
            ],
            None => ["-", "-", "-"].map(str::to_owned),
        });
        table.push(row);
    }
    table
}

impl Version {
    fn word(&self) -> &'static str {
        match self.put {
            Some(_) => "put",
            None => "delete",
        }
    }
}
