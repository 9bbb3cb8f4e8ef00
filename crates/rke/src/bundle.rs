//! `pki.bundle.tar.gz`: the certificates that RKE before v0.2.0 kept beside the snapshots.
//!
//! RKE's container `rke-bundle-cert` runs `tar czvf /backup/pki.bundle.tar.gz
//! /etc/kubernetes/.tmp/` after each save where that directory is there, and on a restore untars
//! with the leading components stripped, so that the files lie in that directory again (RKE
//! `pki/pki.go`). Below a `prefix_path` the entries have that before them. There is no other state
//! of such a cluster.
//!
//! The bundle holds every private key. It is small, and is packed and unpacked in memory, which is
//! wiped; a bundle that is not as it should be in any entry is refused before a file is written.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Component, Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use rollsnap_engine::Kind;
use tar::{Archive, Builder, EntryType, Header, HeaderMode};
use zeroize::Zeroizing;

use crate::LineError;

/// The bundle's name beside the snapshots.
pub use rollsnap_engine::bundle::NAME;

/// Where RKE has the files.
pub const DIRECTORY: &str = "/etc/kubernetes/.tmp";

/// Components before the files in a bundle that does not name `.tmp`: as many as RKE strips.
const STRIPPED: usize = 3;

/// The largest bundle, unpacked. RKE's are some 100 KiB.
const MOST: u64 = 16 << 20;

/// The largest bundle that is packed.
const MOST_PACKED: usize = 4 << 20;

/// Packs a directory as RKE does. `None` where it is missing or empty, which RKE passes over.
pub fn pack(directory: &Path) -> Result<Option<Packed>, LineError> {
    let fault = |cause| LineError::io("pack", directory.display(), cause);
    let mut entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        entries => entries.map_err(fault)?,
    };
    if entries.next().is_none() {
        return Ok(None);
    }
    let bytes = Zeroizing::new(Vec::with_capacity(MOST_PACKED));
    let mut tar = Builder::new(GzEncoder::new(Bounded(bytes), Compression::default()));
    // Nobody hides a file elsewhere behind a link.
    tar.follow_symlinks(false);
    tar.mode(HeaderMode::Complete);
    let mut files = 0;
    pack_below(&mut tar, directory, Path::new(&DIRECTORY[1..]), &mut files).map_err(fault)?;
    let bytes = tar.into_inner().and_then(GzEncoder::finish);
    let Bounded(bytes) = bytes.map_err(fault)?;
    Ok(Some(Packed { bytes, files }))
}

/// A bundle.
pub struct Packed {
    /// Its bytes, which hold private keys.
    pub bytes: Zeroizing<Vec<u8>>,
    /// The number of files in it.
    pub files: usize,
}

type Tar = Builder<GzEncoder<Bounded>>;

fn pack_below(tar: &mut Tar, from: &Path, called: &Path, files: &mut usize) -> io::Result<()> {
    tar.append_dir(called, from)?;
    let mut entries = fs::read_dir(from)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (path, called) = (entry.path(), called.join(entry.file_name()));
        let kind = entry.file_type()?;
        if kind.is_dir() {
            pack_below(tar, &path, &called, files)?;
        } else if kind.is_file() {
            tar.append_path_with_name(&path, &called)?;
            *files += 1;
        } else {
            let message = format!("{} is neither a file nor a directory", path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
    }
    Ok(())
}

/// Bytes that never grow past a bound.
struct Bounded(Zeroizing<Vec<u8>>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len().saturating_add(bytes.len()) > self.0.capacity() {
            let message = format!(
                "the bundle would be larger than {} bytes",
                self.0.capacity()
            );
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
        }
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Unpacks a bundle into a directory, which is made with mode 0700 where it is missing; files of
/// the same names are replaced, each in one step. Returns their paths below it.
///
/// # Errors
/// Where the bundle is broken or holds anything but files and directories below the directory that
/// RKE packs, nothing is written.
pub fn unpack(bundle: &[u8], directory: &Path) -> Result<Vec<PathBuf>, LineError> {
    let files = read(bundle)?;
    let fault = |path: &Path, cause| LineError::io("write", path.display(), cause);
    make(directory).map_err(|cause| fault(directory, cause))?;
    for file in &files {
        let path = directory.join(&file.path);
        put(directory, &path, file).map_err(|cause| fault(&path, cause))?;
    }
    Ok(files.into_iter().map(|file| file.path).collect())
}

/// A file out of a bundle.
struct Unpacked {
    /// Below the directory: normal components only.
    path: PathBuf,
    mode: u32,
    bytes: Zeroizing<Vec<u8>>,
}

fn read(bundle: &[u8]) -> Result<Vec<Unpacked>, LineError> {
    let broken = |message: String| LineError::new(Kind::Corrupt, "unpack", NAME, message);
    let unreadable = |cause: io::Error| broken("it is cut or broken".to_owned()).caused_by(cause);
    let mut archive = Archive::new(GzDecoder::new(bundle).take(MOST));
    let mut files = Vec::new();
    for entry in archive.entries().map_err(unreadable)? {
        let mut entry = entry.map_err(unreadable)?;
        let called = entry.path().map_err(unreadable)?.into_owned();
        let path = below(&called)
            .ok_or_else(|| broken(format!("it would write to {}", called.display())))?;
        match entry.header().entry_type() {
            EntryType::Directory => continue,
            EntryType::Regular | EntryType::Continuous if path.file_name().is_some() => {}
            _ => return Err(broken(format!("{} is no file", called.display()))),
        }
        let mode = mode(entry.header()).map_err(unreadable)?;
        let size = entry.size();
        if size > MOST {
            return Err(broken(format!("it holds more than {MOST} bytes")));
        }
        let room = usize::try_from(size).unwrap_or_default();
        let mut bytes = Zeroizing::new(Vec::with_capacity(room));
        entry.read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() != room {
            return Err(broken(format!("{} is cut", called.display())));
        }
        files.push(Unpacked { path, mode, bytes });
    }
    // To the end, where gzip's checksum is.
    io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(unreadable)?;
    if files.is_empty() {
        return Err(broken("it holds no file".to_owned()));
    }
    Ok(files)
}

/// The permissions of a file, without those that let it run as somebody else.
fn mode(header: &Header) -> io::Result<u32> {
    Ok(header.mode()? & 0o777)
}

/// The path below the directory that was packed: behind `.tmp`, else behind what RKE strips.
/// `None` for one that leads anywhere else.
fn below(called: &Path) -> Option<PathBuf> {
    let mut names: Vec<&OsStr> = Vec::new();
    for component in called.components() {
        match component {
            Component::Normal(name) => names.push(name),
            Component::RootDir | Component::CurDir if names.is_empty() => {}
            _ => return None,
        }
    }
    let temporary = Path::new(DIRECTORY).file_name();
    let packed = names.iter().position(|name| Some(*name) == temporary);
    let stripped = packed.map_or(STRIPPED, |at| at + 1);
    Some(names.into_iter().skip(stripped).collect())
}

fn make(directory: &Path) -> io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
}

/// Writes a file beside its name and gives it that.
fn put(directory: &Path, path: &Path, file: &Unpacked) -> io::Result<()> {
    let parent = path.parent().unwrap_or(directory);
    make(parent)?;
    // A link below the directory could lead out of it.
    if !fs::canonicalize(parent)?.starts_with(fs::canonicalize(directory)?) {
        let message = "a link leads out of the directory";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = parent.join(format!(".{name}.rollsnap.part"));
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = fs::OpenOptions::new();
    let mut written = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)?;
    written.write_all(&file.bytes)?;
    written.set_permissions(fs::Permissions::from_mode(file.mode))?;
    written.sync_all()?;
    fs::rename(&beside, path)
}

#[cfg(test)]
mod tests;
