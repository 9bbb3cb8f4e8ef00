//! The snapshot that is meant: by name as every verb takes it, or the newest that fits.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use rollsnap_engine::catalog::Reader;
use rollsnap_engine::image::Access;
use rollsnap_engine::restore::{Choice, ChoiceError};
use rollsnap_engine::{Catalog, Entry, Kind, Manifest};
use rollsnap_store::Store;

use super::super::Context;
use super::super::opened::Opened;
use super::super::operand::Operand;
use crate::assembly;
use crate::cli::restore::Restore;
use crate::config::Settings;
use crate::report::{Failure, chain};

/// A snapshot, open, and what else is known of its cluster.
pub(in crate::commands) struct Source {
    pub(in crate::commands) opened: Opened,
    /// The manifests of directory and bucket, as far as they could be read.
    pub(super) known: Vec<Manifest>,
    /// Why a place was not looked into.
    pub(super) unseen: Vec<String>,
}

impl Source {
    /// For this verb, in the words of what cannot be found.
    pub(in crate::commands) async fn open(
        context: &Context,
        verb: &str,
        request: &Restore,
    ) -> Result<Self, Failure> {
        let settings = Settings::read(context.inputs()).0;
        let stores = stores(&settings, request.from_s3)?;
        let choice = choice(request)?;
        let mut catalogs = Vec::new();
        let mut unseen = Vec::new();
        for store in &stores {
            match Reader::default().read(&**store).await {
                Ok(catalog) => catalogs.push((Arc::clone(store), catalog)),
                Err(error) if request.from_s3 => return Err(error.into()),
                // The newest may be there.
                Err(error) if choice.is_some() => {
                    let hint = "name the snapshot, or leave the bucket out with --s3=false";
                    return Err(Failure::from(error).with_hint(hint));
                }
                Err(error) => unseen.push(chain(&error)),
            }
        }
        let known = catalogs
            .iter()
            .flat_map(|(_, catalog)| catalog.manifests().cloned())
            .collect();
        let operand = request.snapshot.as_deref().unwrap_or_default();
        let opened = match choice {
            Some(choice) => newest(context, verb, choice, &catalogs).await?,
            None if request.from_s3 => named(context, verb, operand, &catalogs).await?,
            None => Operand::open(context, operand, Access::All).await?,
        };
        Ok(Self {
            opened,
            known,
            unseen,
        })
    }

    pub(super) fn manifest(&self) -> Option<&Manifest> {
        self.opened.manifest.as_ref()
    }

    /// When it was taken, where that is known.
    pub(super) fn taken_at(&self) -> Option<DateTime<Utc>> {
        self.manifest().map(|manifest| manifest.started_at)
    }
}

/// Where snapshots are looked for, the nearest first.
fn stores(settings: &Settings, from_s3: bool) -> Result<Vec<Arc<dyn Store>>, Failure> {
    if from_s3 {
        return Ok(vec![assembly::remote_needed(settings)?]);
    }
    let mut stores: Vec<Arc<dyn Store>> = Vec::new();
    if settings.dir.value.exists() {
        stores.push(Arc::new(assembly::local_to_read(settings)?));
    }
    stores.extend(assembly::remote(settings)?);
    Ok(stores)
}

fn choice(request: &Restore) -> Result<Option<Choice>, Failure> {
    let Some(moment) = &request.until else {
        return Ok(request.snapshot.as_deref().and_then(Choice::of_word));
    };
    // Minutes are enough for people, and seconds for everybody else.
    let with_seconds = |text: &str| match text.rsplit_once(['Z', 'z']) {
        Some((time, "")) => format!("{time}:00Z"),
        _ => text.to_owned(),
    };
    let moment = DateTime::parse_from_rfc3339(moment)
        .or_else(|error| DateTime::parse_from_rfc3339(&with_seconds(moment)).map_err(|_| error))
        .map_err(|error| {
            let message = format!("--at {moment}: {error}");
            Failure::new(Kind::Usage, message).with_hint("write it as 2026-05-01T12:00Z")
        })?;
    Ok(Some(Choice::Until(moment.with_timezone(&Utc))))
}

async fn newest(
    context: &Context,
    verb: &str,
    choice: Choice,
    catalogs: &[(Arc<dyn Store>, Catalog)],
) -> Result<Opened, Failure> {
    let all = catalogs.iter().flat_map(|(_, catalog)| &catalog.entries);
    let chosen = choice.of(all).map_err(|error| {
        let places: Vec<_> = catalogs
            .iter()
            .map(|(store, _)| store.location().to_string())
            .collect();
        let places = match places.as_slice() {
            [] => "any place that could be read".to_owned(),
            places => places.join(" or "),
        };
        let message = format!("{verb}: {error} in {places}");
        let hint = match error {
            ChoiceError::Nothing => "rollsnap list shows what there is",
            ChoiceError::Clusters(_) => "name the snapshot",
        };
        Failure::new(Kind::Usage, message).with_hint(hint)
    })?;
    of_entry(context, chosen, catalogs).await
}

/// The snapshot of that name, in these places only.
async fn named(
    context: &Context,
    verb: &str,
    name: &str,
    catalogs: &[(Arc<dyn Store>, Catalog)],
) -> Result<Opened, Failure> {
    let mut all = catalogs.iter().flat_map(|(_, catalog)| &catalog.entries);
    let found = all.find(|entry| entry.name.as_str() == name || entry.object().as_str() == name);
    let Some(entry) = found else {
        let message = format!("{verb} {name}: there is no such snapshot in the bucket");
        return Err(Failure::new(Kind::Usage, message).with_hint("rollsnap list shows all names"));
    };
    of_entry(context, entry, catalogs).await
}

async fn of_entry(
    context: &Context,
    entry: &Entry,
    catalogs: &[(Arc<dyn Store>, Catalog)],
) -> Result<Opened, Failure> {
    // The nearest place that has it.
    let place = catalogs.iter().find(|(_, catalog)| {
        let there = catalog.find(&entry.name);
        there.is_some_and(|there| there.size == entry.size && there.codec == entry.codec)
    });
    let Some((store, _)) = place else {
        return Err(Failure::new(
            Kind::Bug,
            "the chosen snapshot is in no place",
        ));
    };
    Operand::open_entry(context, Arc::clone(store), entry).await
}
