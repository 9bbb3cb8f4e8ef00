//! Positioned bytes as a sequence, for decoders that read one.

use std::io::{self, Read, Seek, SeekFrom};

use rollsnap_snapfile::ReadAt;

/// The stored bytes from a place on.
#[derive(Clone)]
pub(super) struct Sequence<'a> {
    stored: &'a dyn ReadAt,
    size: u64,
    at: u64,
}

impl<'a> Sequence<'a> {
    pub(super) fn new(stored: &'a dyn ReadAt) -> io::Result<Self> {
        Ok(Self {
            stored,
            size: stored.size()?,
            at: 0,
        })
    }
}

impl Read for Sequence<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = self.size.saturating_sub(self.at);
        let len = usize::try_from(left).unwrap_or(usize::MAX).min(buf.len());
        self.stored.read_at(self.at, &mut buf[..len])?;
        self.at += len as u64;
        Ok(len)
    }
}

impl Seek for Sequence<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.size.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
