//! The mounted directory, as an operator finds it on the node.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

const MANIFEST: &str = ".manifest.json";
const INDEX: &str = ".keys.index";
const TRAILER_LEN: usize = 32;

#[derive(Debug)]
pub(crate) struct Folder(TempDir);

impl Folder {
    /// An empty one that belongs to `user`, and to nobody else.
    pub(crate) fn of(user: u32) -> Self {
        let dir = TempDir::with_prefix("rollsnap-snapshots-").expect("a temporary directory");
        chown(dir.path(), Some(user), Some(user))
            .expect("the container tests run as root: they hand a directory to another user");
        Self(dir)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// The names of the snapshots: whatever lies beside none and is not the program's own.
    pub(crate) fn snapshots(&self) -> BTreeSet<String> {
        names(self.path())
            .into_iter()
            .filter(|name| !name.starts_with('.') && beside(name).is_none())
            .collect()
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path().join(name)).unwrap_or_else(|e| panic!("read {name}: {e}"))
    }

    /// How many bytes the save that is under way has written.
    pub(crate) fn part_size(&self) -> Option<u64> {
        let spool = self.spool();
        names(&spool)
            .into_iter()
            // An index is written while the last save is verified.
            .filter(|name| !name.contains(INDEX))
            .find_map(|name| Some(fs::metadata(spool.join(name)).ok()?.len()))
    }

    fn spool(&self) -> PathBuf {
        self.path().join(".rollsnap/spool")
    }

    /// Holds what lies here to the first two promises: every final name is a whole snapshot whose
    /// digest etcd sent and whose manifest agrees, readable by its owner only. The program must
    /// be stopped: a manifest comes a moment after its snapshot and goes a moment before.
    pub(crate) fn assert_every_snapshot_is_whole(&self) {
        let snapshots = self.snapshots();
        assert!(!snapshots.is_empty(), "there is no snapshot at all");
        for name in &snapshots {
            let bytes = self.read(name);
            assert_trailer(name, &bytes);
            let meta = fs::metadata(self.path().join(name)).expect("it was just read");
            assert_eq!(meta.mode() & 0o777, 0o600, "mode of {name}");

            let manifest: Value = serde_json::from_slice(&self.read(&format!("{name}{MANIFEST}")))
                .unwrap_or_else(|e| panic!("manifest of {name}: {e}"));
            assert_eq!(manifest["name"], name.as_str());
            assert_eq!(manifest["stored"]["size"], bytes.len());
            assert_eq!(manifest["stored"]["digest"], hex(&Sha256::digest(&bytes)));
        }
        let orphans: Vec<String> = names(self.path())
            .into_iter()
            .filter(|name| {
                let snapshot = beside(name);
                snapshot.is_some_and(|snapshot| !snapshots.contains(snapshot))
            })
            .collect();
        assert!(orphans.is_empty(), "they lie beside nothing: {orphans:?}");
    }

    /// No save is under way and none has left anything.
    pub(crate) fn assert_no_parts(&self) {
        let parts = names(&self.spool());
        assert!(parts.is_empty(), "half-made files stay behind: {parts:?}");
    }
}

/// The snapshot that a manifest or an index lies beside.
fn beside(name: &str) -> Option<&str> {
    name.strip_suffix(MANIFEST).or(name.strip_suffix(INDEX))
}

/// etcd's own digest, computed anew: SHA-256 of the database in its last 32 bytes.
fn assert_trailer(name: &str, bytes: &[u8]) {
    let database = bytes.len().checked_sub(TRAILER_LEN);
    let (database, trailer) = bytes.split_at(database.unwrap_or_else(|| panic!("{name} is cut")));
    assert_eq!(database.len() % 512, 0, "{name} is cut");
    assert_eq!(
        hex(&Sha256::digest(database)),
        hex(trailer),
        "{name} is damaged"
    );
}

fn names(dir: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(dir) else {
        return Vec::new();
    };
    entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
