//! Why nothing is known after a drill.

use std::io;
use std::path::PathBuf;

use rollsnap_snapfile::SnapshotError;
use rollsnap_store::StoreError;

use crate::Kind;
use crate::image::ImageError;
use crate::restore::RestoreError;

/// Why a drill says nothing of the snapshot.
#[derive(Debug, thiserror::Error)]
pub enum DrillError {
    /// There is no room for it.
    #[error("scratch directory {}: no room for a drill: needs {needed} bytes, may take {room}", dir.display())]
    Full {
        /// The scratch directory.
        dir: PathBuf,
        /// Bytes that are needed.
        needed: u64,
        /// Bytes that may be taken.
        room: u64,
    },
    /// The scratch directory cannot be used.
    #[error(transparent)]
    Scratch(#[from] ImageError),
    /// It could not be restored, which is not the snapshot's fault.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// The server's program cannot be started.
    #[error("start {}", program.display())]
    Program {
        /// The program.
        program: PathBuf,
        /// Why not.
        #[source]
        cause: io::Error,
    },
    /// The snapshot could not be opened, or what was found could not be written down.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There was no thread for it.
    #[error("start a thread")]
    Thread(#[source] io::Error),
    /// Each time a save was due, or found no room, before it had ended.
    #[error("it does not come to its end: it made way for saves {0} times")]
    NoTime(u32),
    /// Somebody wanted no more.
    #[error("stopped before the end; nothing of it is left")]
    Stopped,
}

impl DrillError {
    /// What it means.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Full { .. } => Kind::Full,
            Self::Scratch(error) => error.kind(),
            Self::Restore(error) => error.kind(),
            Self::Program { .. } | Self::NoTime(_) => Kind::Config,
            Self::Store(error) => error.kind().into(),
            Self::Thread(_) => Kind::Bug,
            Self::Stopped => Kind::Canceled,
        }
    }

    /// What the operator may do about it.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Full { .. } | Self::Scratch(_) => Some("give a directory with room by --scratch"),
            Self::Restore(error) => error.hint(),
            Self::Program { .. } => Some("give the program of an etcd, such as /usr/bin/etcd"),
            Self::Store(error) => error.hint(),
            Self::NoTime(_) => {
                Some("free space in the snapshots' directory, or give another by --scratch")
            }
            Self::Thread(_) | Self::Stopped => None,
        }
    }
}

impl From<SnapshotError> for DrillError {
    fn from(error: SnapshotError) -> Self {
        Self::Restore(error.into())
    }
}
