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

use std::fs::File;
use std::io::{self, IsTerminal};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rollsnap_engine::image::{self, Access, Found, Heed, Image, ImageError, Scratch};
use rollsnap_engine::look::ReadAt;
use rollsnap_engine::{Entry, Kind, Manifest, key_index};
use rollsnap_rke::nearest;
use rollsnap_store::local::LocalDir;
use rollsnap_store::{ObjectInfo, ObjectName, Store, StoreError};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

use super::Context;
use super::progress::Bar;
use crate::assembly;
use crate::config::options::Id;
use crate::config::{Inputs, Settings};
use crate::report::{Failure, chain};

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

/// A snapshot, open for reading.
///
/// It is read from a thread for blocking work ([`spawn_blocking`]) and nowhere else: where it is
/// far away, a read from an async worker panics.
#[derive(Debug)]
pub(super) struct Opened {
    /// Its plain bytes.
    pub(super) image: Image,
    /// What its manifest tells, if there is one that fits it.
    pub(super) manifest: Option<Manifest>,
    /// Why the manifest that lies beside it does not count.
    pub(super) doubt: Option<String>,
    /// Where it is, for messages.
    pub(super) location: String,
    /// What it is called: the name of the file or object, `-` for standard input.
    pub(super) name: String,
}

/// A snapshot with an index of its keys, both open for reading, as [`Opened`] is.
pub(super) struct Indexed {
    /// The snapshot. Of what is compressed or far away only what is read is unpacked or fetched.
    pub(super) snapshot: Opened,
    /// The index. Whether it is of this snapshot is for its reader to find.
    pub(super) index: Arc<dyn ReadAt>,
    /// Whether reading all of the snapshot means to fetch it.
    pub(super) is_far: bool,
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

impl Opened {
    fn of(image: Image, found: Option<Found>, location: String, name: String) -> Self {
        let (manifest, doubt) = found.map_or((None, None), |it| (it.manifest, it.doubt));
        Self {
            image,
            manifest,
            doubt,
            location,
            name,
        }
    }

    /// The failure of a verb that could not read it.
    pub(super) fn unreadable(&self, error: &io::Error) -> Failure {
        unreadable(&self.location, error)
    }
}

/// A failed read in our words.
fn unreadable(location: &str, error: &io::Error) -> Failure {
    if let Some(code) = error.raw_os_error() {
        return StoreError::io("read", location, io::Error::from_raw_os_error(code)).into();
    }
    // A store says itself what it could not read.
    let told = error
        .get_ref()
        .and_then(|it| it.downcast_ref::<StoreError>());
    let message = match told {
        Some(told) => chain(told),
        None => format!("read {location}: {}", chain(error)),
    };
    hinted(
        Failure::new(image::kind_of(error), message),
        image::hint_of(error),
    )
}

fn hinted(failure: Failure, hint: Option<&str>) -> Failure {
    match hint {
        Some(hint) => failure.with_hint(hint),
        None => failure,
    }
}

async fn of_stdin(context: &Context) -> Result<Opened, Failure> {
    if io::stdin().is_terminal() {
        return Err(
            Failure::new(Kind::Usage, "open -: standard input is a terminal")
                .with_hint("pipe a snapshot into it"),
        );
    }
    let scratch = scratch(&Settings::read(context.inputs()).0);
    let location = "standard input".to_owned();
    let image = unpacking(Bar::endless(), &location, move |heed| {
        Image::of_stream(&mut io::stdin().lock(), None, &scratch, heed)
    });
    Ok(Opened::of(image.await?, None, location, "-".to_owned()))
}

async fn of_file(context: &Context, path: &Path, access: Access) -> Result<Opened, Failure> {
    // What is wrong with the settings is no reason to refuse a file.
    let scratch = scratch(&Settings::read(context.inputs()).0);
    let location = path.display().to_string();
    let path = path.to_owned();
    let failed = |error: StoreError| Failure {
        kind: Kind::Usage,
        ..Failure::from(error)
    };
    let opened = path.clone();
    let opened = blocking(move || {
        let file = File::open(&opened)?;
        file.metadata().map(|meta| (file, meta))
    });
    let (file, meta) = opened.await?.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => failed(StoreError::io("open", &location, error)),
        _ => StoreError::io("open", &location, error).into(),
    })?;
    if meta.is_dir() {
        return Err(
            Failure::new(Kind::Usage, format!("open {location}: is a directory"))
                .with_hint("give a snapshot; rollsnap list shows those of --dir"),
        );
    }
    let name = path.file_name().unwrap_or_default();
    let name = name.to_string_lossy().into_owned();
    let found = beside(&path, &name, meta.len()).await;
    let is_file = meta.is_file();
    let called = name.clone();
    let bar = if is_file { Bar::new() } else { Bar::endless() };
    let image = unpacking(bar, &location, move |heed| {
        if is_file {
            Image::open(Arc::new(file), access.of(&called), &scratch, heed)
        } else {
            // A pipe or a device is read as standard input is.
            Image::of_stream(&mut &file, None, &scratch, heed)
        }
    });
    Ok(Opened::of(image.await?, found, location, name))
}

/// The index in the same directory, if there is one.
async fn index_beside(path: &Path) -> Result<Option<File>, Failure> {
    let object = path.file_name().and_then(|name| name.to_str());
    let object = object.and_then(|name| ObjectName::new(name).ok());
    let Some(index) = object.as_ref().and_then(key_index::beside) else {
        return Ok(None);
    };
    let path = path.with_file_name(index.as_str());
    // What cannot be opened is as good as none: the snapshot is read instead.
    blocking(move || {
        let is_file = path.metadata().is_ok_and(|meta| meta.is_file());
        File::open(path).ok().filter(|_| is_file)
    })
    .await
}

/// What the manifest in the same directory tells of a file. A directory of somebody's own may
/// hold anything: what cannot be read is a doubt and no failure.
async fn beside(path: &Path, name: &str, size: u64) -> Option<Found> {
    let dir = match path.parent()? {
        empty if empty.as_os_str().is_empty() => Path::new("."),
        dir => dir,
    };
    let object = ObjectInfo {
        name: ObjectName::new(name).ok()?,
        size,
        modified: None,
    };
    let read = match LocalDir::open_existing(dir) {
        Ok(dir) => image::look(&dir, object.clone()).await,
        Err(error) => Err(error),
    };
    Some(read.unwrap_or_else(|error| Found {
        object,
        manifest: None,
        doubt: Some(chain(&error)),
    }))
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

async fn of_object(
    scratch: Scratch,
    store: Arc<dyn Store>,
    found: Found,
    access: Access,
) -> Result<Opened, Failure> {
    let object = found.object.clone();
    let name = object.name.to_string();
    let location = format!("{}/{name}", store.location());
    let runtime = Handle::current();
    let image = unpacking(Bar::new(), &location, move |heed| {
        Image::of_object(&store, &object, &runtime, access, &scratch, heed)
    });
    Ok(Opened::of(image.await?, Some(found), location, name))
}

/// Opens on a thread for blocking work, with a bar.
async fn unpacking(
    bar: Bar,
    location: &str,
    open: impl FnOnce(&mut Heed<'_>) -> Result<Image, ImageError> + Send + 'static,
) -> Result<Image, Failure> {
    let mut from = Some(format!("from {location}"));
    let opened = blocking(move || {
        open(&mut |done, total| {
            // Nothing is shown of a file that is read where it is.
            if let Some(from) = from.take() {
                bar.say(from);
            }
            bar.at(done, total);
            ControlFlow::Continue(())
        })
    });
    opened.await?.map_err(|error| {
        if let ImageError::Read(cause) = &error {
            return unreadable(location, cause);
        }
        let message = format!("open {location}: {}", chain(&error));
        hinted(Failure::new(error.kind(), message), error.hint())
    })
}

/// Does something on a thread for blocking work.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    spawn_blocking(work)
        .await
        .map_err(|ended| Failure::new(Kind::Bug, format!("the work ended early: {ended}")))
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

/// Where snapshots are unpacked: as told, else where temporary files are, else beside the
/// snapshots.
fn scratch(settings: &Settings) -> Scratch {
    let named = settings.scratch.as_ref().map(|named| named.value.clone());
    let temporary = || Some(PathBuf::from("/tmp")).filter(|dir| dir.is_dir());
    let dir = named.or_else(temporary);
    Scratch::new(dir.unwrap_or_else(|| settings.dir.value.clone()))
}

#[cfg(test)]
mod tests;
