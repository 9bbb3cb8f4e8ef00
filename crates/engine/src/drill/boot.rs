//! A server started on what was restored, asked, and killed.
//!
//! It listens at sockets in the drill's own directory, so it needs no port, and nobody but this user
//! can ask it for what the cluster keeps. It has nothing of our environment, in which an etcd would
//! look for its settings and which may hold the keys of a bucket.

use std::collections::VecDeque;
use std::fs;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rollsnap_etcd::{Answer, SourceError, Trial};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::site::Site;
use super::{DrillError, Ears};
use crate::manifest::Boot as Booted;

/// The member's name.
pub(super) const NAME: &str = "drill";
/// Where its fellows would find it, in its own directory.
pub(super) const PEER: &str = "unix://peer:1";
const CLIENT: &str = "client:1";

/// How long a server that comes up is waited for at a time.
const TRY: Duration = Duration::from_millis(200);
/// The pause before it is asked again.
const PAUSE: Duration = Duration::from_millis(20);
/// How long the last words of a server that ended may take to arrive.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Bytes of its log that are kept, and lines that are told.
const KEPT: usize = 16 * 1024;
const LINES: usize = 5;

/// Which server is started, and how long it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boot {
    /// Its program: an etcd, 3.4 or later.
    pub program: PathBuf,
    /// How long it may take from its start to its last answer.
    pub limit: Duration,
}

/// Why there is no answer.
pub(super) enum Ended {
    /// What it did instead.
    Found(String),
    /// That says nothing of the server.
    Error(DrillError),
}

/// Starts it, asks what it has at `revision`, and ends it.
pub(super) async fn run(
    site: &Site,
    boot: &Boot,
    revision: u64,
    ears: &Ears<'_>,
) -> Result<(Booted, Answer), Ended> {
    let began = Instant::now();
    let mut child = spawn(site, boot).map_err(Ended::Error)?;
    let log = Log::of(child.stderr.take());
    let mut server = Server {
        child: &mut child,
        trial: Trial::at(site.short(CLIENT)),
        deadline: began + boot.limit,
        limit: boot.limit,
        ears,
    };
    let done = server.ask_all(revision, began).await;
    // Dead before its directory goes.
    let _ = child.kill().await;
    match done {
        Ok(done) => Ok(done),
        Err(Silence::Stopped) => Err(Ended::Error(DrillError::Stopped)),
        Err(Silence::Because(why)) => Err(Ended::Found(log.after(&why).await)),
    }
}

fn spawn(site: &Site, boot: &Boot) -> Result<Child, DrillError> {
    let mut command = Command::new(&boot.program);
    command
        .args(arguments())
        .current_dir(site.path())
        .env_clear()
        // What takes one core leaves others to whoever works here.
        .env("GOMAXPROCS", "1")
        .env("ETCD_UNSUPPORTED_ARCH", std::env::consts::ARCH)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        // An interrupt at the terminal is for us.
        .process_group(0)
        .kill_on_drop(true);
    let child = command.spawn().map_err(|cause| DrillError::Program {
        program: boot.program.clone(),
        cause,
    })?;
    if let Some(pid) = child.id() {
        // Where memory runs short, this is what may go.
        let _ = fs::write(format!("/proc/{pid}/oom_score_adj"), "1000");
    }
    Ok(child)
}

/// All paths are within its working directory.
fn arguments() -> [String; 9] {
    let client = format!("unix://{CLIENT}");
    [
        ("name", NAME),
        ("data-dir", "data"),
        ("listen-client-urls", &client),
        ("advertise-client-urls", &client),
        ("listen-peer-urls", PEER),
        ("initial-advertise-peer-urls", PEER),
        ("initial-cluster", &format!("{NAME}={PEER}")),
        // No limit: nobody writes.
        ("quota-backend-bytes", "-1"),
        ("logger", "zap"),
    ]
    .map(|(flag, value)| format!("--{flag}={value}"))
}

struct Server<'a> {
    child: &'a mut Child,
    trial: Trial,
    deadline: Instant,
    limit: Duration,
    ears: &'a Ears<'a>,
}

/// Why a server said nothing.
enum Silence {
    Stopped,
    Because(String),
}

impl Server<'_> {
    async fn ask_all(
        &mut self,
        revision: u64,
        began: Instant,
    ) -> Result<(Booted, Answer), Silence> {
        let etcd_version = self.come_up().await?;
        let booted = Booted {
            etcd_version,
            took: began.elapsed(),
        };
        let left = self.deadline.saturating_duration_since(Instant::now());
        let mut asked = std::pin::pin!(self.trial.ask(revision, left));
        loop {
            tokio::select! {
                answer = &mut asked => {
                    let answer = answer.map_err(|error| Silence::Because(text(&error)))?;
                    return Ok((booted, answer));
                }
                status = self.child.wait() => return Err(ended(status.ok())),
                () = sleep(TRY) => self.ears.heed()?,
            }
        }
    }

    async fn come_up(&mut self) -> Result<String, Silence> {
        loop {
            tokio::select! {
                answer = self.trial.is_up(TRY) => {
                    if let Ok(version) = answer {
                        return Ok(version);
                    }
                }
                status = self.child.wait() => return Err(ended(status.ok())),
            }
            self.ears.heed()?;
            if Instant::now() >= self.deadline {
                let why = format!("etcd gave no answer for {:?}", self.limit);
                return Err(Silence::Because(why));
            }
            sleep(PAUSE).await;
        }
    }
}

impl Ears<'_> {
    fn heed(&self) -> Result<(), Silence> {
        if (self.stop)() {
            return Err(Silence::Stopped);
        }
        Ok(())
    }
}

fn text(error: &SourceError) -> String {
    format!("etcd came up and then did not answer: {error}")
}

fn ended(status: Option<ExitStatus>) -> Silence {
    let how = status.map_or_else(|| "unknown".to_owned(), |status| status.to_string());
    Silence::Because(format!("etcd ended before it answered ({how})"))
}

/// The end of what a server logged.
struct Log {
    kept: Arc<Mutex<VecDeque<u8>>>,
    reading: Option<AbortOnDropHandle<()>>,
}

impl Log {
    fn of(source: Option<impl AsyncRead + Unpin + Send + 'static>) -> Self {
        let kept: Arc<Mutex<VecDeque<u8>>> = Arc::default();
        let reading = source.map(|source| {
            let reading = tokio::spawn(read(source, Arc::clone(&kept)));
            AbortOnDropHandle::new(reading)
        });
        Self { kept, reading }
    }

    /// What happened, and its last lines.
    async fn after(self, what: &str) -> String {
        if let Some(reading) = self.reading {
            let _ = timeout(LAST_WORDS, reading).await;
        }
        let kept: Vec<u8> = lock(&self.kept).iter().copied().collect();
        let kept = String::from_utf8_lossy(&kept);
        let lines: Vec<&str> = kept.lines().map(str::trim).collect();
        let lines = lines.iter().filter(|line| !line.is_empty());
        let last: Vec<_> = lines.rev().take(LINES).copied().collect();
        if last.is_empty() {
            return format!("{what}; it logged nothing");
        }
        let last: Vec<_> = last.into_iter().rev().collect();
        format!("{what}; its last words: {}", last.join(" | "))
    }
}

async fn read(mut source: impl AsyncRead + Unpin, kept: Arc<Mutex<VecDeque<u8>>>) {
    let mut piece = [0; 4096];
    while let Ok(count @ 1..) = source.read(&mut piece).await {
        let mut kept = lock(&kept);
        kept.extend(&piece[..count]);
        let excess = kept.len().saturating_sub(KEPT);
        kept.drain(..excess);
    }
}

fn lock(kept: &Mutex<VecDeque<u8>>) -> MutexGuard<'_, VecDeque<u8>> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}
