//! A snapshot's plain bytes, database and trailer, readable at any place, whatever they are kept
//! as.
//!
//! | kept as | told by | read |
//! |---|---|---|
//! | as etcd sent it | none of the below | where it is |
//! | zstd in frames with a table, as [`Codec::Zstd`](crate::Codec) | its table at the end | frame by frame, or unpacked |
//! | zstd, gzip | its first bytes | unpacked |
//! | zip with a table of its frames, as [`Codec::Zip`](crate::Codec) | its directory | frame by frame, or unpacked |
//! | zip, as RKE's sidecar writes it | its first bytes | unpacked |
//!
//! Names tell nothing: RKE's v0.1.29 called its zips `.gz`. What is unpacked lies in a file
//! without a name ([`Scratch`]), bounded by the room there, and only after its first pages have
//! shown that it is a database: what was made to fill a disk ends there.

mod download;
mod error;
mod form;
mod found;
mod remote;
mod scratch;
mod sequence;
mod unpack;
mod zip;

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;

use rollsnap_snapfile::Digest;
pub use rollsnap_snapfile::{ReadAt, Stamp};
use rollsnap_store::{ObjectInfo, Store};
use tokio::runtime::Handle;

use crate::codec::Seekable;

use download::Download;
use sequence::Sequence;
use unpack::Unpacked;

pub use error::{ImageError, hint_of, kind_of};
pub use form::Form;
pub(crate) use found::load;
pub use found::{Found, find, look};
pub use remote::Remote;
pub(crate) use remote::read as fetch;
pub use scratch::Scratch;
pub use zip::state_in;

/// How much of a snapshot will be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Some pages, here and there.
    Few,
    /// Most pages, in the order of the trees.
    All,
}

/// How a snapshot will be read, and what it is called where that is known: of several files in a
/// zip it is the one of that name.
#[derive(Debug, Clone, Copy)]
pub struct Want<'a> {
    access: Access,
    name: Option<&'a str>,
}

impl Access {
    /// To the snapshot that is kept in a file or object of this name.
    pub fn of(self, object: &str) -> Want<'_> {
        let name = object.strip_suffix(".zip").or(object.strip_suffix(".gz"));
        Want {
            access: self,
            name: Some(name.unwrap_or(object)),
        }
    }
}

impl From<Access> for Want<'_> {
    fn from(access: Access) -> Self {
        Self { access, name: None }
    }
}

/// Hears how many of how many stored bytes have been read, of 0 where nobody knows how many there
/// are; may stop the work.
pub type Heed<'a> = dyn FnMut(u64, u64) -> ControlFlow<()> + 'a;

/// A snapshot's plain bytes. Clones share them.
///
/// Memory: nothing of its own where the bytes are read in place or unpacked, 13 MiB where frames
/// are decoded as they are read. While unpacking, a buffer of 256 KiB and the window of the
/// format: 32 KiB for zip and gzip, 1 MiB for zstd that rollsnap wrote, up to 128 MiB for what
/// `zstd --ultra` or `--long` wrote.
#[derive(Clone)]
pub struct Image {
    plain: Arc<dyn ReadAt>,
    form: Form,
    size: u64,
    stored_size: u64,
    stored_digest: Option<Digest>,
}

impl Image {
    /// Opens stored bytes. Blocks.
    ///
    /// Frames with a table are decoded as they are read, unless all will be and there is room to
    /// unpack them: the pages of a tree lie scattered, and each would cost a frame.
    ///
    /// # Errors
    /// Bytes in the form as etcd sent them are not looked at: whether they are a database is for
    /// the reader to find. What must be unpacked is refused when it is none.
    pub fn open<'a>(
        stored: Arc<dyn ReadAt>,
        want: impl Into<Want<'a>>,
        scratch: &Scratch,
        heed: &mut Heed<'_>,
    ) -> Result<Self, ImageError> {
        let Want { access, name } = want.into();
        let form = Form::of(&*stored).map_err(ImageError::Read)?;
        let stored_size = stored.size().map_err(ImageError::Read)?;
        if form == Form::Raw {
            return Self::new(stored, form, stored_size);
        }
        let frames = match form {
            Form::Seekable => Some(Seekable::open(Arc::clone(&stored))),
            Form::SeekableZip => Some(Seekable::open_zip(Arc::clone(&stored))),
            _ => None,
        };
        if let Some(frames) = frames {
            match frames {
                Ok(frames) => {
                    let size = frames.size().map_err(ImageError::Read)?;
                    if access == Access::Few || !scratch.has_room(size) {
                        return Self::new(Arc::new(frames), form, stored_size);
                    }
                }
                // Another writer's table: any decoder passes over it.
                Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
                Err(error) => return Err(error::decoding(error)),
            }
        }
        if matches!(form, Form::Zip | Form::SeekableZip) {
            let file = zip::unpack(&*stored, name, scratch, heed)?;
            return Self::new(Arc::new(file), form, stored_size);
        }
        let mut sequence = Sequence::new(&*stored).map_err(ImageError::Read)?;
        let unpacked = unpack::stream(&mut sequence, Some(stored_size), name, scratch, heed)?;
        Self::of_unpacked(Unpacked { form, ..unpacked })
    }

    /// Reads a stream of `expected` stored bytes, where that is known, to its end. Blocks.
    ///
    /// It is unpacked as it comes; a zip, whose contents are told at its end, once it is there.
    pub fn of_stream(
        source: &mut dyn io::Read,
        expected: Option<u64>,
        scratch: &Scratch,
        heed: &mut Heed<'_>,
    ) -> Result<Self, ImageError> {
        Self::of_unpacked(unpack::stream(source, expected, None, scratch, heed)?)
    }

    /// Opens an object of a store that is far away. Blocks on `runtime`, so it is for a thread for
    /// blocking work, as is every read of the image.
    ///
    /// With [`Access::Few`] only the blocks that are read are fetched, where they can be sought
    /// ([`Remote`], 9 MiB of memory more); everything else is fetched once, in parts that come
    /// together (16 MiB more while it comes).
    pub fn of_object(
        store: &Arc<dyn Store>,
        object: &ObjectInfo,
        runtime: &Handle,
        access: Access,
        scratch: &Scratch,
        heed: &mut Heed<'_>,
    ) -> Result<Self, ImageError> {
        let want = access.of(object.name.as_str());
        if access == Access::Few {
            let remote = Remote::new(Arc::clone(store), object.clone(), runtime.clone());
            if Form::of(&remote).map_err(ImageError::Read)?.is_seekable() {
                return Self::open(Arc::new(remote), want, scratch, heed);
            }
        }
        let mut source = Download::begin(Arc::clone(store), object.clone(), runtime.clone());
        let (size, name) = (Some(object.size), want.name);
        Self::of_unpacked(unpack::stream(&mut source, size, name, scratch, heed)?)
    }

    fn new(plain: Arc<dyn ReadAt>, form: Form, stored_size: u64) -> Result<Self, ImageError> {
        let size = plain.size().map_err(ImageError::Read)?;
        Ok(Self {
            plain,
            form,
            size,
            stored_size,
            stored_digest: None,
        })
    }

    fn of_unpacked(unpacked: Unpacked) -> Result<Self, ImageError> {
        let Unpacked {
            file,
            form,
            size,
            digest,
        } = unpacked;
        Ok(Self {
            stored_digest: digest,
            ..Self::new(Arc::new(file), form, size)?
        })
    }

    /// The plain bytes.
    pub fn bytes(&self) -> Arc<dyn ReadAt> {
        Arc::clone(&self.plain)
    }

    /// What they are kept as.
    pub fn form(&self) -> Form {
        self.form
    }

    /// The number of plain bytes, database and trailer.
    pub fn len(&self) -> u64 {
        self.size
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.size == 0
    }

    /// The number of stored bytes.
    pub fn stored_size(&self) -> u64 {
        self.stored_size
    }

    /// The digest of the stored bytes, where they passed by from the first to the last: known of
    /// all that was unpacked but a zip that was read in place, of nothing that is read where it is.
    pub fn stored_digest(&self) -> Option<Digest> {
        self.stored_digest
    }
}

impl ReadAt for Image {
    fn size(&self) -> io::Result<u64> {
        Ok(self.size)
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.plain.read_at(offset, buf)
    }
}

impl std::fmt::Debug for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Image")
            .field("form", &self.form)
            .field("size", &self.size)
            .field("stored_size", &self.stored_size)
            .finish_non_exhaustive()
    }
}
