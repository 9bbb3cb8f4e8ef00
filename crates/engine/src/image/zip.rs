//! The one snapshot in a zip, as RKE's sidecar, Rancher and [`Codec::Zip`](crate::Codec) keep them.
//!
//! The sidecar writes an entry with the absolute path of the file, `/backup/NAME`, and since
//! v0.1.62 a second one with the state of the cluster, `/etc/kubernetes/NAME.rkestate` (rke-tools
//! `main.go`). Names are read to choose and for nothing else.

use std::fs::File;
use std::io::{BufReader, Read};

use ::zip::read::{Config, ZipFileEntry, ZipReadOptions};
use ::zip::result::ZipError;
use ::zip::unstable::read::ZipIterable;
use rollsnap_snapfile::ReadAt;
use zeroize::Zeroizing;

use super::error::decoding;
use super::sequence::Sequence;
use super::unpack::{STORED, What, write};
use super::{Form, Heed, ImageError, Scratch};
use crate::enclosure::MOST_ENCLOSED;

/// Entries that are looked at. The sidecar writes two.
const MOST_ENTRIES: usize = 1000;

/// Names in an error.
const MOST_NAMED: usize = 5;

const STATE: &[u8] = b".rkestate";

/// Where the sidecar had its snapshots, and so what their entries' names begin with.
const SNAPSHOTS: &[u8] = b"/backup/";

/// Unpacks the snapshot, which is called `wanted` where that is known.
pub(super) fn unpack(
    stored: &dyn ReadAt,
    wanted: Option<&str>,
    scratch: &Scratch,
    heed: &mut Heed<'_>,
) -> Result<File, ImageError> {
    let sequence = Sequence::new(stored).map_err(ImageError::Read)?;
    let entry = Entries::read(sequence.clone())?.snapshot(wanted)?;
    let size = entry.size();
    let mut sequence = BufReader::with_capacity(STORED, sequence);
    let mut plain = entry
        .with_reader(&mut sequence, ZipReadOptions::new())
        .map_err(told)?;
    let mut heed = |written| heed(written, size);
    write(&mut plain, What::Database, Some(size), scratch, &mut heed)
}

/// The state of the cluster that lies in a zip beside the snapshot; `None` where there is none and
/// in what is no zip. It holds the cluster's private keys and is wiped when it is dropped.
///
/// Reads the stored bytes in place, the zip's end and this entry. Memory: the state,
/// [`MOST_ENCLOSED`] at most; more is refused. Blocks.
pub fn state_in(stored: &dyn ReadAt) -> Result<Option<Zeroizing<Vec<u8>>>, ImageError> {
    let form = Form::of(stored).map_err(ImageError::Read)?;
    if !matches!(form, Form::Zip | Form::SeekableZip) {
        return Ok(None);
    }
    let sequence = Sequence::new(stored).map_err(ImageError::Read)?;
    let mut states = Entries::read(sequence.clone())?.states;
    let Some(entry) = states.pop() else {
        return Ok(None);
    };
    if !states.is_empty() {
        states.push(entry);
        let text = format!("the zip holds several states: {}", names(&states));
        return Err(ImageError::Unsuitable(text));
    }
    let size = usize::try_from(entry.size()).unwrap_or(usize::MAX);
    if size > MOST_ENCLOSED {
        let text =
            format!("the state in the zip has {size} bytes, at most {MOST_ENCLOSED} are read");
        return Err(ImageError::Unsuitable(text));
    }
    let mut sequence = BufReader::with_capacity(STORED, sequence);
    let plain = entry
        .with_reader(&mut sequence, ZipReadOptions::new())
        .map_err(told)?;
    // One more than is told, so that a size that lies is found; all at once, so that no copy of
    // it is left behind in memory.
    let mut state = Zeroizing::new(Vec::with_capacity(size + 1));
    let read = plain.take(size as u64 + 1).read_to_end(&mut state);
    if read.map_err(decoding)? != size {
        let text = format!("the state in the zip has other than the {size} bytes it tells of");
        return Err(ImageError::Corrupt(text));
    }
    Ok(Some(state))
}

/// What a zip holds.
#[derive(Default)]
struct Entries {
    /// What may be a snapshot.
    snapshots: Vec<ZipFileEntry<'static>>,
    states: Vec<ZipFileEntry<'static>>,
    directories: Vec<ZipFileEntry<'static>>,
}

impl Entries {
    fn read(stored: Sequence<'_>) -> Result<Self, ImageError> {
        let mut archive = ZipIterable::try_new(stored, Config::default()).map_err(told)?;
        if archive.len() > MOST_ENTRIES {
            let text = format!("the zip has {} entries; one is a snapshot", archive.len());
            return Err(ImageError::Unsuitable(text));
        }
        let mut all = Self::default();
        for entry in archive.files().map_err(told)? {
            let entry = entry.map_err(told)?;
            let kind = if entry.is_dir() {
                &mut all.directories
            } else if entry.name_raw().ends_with(STATE) {
                &mut all.states
            } else {
                &mut all.snapshots
            };
            kind.push(entry);
        }
        Ok(all)
    }

    /// The entry that the sidecar would take for the snapshot of this name; else the only one that
    /// is called so wherever it was; else the only one at all, for zips are renamed.
    fn snapshot(mut self, wanted: Option<&str>) -> Result<ZipFileEntry<'static>, ImageError> {
        if let Some(wanted) = wanted {
            let is_exact = |name: &[u8]| name.strip_prefix(SNAPSHOTS) == Some(wanted.as_bytes());
            let is_called =
                |name: &[u8]| name.rsplit(|byte| *byte == b'/').next() == Some(wanted.as_bytes());
            for fits in [&is_exact as &dyn Fn(&[u8]) -> bool, &is_called] {
                let mut fitting =
                    (0..self.snapshots.len()).filter(|at| fits(self.snapshots[*at].name_raw()));
                if let (Some(only), None) = (fitting.next(), fitting.next()) {
                    return Ok(self.snapshots.swap_remove(only));
                }
            }
        }
        match self.snapshots.pop() {
            Some(only) if self.snapshots.is_empty() => Ok(only),
            Some(last) => {
                self.snapshots.push(last);
                let text = format!("the zip holds several files: {}", names(&self.snapshots));
                Err(ImageError::Unsuitable(text))
            }
            None => Err(ImageError::Unsuitable(self.nothing())),
        }
    }

    fn nothing(mut self) -> String {
        self.states.append(&mut self.directories);
        if self.states.is_empty() {
            return "the zip holds nothing".to_owned();
        }
        format!("the zip holds no snapshot, only {}", names(&self.states))
    }
}

fn names(entries: &[ZipFileEntry<'_>]) -> String {
    let name = |entry: &ZipFileEntry<'_>| {
        let name = String::from_utf8_lossy(entry.name_raw());
        name.escape_debug().take(100).collect::<String>()
    };
    let mut names: Vec<_> = entries.iter().take(MOST_NAMED).map(name).collect();
    if entries.len() > MOST_NAMED {
        names.push(format!("and {} more", entries.len() - MOST_NAMED));
    }
    names.join(", ")
}

/// An error of the library in our words.
fn told(error: ZipError) -> ImageError {
    match error {
        ZipError::Io(error) => decoding(error),
        ZipError::UnsupportedArchive(why) => {
            ImageError::Unsuitable(format!("the zip cannot be read: {why}"))
        }
        ZipError::InvalidArchive(why) => {
            ImageError::Corrupt(format!("the zip is cut or broken: {why}"))
        }
        error => ImageError::Corrupt(format!("the zip is cut or broken: {error}")),
    }
}
