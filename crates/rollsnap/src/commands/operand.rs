//! What a verb is given to read: a file, a snapshot's name, an object of any bucket, or standard
//! input.
//!
//! | written | means |
//! |---|---|
//! | `-` | standard input |
//! | `s3://BUCKET/KEY` | that object, with the configured keys and endpoint |
//! | with a `/`, or a `.` at its beginning | that file |
//! | anything else | the snapshot of that name in the directory; else the file of that name here; else the snapshot of that name in the bucket |
//!
//! A snapshot's name is found with and without `.zst`, `.zip` and `.gz` at its end.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rollsnap_engine::image::{self, Access, Found, Scratch};
use rollsnap_engine::{Entry, Kind, key_index};
use rollsnap_rke::nearest;
use rollsnap_store::{ObjectName, Store};
use tokio::runtime::Handle;

use super::Context;
use super::opened::{Indexed, Opened, index_beside, of_file, of_object, of_stdin, scratch};
use crate::assembly;
use crate::config::options::Id;
use crate::config::{Inputs, Settings};
use crate::report::Failure;

/// What was written, told apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Operand<'a> {
    /// Standard input.
    Stdin,
    /// An object of a bucket.
    Object {
        bucket: &'a str,
        folder: &'a str,
        name: ObjectName,
    },
    /// A file.
    File(&'a Path),
    /// The name of a snapshot, or of a file here.
    Name(&'a str),
}

/// Where a snapshot was found.
enum Place {
    Stdin,
    File(PathBuf),
    Object {
        store: Arc<dyn Store>,
        found: Box<Found>,
        scratch: Scratch,
    },
}

impl<'a> Operand<'a> {
    /// Tells apart what was written.
    pub(super) fn parse(text: &'a str) -> Result<Self, Failure> {
        if text == "-" {
            return Ok(Self::Stdin);
        }
        let Some(address) = text.strip_prefix("s3://") else {
            let is_path = text.contains('/') || text.starts_with('.');
            return Ok(if is_path {
                Self::File(Path::new(text))
            } else {
                Self::Name(text)
            });
        };
        let wrong = |what: &str| {
            Failure::new(Kind::Usage, format!("open {text}: {what}"))
                .with_hint("write s3://BUCKET/KEY, as in s3://backups/cluster-a/mysnapshot")
        };
        let (bucket, key) = address.split_once('/').unwrap_or((address, ""));
        let (folder, name) = key.rsplit_once('/').unwrap_or(("", key));
        if bucket.is_empty() || name.is_empty() {
            return Err(wrong("the bucket or the object's key is missing"));
        }
        let name = ObjectName::new(name).map_err(|error| wrong(&error.to_string()))?;
        Ok(Self::Object {
            bucket,
            folder,
            name,
        })
    }

    /// Opens what was written, to be read as `access` says. Shows a bar while bytes come from far
    /// away or are unpacked.
    pub(super) async fn open(
        context: &Context,
        text: &'a str,
        access: Access,
    ) -> Result<Opened, Failure> {
        match Self::parse(text)?.place(context, text).await? {
            Place::Stdin => of_stdin(context).await,
            Place::File(path) => of_file(context, &path, access).await,
            Place::Object {
                store,
                found,
                scratch,
            } => of_object(scratch, store, *found, access).await,
        }
    }

    /// Opens what was written, to be read here and there, where an index of its keys lies beside
    /// it.
    pub(super) async fn open_indexed(
        context: &Context,
        text: &'a str,
    ) -> Result<Option<Indexed>, Failure> {
        match Self::parse(text)?.place(context, text).await? {
            Place::Stdin => Ok(None),
            Place::File(path) => {
                let Some(index) = index_beside(&path).await? else {
                    return Ok(None);
                };
                Ok(Some(Indexed {
                    snapshot: of_file(context, &path, Access::Few).await?,
                    index: Arc::new(index),
                    is_far: false,
                }))
            }
            Place::Object {
                store,
                found,
                scratch,
            } => {
                let object = &found.object.name;
                let index = key_index::find(&store, object, Handle::current()).await?;
                let Some(index) = index else {
                    return Ok(None);
                };
                Ok(Some(Indexed {
                    snapshot: of_object(scratch, store, *found, Access::Few).await?,
                    index,
                    is_far: true,
                }))
            }
        }
    }

    /// Finds what was written.
    async fn place(self, context: &Context, text: &str) -> Result<Place, Failure> {
        match self {
            Self::Stdin => Ok(Place::Stdin),
            Self::File(path) => Ok(Place::File(path.to_owned())),
            Self::Name(name) => place_of_name(context, name).await,
            Self::Object {
                bucket,
                folder,
                name,
            } => {
                let mut flags = context.flags.clone();
                flags.set(Id::BucketName, bucket);
                flags.set(Id::Folder, folder);
                let settings = Settings::resolve(Inputs {
                    flags: &flags,
                    ..context.inputs()
                })?;
                let store = assembly::remote_needed(&settings)?;
                let objects = store.list(name.as_str()).await?;
                let Some(object) = objects.into_iter().find(|object| object.name == name) else {
                    let list = list_of(bucket, folder);
                    return Err(nowhere(text, name.as_str(), &[&*store], &list).await);
                };
                let found = image::look(&*store, object).await?;
                Ok(Place::Object {
                    scratch: scratch(&settings),
                    store,
                    found: Box::new(found),
                })
            }
        }
    }
}

impl Operand<'_> {
    /// Opens a snapshot that a catalog of `store` has.
    pub(super) async fn open_entry(
        context: &Context,
        store: Arc<dyn Store>,
        entry: &Entry,
    ) -> Result<Opened, Failure> {
        let settings = Settings::read(context.inputs()).0;
        let objects = store.list(entry.object().as_str()).await?;
        let object = objects.into_iter().find(|it| it.name == entry.object());
        let Some(object) = object else {
            let name = entry.name.as_str();
            return Err(nowhere(name, name, &[&*store], LIST).await);
        };
        let found = image::look(&*store, object).await?;
        let path = settings.dir.value.join(found.object.name.as_str());
        if store.location().to_string() == settings.dir.value.display().to_string() {
            return of_file(context, &path, Access::All).await;
        }
        of_object(scratch(&settings), store, found, Access::All).await
    }
}

async fn place_of_name(context: &Context, name: &str) -> Result<Place, Failure> {
    let settings = context.settings()?;
    let dir = &settings.dir.value;
    // Whoever looks at a file on another machine has no such directory.
    let local = match dir.try_exists() {
        Ok(false) => None,
        _ => Some(assembly::local_to_read(&settings)?),
    };
    if let Some(local) = &local
        && let Some(found) = image::find(local, name).await?
    {
        return Ok(Place::File(dir.join(found.object.name.as_str())));
    }
    if Path::new(name).exists() {
        return Ok(Place::File(PathBuf::from(name)));
    }
    let remote = assembly::remote(&settings)?;
    if let Some(remote) = &remote
        && let Some(found) = image::find(&**remote, name).await?
    {
        return Ok(Place::Object {
            scratch: scratch(&settings),
            store: Arc::clone(remote),
            found: Box::new(found),
        });
    }
    let mut stores: Vec<&dyn Store> = Vec::new();
    stores.extend(local.as_ref().map(|local| local as &dyn Store));
    stores.extend(remote.as_deref());
    Err(nowhere(name, name, &stores, LIST).await)
}

/// The command that shows what the configured stores have.
const LIST: &str = "rollsnap list";

/// The command that shows what a bucket has which nobody configured.
fn list_of(bucket: &str, folder: &str) -> String {
    let list = format!("{LIST} --bucket-name {bucket}");
    if folder.is_empty() {
        return list;
    }
    format!("{list} --folder {folder}")
}

/// Tells where a name was looked for, what was probably meant, and what `list` would show.
async fn nowhere(text: &str, name: &str, stores: &[&dyn Store], list: &str) -> Failure {
    let mut places = Vec::new();
    let mut names = Vec::new();
    for store in stores {
        places.push(store.location().to_string());
        // The answer is given already; whether it can be made kinder does not matter.
        let listed = store.list("").await.unwrap_or_default();
        names.extend(listed.into_iter().map(|object| object.name.to_string()));
    }
    names.retain(|name| {
        [".manifest.json", ".keys.index"]
            .iter()
            .all(|end| !name.ends_with(end))
    });
    let places = if places.is_empty() {
        "here".to_owned()
    } else {
        places.join(" or ")
    };
    let message = format!("open {text}: there is no such snapshot in {places}");
    let hint = match nearest(name, names.iter().map(String::as_str)) {
        Some(meant) => format!("{meant} is there; {list} shows all names"),
        None => format!("{list} shows all names; a file elsewhere is given as a path"),
    };
    Failure::new(Kind::Usage, message).with_hint(hint)
}

#[cfg(test)]
mod tests;
