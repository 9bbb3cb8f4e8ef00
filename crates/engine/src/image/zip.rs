//! The one snapshot in a zip, as RKE's sidecar and Rancher keep them.
//!
//! The sidecar writes an entry with the absolute path of the file, `/backup/NAME`, and since
//! v0.1.62 a second one with the state of the cluster, `/etc/kubernetes/NAME.rkestate` (rke-tools
//! `main.go`). Names are read to choose and for nothing else.

use std::fs::File;
use std::io::BufReader;

use ::zip::read::{Config, ZipFileEntry, ZipReadOptions};
use ::zip::result::ZipError;
use ::zip::unstable::read::ZipIterable;
use rollsnap_snapfile::ReadAt;

use super::error::decoding;
use super::sequence::Sequence;
use super::unpack::{STORED, What, write};
use super::{Heed, ImageError, Scratch};

/// Entries that are looked at. The sidecar writes two.
const MOST_ENTRIES: usize = 1000;

/// Names in an error.
const MOST_NAMED: usize = 5;

const STATE: &[u8] = b".rkestate";

/// Unpacks the snapshot.
pub(super) fn unpack(
    stored: &dyn ReadAt,
    scratch: &Scratch,
    heed: &mut Heed<'_>,
) -> Result<File, ImageError> {
    let sequence = Sequence::new(stored).map_err(ImageError::Read)?;
    let entry = choose(sequence.clone())?;
    let size = entry.size();
    let mut sequence = BufReader::with_capacity(STORED, sequence);
    let mut plain = entry
        .with_reader(&mut sequence, ZipReadOptions::new())
        .map_err(told)?;
    let mut heed = |written| heed(written, size);
    write(&mut plain, What::Database, Some(size), scratch, &mut heed)
}

/// The only entry that may be a snapshot.
fn choose(stored: Sequence<'_>) -> Result<ZipFileEntry<'static>, ImageError> {
    let mut archive = ZipIterable::try_new(stored, Config::default()).map_err(told)?;
    if archive.len() > MOST_ENTRIES {
        let text = format!("the zip has {} entries; one is a snapshot", archive.len());
        return Err(ImageError::Unsuitable(text));
    }
    let mut chosen = Vec::new();
    let mut others = Vec::new();
    for entry in archive.files().map_err(told)? {
        let entry = entry.map_err(told)?;
        if entry.is_dir() || entry.name_raw().ends_with(STATE) {
            others.push(entry);
        } else {
            chosen.push(entry);
        }
    }
    match chosen.pop() {
        Some(only) if chosen.is_empty() => Ok(only),
        Some(last) => {
            chosen.push(last);
            let text = format!("the zip holds several files: {}", names(&chosen));
            Err(ImageError::Unsuitable(text))
        }
        None if others.is_empty() => {
            Err(ImageError::Unsuitable("the zip holds nothing".to_owned()))
        }
        None => {
            let text = format!("the zip holds no snapshot, only {}", names(&others));
            Err(ImageError::Unsuitable(text))
        }
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
