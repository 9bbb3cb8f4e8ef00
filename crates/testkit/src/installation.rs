//! A rollsnap that is set up in a directory of its own and runs as an operator would start it: the
//! program that was built beside this one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::s3_peer::{ACCESS_KEY, SECRET_KEY};

/// Longer than the grace that the daemon allows itself.
const STOP_LIMIT: Duration = Duration::from_secs(15);

/// Its directories and its config file. All go with the value.
#[derive(Debug)]
pub struct Installation {
    dir: TempDir,
}

/// What it is told.
#[derive(Debug, Clone, Copy)]
pub struct Setup<'a> {
    /// The member.
    pub etcd: &'a str,
    /// The S3 server.
    pub s3: &'a str,
    /// A bucket that is there.
    pub bucket: &'a str,
    /// The folder in it.
    pub folder: &'a str,
    /// The time between two snapshots, as `2s`.
    pub creation: &'a str,
    /// How many are kept.
    pub retention: usize,
    /// Further lines of the file's top level.
    pub more: &'a str,
}

impl Installation {
    /// Makes the directories and writes the file.
    ///
    /// # Errors
    /// When that cannot be done.
    pub fn make(setup: &Setup<'_>) -> io::Result<Self> {
        let place = Self {
            dir: TempDir::with_prefix("rollsnap-installed-")?,
        };
        fs::write(place.path("access-key"), ACCESS_KEY)?;
        fs::write(place.path("secret-key"), SECRET_KEY)?;
        let config = format!(
            "endpoints: {}\n\
             dir: {}\n\
             creation: {}\n\
             backup_config:\n  \
               retention: {}\n  \
               s3backupconfig:\n    \
                 endpoint: {}\n    \
                 bucket_name: {}\n    \
                 folder: {}\n    \
                 access_key_file: {}\n    \
                 secret_key_file: {}\n{}",
            setup.etcd,
            place.snapshots().display(),
            setup.creation,
            setup.retention,
            setup.s3,
            setup.bucket,
            setup.folder,
            place.path("access-key").display(),
            place.path("secret-key").display(),
            setup.more,
        );
        fs::write(place.path("rollsnap.yml"), config)?;
        Ok(place)
    }

    /// A path in its place.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Where the snapshots are.
    pub fn snapshots(&self) -> PathBuf {
        self.path("etcd-snapshots")
    }

    /// The program, with nothing of this environment that could speak to it.
    pub fn rollsnap(&self, arguments: &[&str]) -> Command {
        let here = std::env::current_exe().unwrap_or_default();
        let mut command = Command::new(here.parent().unwrap_or(Path::new("")).join("rollsnap"));
        command
            .env_clear()
            .args(arguments)
            .arg("--config")
            .arg(self.path("rollsnap.yml"))
            .stdin(Stdio::null());
        command
    }

    /// The daemon, its log to be read. Ctrl-C in a terminal reaches the whole group of processes; it
    /// is of another, and is told to stop by [`stop`].
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn daemon(&self) -> io::Result<Child> {
        self.rollsnap(&["run"])
            // As the image and the unit run it.
            .envs([
                ("MALLOC_ARENA_MAX", "1"),
                ("MALLOC_TRIM_THRESHOLD_", "131072"),
            ])
            .process_group(0)
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
    }

    /// What a verb prints.
    ///
    /// # Errors
    /// When it fails, with what it says.
    pub async fn output(&self, arguments: &[&str]) -> io::Result<String> {
        let run = self.rollsnap(arguments).output().await?;
        if !run.status.success() {
            let complaint = String::from_utf8_lossy(&run.stderr);
            let verb = arguments.join(" ");
            return Err(io::Error::other(format!("rollsnap {verb}: {complaint}")));
        }
        String::from_utf8(run.stdout).map_err(io::Error::other)
    }
}

/// Sends a signal to a program that runs.
///
/// # Errors
/// When it does not run.
pub fn signal(child: &Child, signal: Signal) -> io::Result<()> {
    let pid = child.id().and_then(|id| i32::try_from(id).ok());
    let pid = pid.and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| io::Error::other("it has ended already"))?;
    Ok(kill_process(pid, signal)?)
}

/// Tells a daemon to stop, as Docker and systemd do, and waits for its end.
///
/// # Errors
/// When it does not stop in time.
pub async fn stop(daemon: &mut Child) -> io::Result<ExitStatus> {
    if daemon.id().is_some() {
        signal(daemon, Signal::TERM)?;
    }
    let ended = timeout(STOP_LIMIT, daemon.wait()).await;
    ended.map_err(|_| io::Error::other("rollsnap does not stop"))?
}
