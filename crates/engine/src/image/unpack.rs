//! From stored bytes to a file of plain ones, bounded in memory, on disk and in what it takes.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::ops::ControlFlow;

use flate2::bufread::MultiGzDecoder;
use rollsnap_snapfile::Digest;
use sha2::{Digest as _, Sha256};
use zstd::stream::read::Decoder;

use super::error::decoding;
use super::{Form, Heed, ImageError, Scratch, zip};

/// Plain bytes decoded at once.
const BUFFER: usize = 256 << 10;

/// Stored bytes read at once.
pub(super) const STORED: usize = 128 << 10;

/// `zstd -d` takes no larger window either unless it is told to.
const WINDOW_LOG: u32 = 27;

/// bbolt `internal/common/types.go`: `Magic`, after a page header of 16 bytes.
const MAGIC: [u8; 4] = 0xED0C_DAED_u32.to_le_bytes();
const MAGIC_AT: usize = 16;

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// A database, refused when it does not begin as one.
    Database,
    /// What a database will be taken from.
    Stored,
}

/// A stream that was unpacked.
pub(super) struct Unpacked {
    /// The plain bytes.
    pub(super) file: File,
    /// What they were kept as.
    pub(super) form: Form,
    /// The number of stored bytes.
    pub(super) size: u64,
    /// Their digest, where they are others than the plain ones.
    pub(super) digest: Option<Digest>,
}

/// Unpacks a stream, of a zip the snapshot of this name.
pub(super) fn stream(
    source: &mut dyn Read,
    expected: Option<u64>,
    name: Option<&str>,
    scratch: &Scratch,
    heed: &mut Heed<'_>,
) -> Result<Unpacked, ImageError> {
    let (count, hash) = (Cell::new(0), RefCell::default());
    let mut source = Counted {
        source,
        count: &count,
        hash: &hash,
    };
    let mut magic = Vec::new();
    (&mut source)
        .take(4)
        .read_to_end(&mut magic)
        .map_err(ImageError::Read)?;
    let form = Form::of_head(&magic);
    if form != Form::Raw {
        hash.replace(Some(Sha256::new_with_prefix(&magic)));
    }
    let source = BufReader::with_capacity(STORED, magic.chain(source));
    let mut told = |_| heed(count.get(), expected.unwrap_or(0));

    let database = What::Database;
    let file = match form {
        Form::Raw => write(&mut { source }, database, expected, scratch, &mut told)?,
        Form::Gzip => {
            let mut plain = MultiGzDecoder::new(source);
            write(&mut plain, database, None, scratch, &mut told)?
        }
        Form::Zstd | Form::Seekable => {
            let mut plain = Decoder::with_buffer(source).map_err(decoding)?;
            plain.window_log_max(WINDOW_LOG).map_err(decoding)?;
            write(&mut plain, database, None, scratch, &mut told)?
        }
        Form::Zip | Form::SeekableZip => {
            let file = write(&mut { source }, What::Stored, expected, scratch, &mut told)?;
            zip::unpack(&file, name, scratch, heed)?
        }
    };
    match expected {
        Some(expected) if expected != count.get() => Err(ImageError::Corrupt(format!(
            "{} stored bytes came where {expected} were told",
            count.get()
        ))),
        _ => Ok(Unpacked {
            file,
            form,
            size: count.get(),
            digest: hash.take().map(|hash| Digest(hash.finalize().into())),
        }),
    }
}

/// Writes plain bytes, exactly as many as `declared` where that is known, into a new file.
pub(super) fn write(
    plain: &mut dyn Read,
    what: What,
    declared: Option<u64>,
    scratch: &Scratch,
    told: &mut dyn FnMut(u64) -> ControlFlow<()>,
) -> Result<File, ImageError> {
    if let Some(declared) = declared {
        scratch.check_room(declared)?;
    }
    let mut file = None;
    let mut written = 0_u64;
    let mut buffer = vec![0; BUFFER];
    loop {
        let piece = fill(plain, &mut buffer).map_err(decoding)?;
        let file = match &mut file {
            Some(file) => file,
            None if what == What::Database && !is_database(piece) => {
                let text = "holds no etcd database: neither of its first two pages begins as one";
                return Err(ImageError::Corrupt(text.into()));
            }
            none => none.insert(scratch.file()?),
        };
        let next = written.saturating_add(piece.len() as u64);
        match declared {
            Some(declared) if next > declared => return Err(differs(declared, "more")),
            Some(_) => {}
            None => scratch.check_room(piece.len() as u64)?,
        }
        file.write_all(piece)
            .map_err(|error| scratch.fault(error))?;
        written = next;
        if told(written).is_break() {
            return Err(ImageError::Stopped);
        }
        if piece.len() < BUFFER {
            break;
        }
    }
    match (file, declared) {
        (_, Some(declared)) if declared != written => Err(differs(declared, "fewer")),
        (Some(file), _) => Ok(file),
        (None, _) => scratch.file(),
    }
}

fn differs(declared: u64, how: &str) -> ImageError {
    ImageError::Corrupt(format!("holds {how} bytes than the {declared} it tells of"))
}

/// Whether the first page, or the second at any usual page size, is a database's meta page.
///
/// One of them is enough: which of them holds is for the reader to find.
fn is_database(head: &[u8]) -> bool {
    let pages = std::iter::once(0).chain((10..=16).map(|shift| 1_usize << shift));
    pages
        .filter_map(|page| head.get(page + MAGIC_AT..)?.get(..MAGIC.len()))
        .any(|magic| magic == MAGIC)
}

/// Fills the buffer, less only at the end.
fn fill<'a>(source: &mut dyn Read, buffer: &'a mut [u8]) -> io::Result<&'a [u8]> {
    let mut len = 0;
    while len < buffer.len() {
        match source.read(&mut buffer[len..]) {
            Ok(0) => break,
            Ok(more) => len += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(&buffer[..len])
}

/// Counts what is read, and hashes it where that is wanted.
struct Counted<'a> {
    source: &'a mut dyn Read,
    count: &'a Cell<u64>,
    hash: &'a RefCell<Option<Sha256>>,
}

impl Read for Counted<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = self.source.read(buf)?;
        self.count.set(self.count.get() + len as u64);
        if let Some(hash) = &mut *self.hash.borrow_mut() {
            hash.update(&buf[..len]);
        }
        Ok(len)
    }
}
