//! `rollsnap verify --remote`: whether the bucket's copies still are what was uploaded.
//!
//! Only their bytes are asked, by the digest that their manifests tell, and when each was last
//! seen whole is written there. What the databases in them are worth is another question, which
//! `rollsnap verify s3://…` answers.

use rollsnap_engine::catalog::{Entry, Reader, Standing};
use rollsnap_engine::{Kind, Manifest, image, read_back};
use rollsnap_store::{ObjectName, Store, StoreError};
use tokio::time::Instant;

use super::row::Row;
use super::{conclude, tell};
use crate::assembly;
use crate::commands::Context;
use crate::commands::progress::Bar;
use crate::output;
use crate::report::{Failure, chain};

/// One copy.
struct Copy {
    object: ObjectName,
    size: u64,
    /// What it must be, or why nobody knows.
    told: Result<Manifest, String>,
}

/// Reads back the copies of these names, without any all that have a manifest.
pub(in crate::commands) async fn run(context: &Context, names: &[String]) -> Result<(), Failure> {
    let settings = context.settings()?;
    let remote = context.tend(assembly::remote_needed(&settings)?);
    let mut copies = Vec::new();
    let mut rows = Vec::new();
    let mut first = None;
    for name in names {
        if name.contains("://") {
            let message = format!("verify --remote {name}: is an address");
            return Err(Failure::new(Kind::Usage, message).with_hint(
                "give the name alone, as list shows it; verify s3://… looks inside it",
            ));
        }
        match named(&*remote, name).await {
            Ok(copy) => copies.push(copy),
            Err(failure) => {
                rows.push(tell(context, Row::unreadable(name, &failure))?);
                first.get_or_insert(failure);
            }
        }
    }
    if names.is_empty() {
        copies = all(&*remote).await?;
    }
    for copy in &copies {
        let began = Instant::now();
        let mut row = match one(context, &*remote, copy).await {
            Ok(row) => row,
            Err(error) => {
                let failure = Failure::from(error);
                let row = Row::unreadable(copy.object.as_str(), &failure);
                first.get_or_insert(failure);
                row
            }
        };
        row.seconds = began.elapsed().as_secs_f64();
        rows.push(tell(context, row)?);
    }
    let hint = "rollsnap upload NAME replaces one that the directory still has";
    conclude(context, rows, first, hint)
}

/// Every copy that a manifest tells of.
async fn all(remote: &dyn Store) -> Result<Vec<Copy>, Failure> {
    let catalog = Reader::default().read(remote).await?;
    let copies: Vec<_> = catalog.entries.iter().filter_map(Copy::of).collect();
    if copies.is_empty() {
        let place = remote.location();
        let message = format!("verify --remote: there are no snapshots with a manifest in {place}");
        return Err(
            Failure::new(Kind::Usage, message).with_hint("rollsnap list shows all there is")
        );
    }
    Ok(copies)
}

/// The copy of that name.
async fn named(remote: &dyn Store, name: &str) -> Result<Copy, Failure> {
    let place = remote.location();
    let unknown = |what: &str| {
        let message = format!("verify --remote {name}: {what} in {place}");
        Failure::new(Kind::Usage, message)
    };
    let Some(found) = image::find(remote, name).await? else {
        let failure = unknown("there is no such snapshot");
        return Err(failure.with_hint("rollsnap list shows all names"));
    };
    let object = found.object;
    let told = match (found.manifest, found.doubt) {
        (Some(manifest), _) => Ok(manifest),
        (None, Some(doubt)) => Err(doubt),
        (None, None) => {
            let failure = unknown("it has no manifest to be compared with");
            let hint = format!("rollsnap verify {place}/{} looks inside it", object.name);
            return Err(failure.with_hint(hint));
        }
    };
    Ok(Copy {
        object: object.name,
        size: object.size,
        told,
    })
}

impl Copy {
    fn of(entry: &Entry) -> Option<Self> {
        let told = match &entry.standing {
            Standing::Foreign => return None,
            Standing::Suspect(why) => Err(why.clone()),
            Standing::Proved(told) | Standing::Disputed(told) | Standing::Corrupt(told) => {
                Ok(Manifest::clone(told))
            }
        };
        Some(Self {
            object: entry.object(),
            size: entry.size,
            told,
        })
    }
}

/// Reads one, and writes down what was found.
async fn one(context: &Context, remote: &dyn Store, copy: &Copy) -> Result<Row, StoreError> {
    let location = format!("{}/{}", remote.location(), copy.object);
    let manifest = match &copy.told {
        Ok(manifest) => manifest,
        Err(why) => return Ok(Row::doubtful(copy.object.as_str(), &location, why)),
    };
    let reading = {
        let bar = Bar::new();
        bar.say(format!("verify {}", copy.object));
        let watched = bar.watching(remote, copy.size);
        read_back::read_back(&watched, manifest, &*context.clock).await?
    };
    let mut row = Row::read_back(copy.object.as_str(), &location, &reading);
    row.recorded = match read_back::record(remote, manifest, &reading).await {
        Ok(recorded) => recorded,
        Err(error) => {
            output::complain(&format!(
                "rollsnap: what was found of {location} is not written into its manifest: {}",
                chain(&error)
            ));
            false
        }
    };
    Ok(row)
}
