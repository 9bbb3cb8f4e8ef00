//! How a snapshot's bytes are kept: as etcd sent them, or compressed in frames.

mod frames;
mod seekable;
mod writer;

use serde::{Deserialize, Serialize};

pub use seekable::{Seekable, pages};
pub use writer::{WriteError, Writer};

/// An encoding of stored bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// As etcd sent them: `etcdctl snapshot restore` takes the file as it is.
    #[default]
    None,
    /// Zstandard in frames of 1 MiB with a table of them at the end, so that any page can be
    /// read without the rest. `zstd -d` reads it like any other file.
    Zstd,
}

impl Codec {
    /// What its files' names end with.
    pub fn extension(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Zstd => ".zst",
        }
    }

    /// A bound on the stored bytes of so many plain ones.
    pub fn at_most(self, plain: u64) -> u64 {
        match self {
            Self::None => plain,
            Self::Zstd => seekable::at_most(plain),
        }
    }
}

/// Plain bytes in one frame. Small enough that two in flight stay within the memory promised,
/// large enough that the ratio stays within 2 % of one frame for all.
const FRAME: usize = 1 << 20;
