//! Whether there is room for what will come.

use std::io;
use std::path::Path;

use crate::{ErrorKind, StoreError};

/// The bytes of a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// What an ordinary user may take (`f_bavail` of statvfs(3)): a snapshot does not eat into what
    /// is kept back for root.
    pub free: u64,
    /// All of them.
    pub all: u64,
}

impl Space {
    /// Of the file system of a directory. None where it tells nothing, as some network ones: the
    /// writes will.
    pub fn of(dir: &Path) -> io::Result<Option<Self>> {
        let stat = rustix::fs::statvfs(dir)?;
        let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
        Ok((stat.f_blocks > 0).then(|| Self {
            free: bytes(stat.f_bavail),
            all: bytes(stat.f_blocks),
        }))
    }
}

/// The bytes that are free on the file system of `dir`.
pub(super) fn free(dir: &Path) -> Result<Option<u64>, StoreError> {
    let space = Space::of(dir).map_err(|error| StoreError::io("measure", dir.display(), error))?;
    Ok(space.map(|space| space.free))
}

/// Refuses when the file system of `dir` has fewer than `needed` bytes free.
pub(super) fn check(dir: &Path, object: &Path, needed: u64) -> Result<(), StoreError> {
    let free = match free(dir)? {
        // The writes will tell.
        None => return Ok(()),
        Some(free) if needed <= free => return Ok(()),
        Some(free) => free,
    };
    let message = format!("needs {}, free are {}", human(needed), human(free));
    Err(full(StoreError::at(
        ErrorKind::Full,
        "write",
        object.display(),
        message,
    )))
}

/// The error of a directory whose file system is full.
pub(super) fn none(dir: &Path) -> StoreError {
    full(StoreError::at(
        ErrorKind::Full,
        "write to",
        dir.display(),
        "no space is left",
    ))
}

/// The error of a write, with what helps when the disk is full.
pub(super) fn write_error(object: &Path, error: io::Error) -> StoreError {
    let error = StoreError::io("write", object.display(), error);
    match error.kind() {
        ErrorKind::Full => full(error),
        _ => error,
    }
}

fn full(error: StoreError) -> StoreError {
    error
        .with_hint("free space on this file system, keep fewer snapshots, or use another directory")
}

/// Bytes as people say them: `512 B`, `1.5 GiB`.
pub(super) fn human(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    // 2^60 is the largest power below 2^64, so the index stays inside the table.
    let power = bytes.ilog2() / 10;
    let tenths = (u128::from(bytes) * 10) >> (power * 10);
    let unit = UNITS[power as usize - 1];
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_said_in_binary_units_cut_to_a_tenth() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1024 * 1024 - 1, "1023.9 KiB"),
            (3 << 29, "1.5 GiB"),
            (u64::MAX, "15.9 EiB"),
        ] {
            assert_eq!(human(bytes), text);
        }
    }
}
