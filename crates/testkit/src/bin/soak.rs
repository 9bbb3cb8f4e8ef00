//! `just soak`: a real etcd under writes, the daemon, an S3 server, and something that breaks every
//! quarter of a minute.
//!
//! In the first half the daemon itself is killed and stopped too; the second half is one life of it,
//! whose memory and descriptors are compared. At the end everything that stands is verified, and
//! nothing half-made may be left.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Display;
use std::fs;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::Parser;
use etcd_client::Client;
use http::Method;
use rollsnap_testkit::etcd_real::EtcdReal;
use rollsnap_testkit::installation::{Installation, Setup, signal, stop};
use rollsnap_testkit::s3_peer::{Fault, Rule, S3Peer};
use rollsnap_testkit::{small_cluster, tools};
use rustix::process::Signal;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStderr};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const BUCKET: &str = "snapshots";
const FOLDER: &str = "soak";
/// How many snapshots are kept, here and there.
const KEEP: usize = 12;
/// From the end of one fault to the next.
const CALM: Duration = Duration::from_secs(10);
/// How long it may take, once nothing is broken any more, until all is as it should be.
const RECOVERY: Duration = Duration::from_secs(120);

#[derive(Parser)]
#[command(about = "The daemon for a long time, with faults on and load on etcd", long_about = None)]
struct Arguments {
    /// How long
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(2..))]
    minutes: u64,
}

/// What breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blow {
    PausedEtcd,
    KilledEtcd,
    RefusedRequests,
    CutUploads,
    LostReplies,
    CutReplies,
    Reload,
    KilledDaemon,
    StoppedDaemon,
}

/// In the order in which they come; the last two in the first half alone.
const BLOWS: [Blow; 9] = [
    Blow::PausedEtcd,
    Blow::CutUploads,
    Blow::KilledEtcd,
    Blow::RefusedRequests,
    Blow::LostReplies,
    Blow::Reload,
    Blow::CutReplies,
    Blow::KilledDaemon,
    Blow::StoppedDaemon,
];

#[tokio::main]
async fn main() -> ExitCode {
    let length = Duration::from_secs(60 * Arguments::parse().minutes);
    match soak(length).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            say(format_args!("\nThe soak failed: {reason}"));
            ExitCode::FAILURE
        }
    }
}

async fn soak(length: Duration) -> Result<()> {
    // As an API server does it: history does not grow for ever.
    let compaction = [
        "--auto-compaction-mode=revision",
        "--auto-compaction-retention=5000",
    ];
    let etcd = EtcdReal::builder().arguments(compaction).start().await;
    let bucket = S3Peer::start(BUCKET).await;
    let place = Installation::make(&Setup {
        etcd: &etcd.endpoint(),
        s3: &bucket.endpoint(),
        bucket: BUCKET,
        folder: FOLDER,
        creation: "10s",
        retention: KEEP,
        more: &format!(
            "http: \"\"\ndrill: 1m\ndrill_boot: {}\n",
            tools::path("etcd-3.5").display()
        ),
    })?;
    let _load = AbortOnDropHandle::new(tokio::spawn(load(etcd.endpoint())));
    let mut world = World {
        etcd,
        bucket,
        place,
        log: Log::default(),
        blows: BTreeMap::new(),
    };
    let begin = Instant::now();
    let mut daemon = world.start()?;
    let mut next = BLOWS.iter().cycle();
    while begin.elapsed() < length / 2 {
        sleep(CALM).await;
        let blow = *next.next().unwrap_or(&Blow::Reload);
        world.strike(blow, &mut daemon).await?;
    }
    let first = world.comes_to_rest(&daemon).await?;
    say(format_args!("the second half begins: {first}"));
    while begin.elapsed() < length {
        sleep(CALM).await;
        let blow = *next.next().unwrap_or(&Blow::Reload);
        if !matches!(blow, Blow::KilledDaemon | Blow::StoppedDaemon) {
            world.strike(blow, &mut daemon).await?;
        }
    }
    let last = world.comes_to_rest(&daemon).await?;
    // Without etcd no upload follows a new stream: those that are owed come to their end.
    world.etcd.kill();
    world.is_settled().await?;
    let status = stop(&mut daemon).await?;
    if !status.success() {
        return Err(format!("rollsnap ended badly: {status}").into());
    }
    world.report(first, last);
    world.verify().await
}

/// Everything but the daemon.
struct World {
    etcd: EtcdReal,
    bucket: S3Peer,
    place: Installation,
    log: Log,
    blows: BTreeMap<String, usize>,
}

impl World {
    fn start(&self) -> Result<Child> {
        let mut daemon = self.place.daemon()?;
        let lines = daemon.stderr.take().ok_or("the daemon has no log")?;
        tokio::spawn(self.log.clone().read(lines));
        Ok(daemon)
    }

    /// Breaks something, and mends it.
    async fn strike(&mut self, blow: Blow, daemon: &mut Child) -> Result<()> {
        say(format_args!("{blow:?}"));
        *self.blows.entry(format!("{blow:?}")).or_default() += 1;
        match blow {
            Blow::PausedEtcd => {
                self.etcd.pause();
                sleep(Duration::from_secs(6)).await;
                self.etcd.resume();
            }
            Blow::KilledEtcd => self.etcd.restart().await,
            Blow::RefusedRequests => {
                let refuse = Fault::Refuse {
                    status: 503,
                    code: "SlowDown",
                    retry_after: None,
                };
                self.bad_bucket(Rule::always(refuse)).await;
            }
            Blow::CutUploads => {
                let cut = Rule::always(Fault::ResetAfter(64 << 10)).with_query("partNumber=");
                self.bucket.script(cut);
                self.bad_bucket(Rule::on(Method::PUT, Fault::Reset).times(20))
                    .await;
            }
            Blow::LostReplies => {
                self.bad_bucket(Rule::on(Method::PUT, Fault::LoseReply).times(20))
                    .await;
            }
            Blow::CutReplies => {
                self.bad_bucket(Rule::on(Method::GET, Fault::CutBody(100)).times(20))
                    .await;
            }
            Blow::Reload => signal(daemon, Signal::HUP)?,
            Blow::KilledDaemon => {
                daemon.kill().await?;
                *daemon = self.start()?;
            }
            Blow::StoppedDaemon => {
                stop(daemon).await?;
                *daemon = self.start()?;
            }
        }
        if let Some(status) = daemon.try_wait()? {
            return Err(format!("rollsnap ended by itself after {blow:?}: {status}").into());
        }
        Ok(())
    }

    async fn bad_bucket(&self, rule: Rule) {
        self.bucket.script(rule);
        sleep(Duration::from_secs(8)).await;
        self.bucket.behave();
        self.bucket.forget();
    }

    /// Waits for three more copies in the bucket, and looks at the daemon then.
    async fn comes_to_rest(&self, daemon: &Child) -> Result<Seen> {
        let wanted = self.log.count("Uploaded backup") + 3;
        let uploads = async {
            while self.log.count("Uploaded backup") < wanted {
                sleep(Duration::from_millis(200)).await;
            }
        };
        let rest = timeout(RECOVERY, uploads).await;
        rest.map_err(|_| "nothing is uploaded, though nothing is broken")?;
        Seen::of(daemon.id().ok_or("the daemon is gone")?)
    }

    fn report(&self, first: Seen, last: Seen) {
        say(format_args!("\nWhat broke:"));
        for (blow, count) in &self.blows {
            say(format_args!("{count:6}  {blow}"));
        }
        say(format_args!("\nWhat the daemon said:"));
        for (line, count) in self.log.all() {
            say(format_args!("{count:6}  {line}"));
        }
        say(format_args!("\nThe second half, one life of it:"));
        say(format_args!("  at its beginning {first}"));
        say(format_args!("  at its end       {last}"));
        say(format_args!(
            "requests struck: {}; uploads neither completed nor aborted: {}",
            self.bucket.struck(),
            self.bucket.pending_uploads()
        ));
    }

    /// Waits until every snapshot is proved and in both places, as many as are wanted, with nothing
    /// under way.
    async fn is_settled(&self) -> Result<()> {
        let begin = Instant::now();
        loop {
            let table = self.place.output(&["list"]).await?;
            let rows: Vec<_> = table.lines().skip(1).collect();
            let is_whole = |row: &&str| row.contains(" deep ") && row.contains(" local+remote");
            let pending = self.bucket.pending_uploads();
            if rows.iter().all(is_whole) && (2..=KEEP).contains(&rows.len()) && pending == 0 {
                return Ok(());
            }
            if begin.elapsed() > RECOVERY {
                return Err(format!("{pending} uploads are pending, and:\n{table}").into());
            }
            sleep(Duration::from_millis(500)).await;
        }
    }

    /// Whether everything that stands is good, and nothing half-made is left.
    async fn verify(&self) -> Result<()> {
        let table = self.place.output(&["list"]).await?;
        let verified = self.place.output(&["verify", "--all"]).await?;
        let newest = self.place.output(&["drill", "latest"]).await?;
        say(format_args!("\n{table}\n{verified}\n{newest}"));
        let spool = self.place.snapshots().join(".rollsnap/spool");
        match fs::read_dir(spool)?.count() {
            0 => Ok(()),
            left => Err(format!("{left} files are half-made").into()),
        }
    }
}

/// What the daemon said, each message with its level and how often.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<BTreeMap<String, usize>>>);

impl Log {
    async fn read(self, lines: ChildStderr) {
        let mut lines = BufReader::new(lines).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let part = |from: &str, to: char| {
                let (_, rest) = line.split_once(from)?;
                rest.split(to).next().map(str::to_owned)
            };
            let level = part("level=", ' ').unwrap_or_default();
            let message = part("msg=\"", '"').or_else(|| part("msg=", ' '));
            let message = message.unwrap_or_else(|| line.clone());
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            *all.entry(format!("{level:7} {message}")).or_default() += 1;
        }
    }

    fn all(&self) -> BTreeMap<String, usize> {
        let all = self.0.lock();
        all.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn count(&self, message: &str) -> usize {
        let all = self.all();
        let counts = all.iter().filter(|(line, _)| line.ends_with(message));
        counts.map(|(_, count)| count).sum()
    }
}

/// What the kernel says of a process.
#[derive(Debug, Clone, Copy)]
struct Seen {
    kilobytes: u64,
    descriptors: usize,
}

impl Seen {
    fn of(pid: u32) -> Result<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        Ok(Self {
            kilobytes: number.ok_or("the kernel tells no memory")?.parse()?,
            descriptors: fs::read_dir(format!("/proc/{pid}/fd"))?.count(),
        })
    }
}

impl Display for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            kilobytes,
            descriptors,
        } = self;
        write!(f, "{kilobytes} kB in memory, {descriptors} descriptors")
    }
}

/// Writes for ever, and goes on when etcd is back.
async fn load(endpoint: String) {
    loop {
        if let Ok(client) = Client::connect([&endpoint], None).await {
            small_cluster::write(client.kv_client(), 15).await;
        }
        sleep(Duration::from_millis(200)).await;
    }
}

fn say(words: impl Display) {
    // A reader that went away is no reason to stop.
    let _ = writeln!(io::stdout().lock(), "{words}");
}
