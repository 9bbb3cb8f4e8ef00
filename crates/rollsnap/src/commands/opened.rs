//! A snapshot, open for reading, wherever it is kept.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rollsnap_engine::image::{self, Access, Found, Heed, Image, ImageError, Scratch};
use rollsnap_engine::look::ReadAt;
use rollsnap_engine::{Kind, Manifest, key_index};
use rollsnap_store::local::LocalDir;
use rollsnap_store::{ObjectInfo, ObjectName, Store, StoreError};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

use super::Context;
use super::progress::Bar;
use crate::config::Settings;
use crate::report::{Failure, chain};

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

pub(super) async fn of_stdin(context: &Context) -> Result<Opened, Failure> {
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

pub(super) async fn of_file(
    context: &Context,
    path: &Path,
    access: Access,
) -> Result<Opened, Failure> {
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
pub(super) async fn index_beside(path: &Path) -> Result<Option<File>, Failure> {
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

pub(super) async fn of_object(
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

/// Where snapshots are unpacked: as told, else where temporary files are, else beside the
/// snapshots.
pub(super) fn scratch(settings: &Settings) -> Scratch {
    let named = settings.scratch.as_ref().map(|named| named.value.clone());
    let temporary = || Some(PathBuf::from("/tmp")).filter(|dir| dir.is_dir());
    let dir = named.or_else(temporary);
    Scratch::new(dir.unwrap_or_else(|| settings.dir.value.clone()))
}

#[cfg(test)]
mod tests {
    use rollsnap_store::ErrorKind;

    use super::*;

    #[test]
    fn a_read_that_failed_is_told_once_and_without_codes() {
        let store = StoreError::at(ErrorKind::Unavailable, "read", "s3://b/n", "it is down");
        for (error, kind, words) in [
            (
                io::Error::other(store),
                Kind::Store,
                "read s3://b/n: it is down",
            ),
            (
                io::Error::from_raw_os_error(5),
                Kind::Store,
                "read n: input/output error",
            ),
            (
                io::ErrorKind::UnexpectedEof.into(),
                Kind::Corrupt,
                "read n: unexpected end of file",
            ),
        ] {
            assert_eq!(unreadable("n", &error), Failure::new(kind, words));
        }
    }
}
