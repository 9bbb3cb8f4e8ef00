//! Why a snapshot cannot be opened, and what it means.

use std::io;
use std::path::PathBuf;

use rollsnap_store::StoreError;

use crate::Kind;

/// Why a snapshot cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The stored bytes cannot be read.
    #[error("read the stored bytes")]
    Read(#[source] io::Error),
    /// The stored bytes are not what they should be.
    #[error("{0}")]
    Corrupt(String),
    /// A zip that does not tell which of its entries is the snapshot, or hides it.
    #[error("{0}")]
    Unsuitable(String),
    /// There is no room to unpack.
    #[error("scratch directory {}: no room to unpack: needs {needed} bytes, may take {room}", dir.display())]
    Full {
        /// The scratch directory.
        dir: PathBuf,
        /// Bytes that are needed, at least.
        needed: u64,
        /// Bytes that may be taken.
        room: u64,
    },
    /// The scratch directory cannot be written to.
    #[error(transparent)]
    Scratch(StoreError),
    /// The work was stopped.
    #[error("stopped before the end")]
    Stopped,
}

impl ImageError {
    /// What it means.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Read(cause) => kind_of(cause),
            Self::Corrupt(_) => Kind::Corrupt,
            Self::Unsuitable(_) => Kind::Usage,
            Self::Full { .. } => Kind::Full,
            Self::Scratch(error) => error.kind().into(),
            Self::Stopped => Kind::Canceled,
        }
    }

    /// What may be done about it.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Read(cause) => hint_of(cause),
            Self::Full { .. } | Self::Scratch(_) => {
                Some("give a directory with room by --scratch, or unpack the snapshot by hand")
            }
            Self::Unsuitable(_) => {
                Some("unpack the zip by hand and give the snapshot that was in it")
            }
            Self::Corrupt(_) | Self::Stopped => None,
        }
    }
}

/// What a failed read of an image means.
pub fn kind_of(error: &io::Error) -> Kind {
    if let Some(error) = store_error(error) {
        return error.kind().into();
    }
    match error.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => Kind::Corrupt,
        io::ErrorKind::PermissionDenied => Kind::Denied,
        _ => Kind::Store,
    }
}

/// What may be done about a failed read of an image.
pub fn hint_of(error: &io::Error) -> Option<&str> {
    store_error(error)?.hint()
}

fn store_error(error: &io::Error) -> Option<&StoreError> {
    error.get_ref()?.downcast_ref()
}

/// An error of a decoder: its own, or one of the bytes below it.
pub(super) fn decoding(error: io::Error) -> ImageError {
    let is_below = error.raw_os_error().is_some() || store_error(&error).is_some();
    if is_below {
        ImageError::Read(error)
    } else {
        ImageError::Corrupt(format!("the stored bytes do not unpack: {error}"))
    }
}
