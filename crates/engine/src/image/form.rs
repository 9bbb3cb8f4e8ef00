//! What stored bytes are, by their first and last ones.

use std::io;

use rollsnap_snapfile::ReadAt;

use crate::codec::Seekable;

/// What a snapshot is kept as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// As etcd sent it.
    Raw,
    /// Zstandard in frames with a table of them.
    Seekable,
    /// Zstandard without a table that serves.
    Zstd,
    /// gzip.
    Gzip,
    /// A zip with the snapshot in it.
    Zip,
    /// A zip with a table of the snapshot's frames.
    SeekableZip,
}

impl Form {
    /// The word for people and JSON.
    pub fn label(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Seekable | Self::Zstd => "zstd",
            Self::Gzip => "gzip",
            Self::Zip | Self::SeekableZip => "zip",
        }
    }

    /// Whether pages can be read from the stored bytes without the rest. Of a table that another
    /// program wrote it is only a guess.
    pub fn is_seekable(self) -> bool {
        matches!(self, Self::Raw | Self::Seekable | Self::SeekableZip)
    }

    /// Looks at both ends of the bytes.
    pub fn of(stored: &dyn ReadAt) -> io::Result<Self> {
        let mut head = [0; 4];
        if stored.size()? < head.len() as u64 {
            return Ok(Self::Raw);
        }
        stored.read_at(0, &mut head)?;
        Ok(match Self::of_head(&head) {
            Self::Zstd if Seekable::has_table(stored)? => Self::Seekable,
            Self::Zip if Seekable::has_zip_table(stored)? => Self::SeekableZip,
            form => form,
        })
    }

    /// What begins so. Never [`Seekable`](Self::Seekable) nor
    /// [`SeekableZip`](Self::SeekableZip), which only the end tells.
    ///
    /// No database begins with any of these: its first bytes are the number of its first page, 0.
    /// Zstandard: RFC 8878, 3.1.1 and 3.1.2 (skippable frames); gzip: RFC 1952, 2.3.1; zip:
    /// APPNOTE.TXT, 4.3.7 and 4.3.16 (one without entries).
    pub(super) fn of_head(head: &[u8]) -> Self {
        match head {
            [0x28, 0xB5, 0x2F, 0xFD, ..] | [0x50..=0x5F, 0x2A, 0x4D, 0x18, ..] => Self::Zstd,
            [0x1F, 0x8B, ..] => Self::Gzip,
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Self::Zip,
            _ => Self::Raw,
        }
    }
}
