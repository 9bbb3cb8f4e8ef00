//! Whether there is room for what will come.

use std::io;
use std::path::Path;

use crate::{ErrorKind, StoreError};

/// Refuses when the file system of `dir` has fewer than `needed` bytes free.
///
/// Counted is what an ordinary user may take (`f_bavail` of statvfs(3)): a snapshot does not eat
/// into what is kept back for root.
pub(super) fn check(dir: &Path, object: &Path, needed: u64) -> Result<(), StoreError> {
    let stat = rustix::fs::statvfs(dir)
        .map_err(|error| StoreError::io("measure", dir.display(), error.into()))?;
    if stat.f_blocks == 0 {
        // Some network file systems tell nothing; the writes will.
        return Ok(());
    }
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    if needed <= free {
        return Ok(());
    }
    let message = format!("needs {}, free are {}", human(needed), human(free));
    Err(full(StoreError::at(
        ErrorKind::Full,
        "write",
        object.display(),
        message,
    )))
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
fn human(bytes: u64) -> String {
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
