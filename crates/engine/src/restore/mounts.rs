//! Whether something is mounted at a path.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::disk::fault;
use super::error::RestoreError;

const TABLE: &str = "/proc/self/mountinfo";

/// Whether a file system begins there, or a part of the same one is bound there. Nothing can take
/// the place of such a directory. `path` is whole; a link at its
/// end is none.
pub(super) fn is_mount_point(path: &Path) -> Result<bool, RestoreError> {
    let Some(parent) = path.parent() else {
        return Ok(true);
    };
    let is_other = match (fs::symlink_metadata(path), fs::metadata(parent)) {
        (Ok(here), Ok(above)) => here.dev() != above.dev(),
        (Err(error), _) | (_, Err(error)) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(false);
        }
        (Err(error), _) | (_, Err(error)) => return Err(fault("look at", path, error)),
    };
    // A binding of the same file system shows in nothing but the table. Where that cannot be read,
    // the exchange itself refuses.
    Ok(is_other || fs::read(TABLE).is_ok_and(|table| points(&table).any(|point| point == path)))
}

/// The mount points of a table: the fifth field of each line (proc(5)).
fn points(table: &[u8]) -> impl Iterator<Item = PathBuf> {
    let lines = table.split(|byte| *byte == b'\n');
    lines.filter_map(|line| {
        let field = line.split(|byte| *byte == b' ').nth(4)?;
        Some(PathBuf::from(OsString::from_vec(unescaped(field))))
    })
}

/// Spaces, tabs, line ends and backslashes are three octal digits behind a backslash there.
fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..3).filter(|_| *first == b'\\');
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        let escaped = digits.and_then(|digits| u8::from_str_radix(digits, 8).ok());
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() {
            &after[3..]
        } else {
            after
        };
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_tells_its_mount_points() {
        let table = b"36 35 98:0 /mnt1 /var/lib/etcd rw,noatime master:1 - ext3 /dev/root rw\n\
                      37 35 98:0 / /with\\040space\\134 rw - tmpfs tmpfs rw\n\n";
        let points: Vec<_> = points(table).collect();
        assert_eq!(
            points,
            [Path::new("/var/lib/etcd"), Path::new("/with space\\")]
        );
    }
}
