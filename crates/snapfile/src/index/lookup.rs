//! Looking a key up.

use std::fmt;
use std::io;

use crate::bolt::{BoltError, Database};
use crate::mvcc::{KEY_BUCKET, LiveKey, OwnedKey, Record, Revision, fingerprint};
use crate::{Digest, ReadAt, SnapshotError, trailer};

use super::{
    BLOCK, CHECKSUM, ENTRIES, ENTRY, FOOTER, MAGIC, Place, VERSION, blocks_of, checksum, size_of,
};

/// Blocks read on either side of the likeliest: of a million keys a fingerprint lies within them
/// in 19 of 20 cases.
const AROUND: u64 = 4;

/// Reads that go where a fingerprint should lie. Those of made-up keys lie elsewhere: the others
/// halve what is left, so that no index takes more than about 60.
const GUESSES: u32 = 4;

/// An open index. Memory: 10 blocks.
pub struct KeyIndex<'f> {
    file: &'f dyn ReadAt,
    database: Digest,
    count: u64,
}

/// Why an index tells nothing.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// It cannot be read.
    #[error("read index")]
    Read(#[source] io::Error),
    /// It is not whole, or not of this snapshot.
    #[error("{0}")]
    Unfit(&'static str),
    /// The snapshot itself cannot be read where the index points.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
}

impl From<BoltError> for IndexError {
    fn from(error: BoltError) -> Self {
        Self::Snapshot(error.into())
    }
}

/// A key at the last revision of a snapshot, by its index; `None` where it is absent.
///
/// Reads the end of both files, some 36 KiB of the index, and a page of each level. Nothing is
/// believed that does not fit: [`IndexError::Unfit`] says that [`get`](crate::mvcc::get) has to be
/// asked instead.
pub fn get_by_index(
    snapshot: &dyn ReadAt,
    index: &dyn ReadAt,
    key: &[u8],
) -> Result<Option<OwnedKey>, IndexError> {
    let index = KeyIndex::open(index)?;
    let claimed = trailer::claimed(snapshot).map_err(SnapshotError::Read)?;
    if claimed != Some(index.database) {
        return Err(IndexError::Unfit("it is of another snapshot"));
    }
    let Some(revision) = index.find(key)? else {
        return Ok(None);
    };
    let found = Database::open(snapshot)?.get(KEY_BUCKET, &revision.to_bytes())?;
    let record = found.as_deref().map(Record::parse).transpose();
    let record = record.ok().flatten().filter(|record| record.key == key);
    let record = record.ok_or(IndexError::Unfit("it points to another key"))?;
    Ok(Some(LiveKey { revision, record }.to_owned()))
}

impl<'f> KeyIndex<'f> {
    /// Reads the end of an index.
    pub fn open(file: &'f dyn ReadAt) -> Result<Self, IndexError> {
        let size = file.size().map_err(IndexError::Read)?;
        let mut footer = [0; FOOTER];
        let start = u64::try_from(FOOTER).ok();
        let start = start.and_then(|len| size.checked_sub(len));
        let start = start.ok_or(IndexError::Unfit("it is cut"))?;
        file.read_at(start, &mut footer).map_err(IndexError::Read)?;
        let (index, version) =
            Self::parse(file, &footer).ok_or(IndexError::Unfit("it is cut, or is no index"))?;
        if version != VERSION {
            return Err(IndexError::Unfit("a newer program wrote it"));
        }
        if size_of(index.count) != Some(size) {
            return Err(IndexError::Unfit("it has not the size that it tells of"));
        }
        Ok(index)
    }

    fn parse(file: &'f dyn ReadAt, footer: &[u8]) -> Option<(Self, u32)> {
        let (database, rest) = footer.split_first_chunk()?;
        let (count, rest) = rest.split_first_chunk()?;
        let (told, rest) = rest.split_first_chunk()?;
        let (version, magic) = rest.split_first_chunk()?;
        if magic != MAGIC || checksum(&[database, count, version]) != *told {
            return None;
        }
        let index = Self {
            file,
            database: Digest(*database),
            count: u64::from_le_bytes(*count),
        };
        Some((index, u32::from_le_bytes(*version)))
    }

    /// The digest of the database that it tells of.
    pub fn database(&self) -> Digest {
        self.database
    }

    /// The keys that it lists.
    pub fn len(&self) -> u64 {
        self.count
    }

    /// Whether it lists none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Where the last record of a key lies, or of another with the same fingerprint; `None` where
    /// it is not listed.
    pub fn find(&self, key: &[u8]) -> Result<Option<Revision>, IndexError> {
        let wanted = fingerprint(key);
        let mut field = Field {
            from: 0,
            to: blocks_of(self.count),
            low: 0,
            high: u64::MAX,
        };
        let mut guesses = 0;
        while field.from < field.to {
            let likely = if guesses < GUESSES {
                field.likeliest(wanted)
            } else {
                field.from.midpoint(field.to)
            };
            guesses = guesses.saturating_add(1);
            let first = likely.saturating_sub(AROUND).max(field.from);
            let end = likely
                .saturating_add(AROUND)
                .saturating_add(1)
                .min(field.to);
            let run = self.run(first, end)?;
            match run.binary_search_by_key(&wanted, |(fingerprint, _)| *fingerprint) {
                Ok(at) => return Ok(run.get(at).map(|(_, place)| place.revision())),
                Err(at) => match (run.first(), run.last()) {
                    (Some((least, _)), _) if at == 0 => {
                        (field.to, field.high) = (first, *least);
                    }
                    (_, Some((most, _))) if at == run.len() => {
                        (field.from, field.low) = (end, *most);
                    }
                    _ => return Ok(None),
                },
            }
        }
        Ok(None)
    }

    /// The entries of some neighbouring blocks, checked.
    fn run(&self, first: u64, end: u64) -> Result<Vec<(u64, Place)>, IndexError> {
        let damaged = || IndexError::Unfit("a block of it is damaged");
        let mut run: Vec<(u64, Place)> = Vec::new();
        let mut bytes = self.read(first, end)?;
        let full = usize::try_from(BLOCK).unwrap_or(usize::MAX);
        for (number, block) in (first..end).zip(bytes.chunks_mut(full)) {
            let entries = block.len().checked_sub(CHECKSUM);
            let (entries, told) = entries
                .and_then(|len| block.split_at_checked(len))
                .ok_or_else(damaged)?;
            if checksum(&[&self.database.0, &number.to_le_bytes(), entries]) != *told {
                return Err(damaged());
            }
            for entry in entries.chunks_exact(ENTRY) {
                let (fingerprint, place) = entry.split_first_chunk().ok_or_else(damaged)?;
                let place = place.try_into().map_err(|_| damaged())?;
                let fingerprint = u64::from_le_bytes(*fingerprint);
                if run.last().is_some_and(|(last, _)| *last >= fingerprint) {
                    return Err(IndexError::Unfit("it is out of order"));
                }
                run.push((fingerprint, Place(u64::from_le_bytes(place))));
            }
        }
        Ok(run)
    }

    /// The bytes of some neighbouring blocks.
    fn read(&self, first: u64, end: u64) -> Result<Vec<u8>, IndexError> {
        let left = self.count.saturating_sub(first.saturating_mul(ENTRIES));
        let wanted = end.saturating_sub(first).saturating_mul(ENTRIES).min(left);
        let footer = u64::try_from(FOOTER).unwrap_or_default();
        let len = size_of(wanted).and_then(|size| usize::try_from(size.checked_sub(footer)?).ok());
        let len = len.ok_or(IndexError::Unfit("a block of it is too long"))?;
        let mut bytes = vec![0; len];
        let offset = first.saturating_mul(BLOCK);
        self.file
            .read_at(offset, &mut bytes)
            .map_err(IndexError::Read)?;
        Ok(bytes)
    }
}

impl fmt::Debug for KeyIndex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyIndex({} keys of {})", self.count, self.database)
    }
}

/// The blocks that may have a fingerprint, and the fingerprints around them.
struct Field {
    from: u64,
    to: u64,
    low: u64,
    high: u64,
}

impl Field {
    /// The block that has it, if all between the two lie evenly.
    fn likeliest(&self, wanted: u64) -> u64 {
        let blocks = u128::from(self.to.saturating_sub(self.from));
        let past = u128::from(wanted.saturating_sub(self.low));
        let width = u128::from(self.high.saturating_sub(self.low)).saturating_add(1);
        let ahead = past.saturating_mul(blocks).checked_div(width);
        let ahead = ahead.and_then(|it| u64::try_from(it).ok());
        let last = self.to.saturating_sub(1);
        self.from.saturating_add(ahead.unwrap_or(0)).min(last)
    }
}
