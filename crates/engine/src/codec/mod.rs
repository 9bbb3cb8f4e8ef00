//! How a snapshot's bytes are kept: as etcd sent them, or compressed in frames.

mod frames;
mod packing;
mod seekable;
mod writer;
mod zip;

use serde::{Deserialize, Serialize};

pub(crate) use seekable::seekable;
pub use seekable::{Seekable, pages};
pub use writer::{Subject, WriteError, Writer};

/// An encoding of stored bytes.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// As etcd sent them: `etcdctl snapshot restore` takes the file as it is.
    #[default]
    None,
    /// Zstandard in frames of 1 MiB with a table of them at the end, so that any page can be
    /// read without the rest. `zstd -d` reads it like any other file.
    Zstd,
    /// A zip as RKE's sidecar writes it and `rke etcd snapshot-restore` wants it, deflated in
    /// pieces of 1 MiB with a table of them.
    Zip,
}

impl Codec {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::None, Self::Zstd, Self::Zip];

    /// What its files' names end with.
    pub fn extension(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Zstd => ".zst",
            Self::Zip => ".zip",
        }
    }

    /// A bound on the stored bytes of so many plain ones.
    pub fn at_most(self, plain: u64) -> u64 {
        match self {
            Self::None => plain,
            Self::Zstd => seekable::at_most(plain),
            Self::Zip => zip::at_most(plain),
        }
    }
}

/// Plain bytes in one frame. Small enough that two in flight stay within the memory promised,
/// large enough that the ratio stays within 2 % of one frame for all.
const FRAME: usize = 1 << 20;

/// A little-endian number.
fn number(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .rev()
        .fold(0, |number, byte| number << 8 | u32::from(*byte))
}
