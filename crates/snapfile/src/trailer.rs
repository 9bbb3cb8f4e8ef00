//! The digest at the end of the stream.

use std::io;
use std::ops::ControlFlow;

use sha2::{Digest as _, Sha256};

use crate::digest::DIGEST_LEN;
use crate::{Digest, ReadAt, SnapshotError};

/// Sectors are 512 bytes and every page is a multiple, so a size that leaves 32 ends in a digest
/// (etcd `client/v3/snapshot/v3_snapshot.go`, `hasChecksum`).
pub(crate) const SECTOR: u64 = 512;

/// Checks a snapshot stream against the digest that etcd sends as its last 32 bytes.
///
/// Which bytes are last is unknown until the stream ends, so 32 are always held back. Memory:
/// those 32 bytes, whatever the size of the database; the bytes are hashed once.
#[derive(Debug, Clone, Default)]
pub struct TrailerHasher {
    hash: Sha256,
    held: Vec<u8>,
    size: u64,
}

/// What a checked stream was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    /// SHA-256 of the database image, as etcd sent it and as we counted it.
    pub database: Digest,
    /// SHA-256 of image and trailer together: of the file as etcdctl would have written it.
    pub whole: Digest,
    /// Bytes of image and trailer together.
    pub size: u64,
}

/// Why a stream is no snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TrailerError {
    /// The bytes are not a whole number of sectors and a digest: the stream was cut.
    #[error("{size} bytes are no database and digest: the stream was cut")]
    Cut {
        /// Bytes that came.
        size: u64,
    },
    /// The bytes are not those that etcd sent.
    #[error("digest mismatch: etcd sent {claimed}, the bytes give {actual}")]
    Mismatch {
        /// The last 32 bytes of the stream.
        claimed: Digest,
        /// The SHA-256 of all bytes before them.
        actual: Digest,
    },
}

/// The digest at the end of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trailer {
    /// It is that of the bytes before it.
    Held(Digest),
    /// There is none: a database file that did not come from the maintenance API, or one cut.
    Absent,
    /// It is another than that of the bytes before it.
    Wrong {
        /// The last 32 bytes of the file.
        claimed: Digest,
        /// The SHA-256 of all bytes before them.
        actual: Digest,
    },
}

/// The digest that a file has at its end, whether it holds or not; `None` where there is none.
pub(crate) fn claimed(file: &dyn ReadAt) -> io::Result<Option<Digest>> {
    let size = file.size()?;
    if size % SECTOR != 32 || size <= SECTOR {
        return Ok(None);
    }
    let mut claimed = [0; DIGEST_LEN];
    file.read_at(size.saturating_sub(32), &mut claimed)?;
    Ok(Some(Digest(claimed)))
}

/// Reads a file through and compares its digest. Hears after every 256 KiB how many bytes were
/// read, and may say to stop. Memory: those 256 KiB.
pub(crate) fn check(
    file: &dyn ReadAt,
    heed: &mut dyn FnMut(u64) -> ControlFlow<()>,
) -> Result<Trailer, SnapshotError> {
    const PIECE: u64 = 256 << 10;
    let size = file.size()?;
    if size % SECTOR != 32 || size <= SECTOR {
        return Ok(Trailer::Absent);
    }
    let mut hasher = TrailerHasher::default();
    let mut buffer = vec![0; usize::try_from(PIECE.min(size)).map_err(io::Error::other)?];
    let mut done = 0;
    while done < size {
        let left = usize::try_from(size.saturating_sub(done)).unwrap_or(usize::MAX);
        let len = buffer.len().min(left);
        let piece = buffer.get_mut(..len).unwrap_or_default();
        file.read_at(done, piece)?;
        hasher.push(piece);
        done = done.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
        if heed(done).is_break() {
            return Err(SnapshotError::Stopped);
        }
    }
    Ok(match hasher.finish() {
        Ok(proof) => Trailer::Held(proof.database),
        Err(TrailerError::Mismatch { claimed, actual }) => Trailer::Wrong { claimed, actual },
        Err(TrailerError::Cut { .. }) => Trailer::Absent,
    })
}

impl TrailerHasher {
    /// Takes the next bytes of the stream.
    pub fn push(&mut self, chunk: &[u8]) {
        self.size = self
            .size
            .saturating_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
        if let Some(settled) = chunk.len().checked_sub(DIGEST_LEN) {
            let (settled, last) = chunk.split_at(settled);
            self.hash.update(&self.held);
            self.hash.update(settled);
            self.held.clear();
            self.held.extend_from_slice(last);
        } else {
            self.held.extend_from_slice(chunk);
            let settled = self.held.len().saturating_sub(DIGEST_LEN);
            self.hash.update(self.held.split_at(settled).0);
            self.held.drain(..settled);
        }
    }

    /// Ends the stream and tells whether it was whole and true.
    pub fn finish(self) -> Result<Proof, TrailerError> {
        let size = self.size;
        let trailer = <[u8; DIGEST_LEN]>::try_from(self.held);
        let claimed = match trailer {
            Ok(bytes) if size % SECTOR == 32 && size > SECTOR => Digest(bytes),
            _ => return Err(TrailerError::Cut { size }),
        };
        let mut whole = self.hash.clone();
        whole.update(claimed.0);
        let actual = Digest(self.hash.finalize().into());
        if claimed != actual {
            return Err(TrailerError::Mismatch { claimed, actual });
        }
        Ok(Proof {
            database: actual,
            whole: Digest(whole.finalize().into()),
            size,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn digest(bytes: &[u8]) -> Digest {
        Digest(Sha256::digest(bytes).into())
    }

    fn stream(sectors: usize, seed: u8) -> Vec<u8> {
        let mut bytes: Vec<u8> = (0..=250)
            .cycle()
            .take(sectors * 512)
            .map(|byte: u8| byte ^ seed)
            .collect();
        let trailer = digest(&bytes);
        bytes.extend_from_slice(&trailer.0);
        bytes
    }

    fn check<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Result<Proof, TrailerError> {
        let mut hasher = TrailerHasher::default();
        chunks.into_iter().for_each(|chunk| hasher.push(chunk));
        hasher.finish()
    }

    proptest! {
        #[test]
        fn no_cut_of_the_stream_changes_the_verdict(
            sectors in 1usize..8, seed: u8, cuts in prop::collection::vec(0usize..4200, 0..12),
        ) {
            let bytes = stream(sectors, seed);
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let proof = check(cuts.windows(2).map(|w| &bytes[w[0]..w[1]])).unwrap();
            prop_assert_eq!(proof.database, digest(&bytes[..sectors * 512]));
            prop_assert_eq!(proof.whole, digest(&bytes));
            prop_assert_eq!(proof.size, bytes.len() as u64);
        }

        #[test]
        fn any_flipped_bit_is_caught(sectors in 1usize..4, seed: u8, at: usize, bit in 0u8..8) {
            let mut bytes = stream(sectors, seed);
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            let caught = matches!(check([&bytes[..]]), Err(TrailerError::Mismatch { .. }));
            prop_assert!(caught);
        }

        #[test]
        fn any_missing_tail_is_caught(sectors in 1usize..4, seed: u8, lost in 1usize..2000) {
            let bytes = stream(sectors, seed);
            let kept = bytes.len().saturating_sub(lost);
            prop_assert!(check([&bytes[..kept]]).is_err());
        }
    }

    #[test]
    fn a_digest_of_nothing_is_no_snapshot() {
        let empty = digest(b"");
        assert_eq!(check([&empty.0[..]]), Err(TrailerError::Cut { size: 32 }));
    }
}
