//! The cluster's state beside the snapshot: what `rke` needs to build a lost cluster anew.
//!
//! The old program puts it into the archive as `/etc/kubernetes/NAME.rkestate`. For a one-off RKE
//! has laid it there; for a rolling snapshot it is asked of Kubernetes. It holds every private key
//! of the cluster, so here it stays in memory, where it is wiped after use.

mod api;
mod indent;

use std::fmt;
use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use rollsnap_engine::enclosure::{Enclosed, Enclosure, MOST_ENCLOSED};
use rollsnap_engine::{Kind, SnapshotName};
use tokio::time::{Instant, sleep};
use zeroize::Zeroizing;

use crate::LineError;

/// Where RKE's nodes have it, and the path of the archive's entry.
pub const DIRECTORY: &str = "/etc/kubernetes";

/// The node's kubeconfig.
pub const KUBECONFIG: &str = "/etc/kubernetes/ssl/kubecfg-kube-node.yaml";

/// How long the snapshot may be held up in all.
pub const LIMIT: Duration = Duration::from_secs(5);

/// How long one question may take, so that a server that hangs is asked again.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long to wait before asking again; doubles.
const PAUSE: Duration = Duration::from_millis(250);

/// The mode of a state that was never a file: the old program's default.
const MODE: u32 = 0o644;

/// Where the state comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// From a file that RKE laid into this directory: one-offs.
    Placed(PathBuf),
    /// From the API server of this kubeconfig: rolling snapshots.
    Asked(PathBuf),
}

/// Puts the state into the archives of snapshots.
pub struct StateFile {
    origin: Origin,
    tell: Tell,
}

/// What is told while the state is fetched.
#[derive(Debug)]
pub enum News<'a> {
    /// Kubernetes is asked, for the n-th time.
    Trying {
        /// Counted from 1.
        attempt: u32,
        /// The snapshot.
        name: &'a SnapshotName,
    },
    /// It did not answer rightly.
    Failed {
        /// Counted from 1.
        attempt: u32,
        /// The snapshot.
        name: &'a SnapshotName,
        /// Why.
        error: &'a LineError,
    },
    /// The snapshot goes without.
    Without {
        /// The snapshot.
        name: &'a SnapshotName,
        /// Why.
        error: &'a LineError,
    },
    /// The state is there.
    Found {
        /// The path in the archive.
        path: &'a str,
    },
}

/// Hears of it.
pub type Tell = Box<dyn Fn(News<'_>) + Send + Sync>;

/// The path of a snapshot's state in its archive.
pub fn path_of(name: &SnapshotName) -> String {
    format!("{DIRECTORY}/{name}.rkestate")
}

impl StateFile {
    /// From there, and whoever hears of it.
    pub fn new(origin: Origin, tell: Tell) -> Self {
        Self { origin, tell }
    }
}

impl fmt::Debug for StateFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StateFile({:?})", self.origin)
    }
}

#[async_trait]
impl Enclosure for StateFile {
    /// The state for this snapshot, or none, within [`LIMIT`].
    async fn enclosed(&self, name: &SnapshotName) -> Option<Enclosed> {
        let found = match &self.origin {
            Origin::Placed(directory) => placed(directory, name).await,
            Origin::Asked(kubeconfig) => asked(kubeconfig, name, &self.tell).await.map(Some),
        };
        let path = path_of(name);
        match found {
            Ok(Some((bytes, mode))) => {
                (self.tell)(News::Found { path: &path });
                Some(Enclosed { path, bytes, mode })
            }
            // RKE before v1.1.5 lays none.
            Ok(None) => None,
            Err(error) => {
                let error = &error;
                (self.tell)(News::Without { name, error });
                None
            }
        }
    }
}

/// Removes the file that RKE laid into `directory` for this snapshot, as the old program does once
/// the archive is made: it holds every key of the cluster. One that is absent is a success.
pub fn remove_placed(directory: &Path, name: &SnapshotName) -> Result<(), LineError> {
    let path = file_of(directory, name);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(LineError::io("remove", path.display(), error))
        }
        _ => Ok(()),
    }
}

type State = (Zeroizing<Vec<u8>>, u32);

fn file_of(directory: &Path, name: &SnapshotName) -> PathBuf {
    directory.join(format!("{name}.rkestate"))
}

async fn placed(directory: &Path, name: &SnapshotName) -> Result<Option<State>, LineError> {
    let path = file_of(directory, name);
    let place = path.display().to_string();
    let reading = tokio::task::spawn_blocking(move || read(&path));
    let read = match tokio::time::timeout(LIMIT, reading).await {
        Ok(read) => read.map_err(io::Error::other).flatten(),
        Err(slow) => Err(slow.into()),
    };
    match read {
        Ok(state) => Ok(Some(state)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(LineError::io("read", place, error)),
    }
}

fn read(path: &Path) -> io::Result<State> {
    // Nobody at the other end of a fifo may hold the snapshot up.
    let meta = fs::metadata(path)?;
    let size = usize::try_from(meta.len()).unwrap_or(usize::MAX);
    if !meta.is_file() || size > MOST_ENCLOSED {
        let message = format!("is no file of at most {MOST_ENCLOSED} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    // Room for all of it at once, for what a growing buffer leaves behind is not wiped.
    let mut bytes = Zeroizing::new(Vec::with_capacity(size + 1));
    let file = fs::File::open(path)?;
    file.take(size as u64).read_to_end(&mut bytes)?;
    Ok((bytes, meta.permissions().mode() & 0o777))
}

async fn asked(kubeconfig: &Path, name: &SnapshotName, tell: &Tell) -> Result<State, LineError> {
    let end = Instant::now() + LIMIT;
    let mut pause = PAUSE;
    for attempt in 1.. {
        tell(News::Trying { attempt, name });
        let left = end.saturating_duration_since(Instant::now());
        let asking = api::ask(kubeconfig, PATIENCE);
        let error = match tokio::time::timeout(PATIENCE.min(left), asking).await {
            Ok(Ok(bytes)) => return Ok((bytes, MODE)),
            Ok(Err(error)) => error,
            Err(_) => {
                let message = "no answer in time";
                LineError::new(Kind::Source, "ask", "the Kubernetes API", message)
            }
        };
        let again = Instant::now() + pause;
        tell(News::Failed {
            attempt,
            name,
            error: &error,
        });
        if again >= end || !error.kind().is_transient() {
            return Err(error);
        }
        sleep(pause).await;
        pause *= 2;
    }
    unreachable!("the time ends before the numbers do")
}
