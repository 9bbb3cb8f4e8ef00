//! The file: pages one after the other, then the metas at its start.

use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};

use sha2::{Digest as _, Sha256};

use crate::Digest;

use super::super::meta::{MAGIC, MIN_PAGE, NO_FREE_LIST, VERSION, fnv1a};
use super::{BuildError, Filling};

const MAX_PAGE: u32 = 64 * 1024;
const BUFFER: usize = 256 * 1024;
const META: u16 = 0x04;
/// bbolt refuses a file that is shorter (bbolt `db.go`, `Open`).
const MIN_FILE: u64 = 4096;

/// How much goes into a page.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    /// Bytes of a page.
    pub(super) page: usize,
    /// Bytes after which a page is full: etcd fills to nine tenths.
    pub(super) full: usize,
    /// Bytes up to which a bucket's only leaf is kept in the bucket's own value
    /// (bbolt `bucket.go`, `maxInlineBucketSize`).
    pub(super) inline: usize,
}

#[derive(Debug)]
pub(super) struct Pages<W: Write + Seek> {
    out: BufWriter<W>,
    page_size: u32,
    layout: Layout,
    /// The number of the next page: pages are written in order.
    next: u64,
    broken: bool,
}

impl<W: Write + Seek> Pages<W> {
    /// Leaves the place of the metas empty.
    pub(super) fn begin(out: W, page_size: u32) -> Result<Self, BuildError> {
        if !page_size.is_power_of_two() || !(MIN_PAGE..=MAX_PAGE).contains(&page_size) {
            return Err(BuildError::PageSize(page_size));
        }
        let page = usize::try_from(page_size).map_err(|_| BuildError::PageSize(page_size))?;
        let layout = Layout {
            page,
            full: page.saturating_mul(9) / 10,
            inline: page / 4,
        };
        let mut out = BufWriter::with_capacity(BUFFER, out);
        for _ in 0..2 {
            out.write_all(&vec![0; page])?;
        }
        Ok(Self {
            out,
            page_size,
            layout,
            next: 2,
            broken: false,
        })
    }

    pub(super) fn layout(&self) -> Layout {
        self.layout
    }

    /// Writes a page with its overflow and tells its number.
    pub(super) fn write(&mut self, filling: &Filling) -> io::Result<u64> {
        // Half a page may have been written: what follows would not stand where it says.
        if self.broken {
            return Err(io::Error::other("an earlier write failed"));
        }
        self.broken = true;
        let id = self.next;
        let run = filling.size().div_ceil(self.layout.page);
        let end = run.saturating_mul(self.layout.page);
        let overflow = u32::try_from(run.saturating_sub(1)).map_err(io::Error::other)?;
        filling.write_to(id, overflow, &mut self.out)?;
        self.out
            .write_all(&vec![0; end.saturating_sub(filling.size())])?;
        self.next = id.saturating_add(u64::from(overflow)).saturating_add(1);
        self.broken = false;
        Ok(id)
    }

    /// Writes both metas: transaction 0 on page 0 and 1 on page 1, as in a new database, with one
    /// root.
    pub(super) fn write_metas(&mut self, root: u64) -> io::Result<()> {
        if self.broken {
            return Err(io::Error::other("an earlier write failed"));
        }
        // Pages that nothing names are free.
        while self.next.saturating_mul(u64::from(self.page_size)) < MIN_FILE {
            self.out.write_all(&vec![0; self.layout.page])?;
            self.next = self.next.saturating_add(1);
        }
        self.out.seek(SeekFrom::Start(0))?;
        for number in [0_u64, 1] {
            let mut page = Vec::with_capacity(self.layout.page);
            page.extend_from_slice(&number.to_le_bytes());
            page.extend_from_slice(&META.to_le_bytes());
            page.extend_from_slice(&[0; 6]);
            let meta = self.meta(root, number);
            page.extend_from_slice(&meta);
            page.extend_from_slice(&fnv1a(&meta).to_le_bytes());
            page.resize(self.layout.page, 0);
            self.out.write_all(&page)?;
        }
        Ok(())
    }

    /// The fields of a meta that its checksum covers.
    fn meta(&self, root: u64, txid: u64) -> Vec<u8> {
        let mut meta = Vec::with_capacity(64);
        for field in [MAGIC, VERSION, self.page_size, 0] {
            meta.extend_from_slice(&field.to_le_bytes());
        }
        for field in [root, 0, NO_FREE_LIST, self.next, txid] {
            meta.extend_from_slice(&field.to_le_bytes());
        }
        meta
    }

    /// Flushes, and gives the file back.
    pub(super) fn into_file(self) -> io::Result<W> {
        self.out
            .into_inner()
            .map_err(io::IntoInnerError::into_error)
    }
}

/// Appends the SHA-256 of all that is in the file.
pub(super) fn append_trailer(file: &mut (impl Read + Write + Seek)) -> io::Result<Digest> {
    file.seek(SeekFrom::Start(0))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; BUFFER];
    loop {
        let read = match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hash.update(buffer.get(..read).unwrap_or_default());
    }
    let digest = Digest(hash.finalize().into());
    file.write_all(&digest.0)?;
    file.flush()?;
    Ok(digest)
}
