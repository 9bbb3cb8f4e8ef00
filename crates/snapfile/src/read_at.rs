//! Bytes that can be read at any place: a file, a buffer, something far away.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};

/// What a file was at a moment. The same one with the same stamp has the same bytes, unless
/// somebody wrote within the same tick of the file system's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    /// Of the inode: nobody can set it.
    changed: (i64, i64),
}

/// Positioned reads of something that does not change while it is read.
pub trait ReadAt: Send + Sync {
    /// Size in bytes.
    fn size(&self) -> io::Result<u64>;

    /// Fills `buf` with the bytes from `offset` on, or fails: with
    /// [`io::ErrorKind::UnexpectedEof`] when they do not all exist.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()>;

    /// What tells whether it was changed since; `None` where nothing does.
    fn stamp(&self) -> io::Result<Option<Stamp>> {
        Ok(None)
    }
}

impl ReadAt for File {
    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.read_exact_at(buf, offset)
    }

    fn stamp(&self) -> io::Result<Option<Stamp>> {
        let meta = self.metadata()?;
        Ok(Some(Stamp {
            device: meta.dev(),
            inode: meta.ino(),
            size: meta.len(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        }))
    }
}

impl ReadAt for [u8] {
    fn size(&self) -> io::Result<u64> {
        u64::try_from(self.len()).map_err(io::Error::other)
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let from = usize::try_from(offset).ok();
        let bytes = from
            .and_then(|from| self.get(from..from.checked_add(buf.len())?))
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        buf.copy_from_slice(bytes);
        Ok(())
    }
}

impl ReadAt for Vec<u8> {
    fn size(&self) -> io::Result<u64> {
        self.as_slice().size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.as_slice().read_at(offset, buf)
    }
}

impl<T: ReadAt + ?Sized> ReadAt for &T {
    fn size(&self) -> io::Result<u64> {
        (**self).size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        (**self).read_at(offset, buf)
    }

    fn stamp(&self) -> io::Result<Option<Stamp>> {
        (**self).stamp()
    }
}
