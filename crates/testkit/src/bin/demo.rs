//! `just demo`: the main job, seen from the outside, on one machine and with nothing to set up.
//!
//! A real etcd with the writes of a small Kubernetes cluster, an S3 server, and `rollsnap run`
//! between them at an interval of seconds. Its log goes to the terminal as it comes; at the end
//! the demo itself looks whether snapshots appeared, rotated and reached the bucket. Everything
//! lies in directories that go with it.

use std::error::Error;
use std::fmt::Display;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use clap::Parser;
use etcd_client::KvClient;
use rollsnap_testkit::etcd_real::EtcdReal;
use rollsnap_testkit::s3_peer::{ACCESS_KEY, S3Peer, SECRET_KEY};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStderr, Command};
use tokio::signal::ctrl_c;
use tokio::time::{interval, sleep, timeout};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const BUCKET: &str = "snapshots";
const FOLDER: &str = "demo";
/// How many snapshots are kept, here and there.
const KEEP: usize = 4;
/// Longer than the grace that the daemon allows itself.
const STOP_LIMIT: Duration = Duration::from_secs(15);

#[derive(Parser)]
#[command(about = "A real etcd, an S3 server, and rollsnap between them", long_about = None)]
struct Arguments {
    /// How long to watch; rotation begins after ten
    #[arg(long, default_value_t = 25, value_parser = clap::value_parser!(u64).range(15..))]
    seconds: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match demo(Duration::from_secs(arguments.seconds)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            say(format_args!("\nThe demo failed: {reason}"));
            ExitCode::FAILURE
        }
    }
}

async fn demo(length: Duration) -> Result<()> {
    let etcd = EtcdReal::builder().start().await;
    let bucket = S3Peer::start(BUCKET).await;
    let place = Place::make(&etcd.endpoint(), &bucket.endpoint())?;
    say(format_args!(
        "A real etcd 3.5 answers at {}, with keys such as Kubernetes writes.\n\
         rollsnap takes a snapshot of it every 2 seconds and keeps {KEEP}:\n  \
         in the directory {}\n  \
         and in the bucket {BUCKET}, folder {FOLDER}, of an S3 server at {}\n\
         Its log for {} seconds, or until Ctrl-C:\n",
        etcd.endpoint(),
        place.snapshots().display(),
        bucket.endpoint(),
        length.as_secs(),
    ));

    let mut daemon = place.rollsnap(&["run"]);
    // Ctrl-C in a terminal reaches the whole group; the daemon is told to stop by this program.
    let mut daemon = daemon
        .process_group(0)
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let log = daemon.stderr.take().ok_or("the daemon has no log")?;
    let seen = Seen::default();
    let reading = seen.pass_through(log);
    let client = etcd.client().await.kv_client();
    let finish = async {
        let ending: Result<Ending> = tokio::select! {
            () = sleep(length) => Ok(Ending::Whole),
            heard = ctrl_c() => heard.map(|()| Ending::Early).map_err(Into::into),
            ended = daemon.wait() => Err(format!("rollsnap ended by itself: {}", ended?).into()),
            reason = write(client) => Err(reason),
        };
        let stopped = stop(&mut daemon).await;
        ending.and_then(|ending| stopped.map(|()| ending))
    };
    // The log is read to its end whatever happens, so that it is never cut in mid-line.
    let (ending, ()) = tokio::join!(finish, reading);
    let ending = ending?;

    say(format_args!("\nrollsnap list:\n"));
    let table = place.output(&["list"]).await?;
    say(format_args!("{table}"));
    match ending {
        Ending::Early => say(format_args!("Ended early; everything is cleaned up.")),
        Ending::Whole => {
            seen.verify(&table)?;
            say(format_args!(
                "{} snapshots were taken and proved, {} uploads completed, {} copies rotated away. \
                 Everything is cleaned up.",
                count(&seen.created),
                count(&seen.uploaded),
                count(&seen.deleted),
            ));
        }
    }
    Ok(())
}

/// Why the watching ended.
enum Ending {
    Whole,
    Early,
}

/// The directories and the config file of the demo.
struct Place {
    dir: TempDir,
}

impl Place {
    fn make(etcd: &str, s3: &str) -> io::Result<Self> {
        let place = Self {
            dir: TempDir::with_prefix("rollsnap-demo-")?,
        };
        fs::write(place.path("access-key"), ACCESS_KEY)?;
        fs::write(place.path("secret-key"), SECRET_KEY)?;
        let config = format!(
            "endpoints: {etcd}\n\
             dir: {}\n\
             creation: 2s\n\
             backup_config:\n  \
               retention: {KEEP}\n  \
               s3backupconfig:\n    \
                 endpoint: {s3}\n    \
                 bucket_name: {BUCKET}\n    \
                 folder: {FOLDER}\n    \
                 access_key_file: {}\n    \
                 secret_key_file: {}\n",
            place.snapshots().display(),
            place.path("access-key").display(),
            place.path("secret-key").display(),
        );
        fs::write(place.path("rollsnap.yml"), config)?;
        Ok(place)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn snapshots(&self) -> PathBuf {
        self.path("etcd-snapshots")
    }

    /// The program beside this one, with nothing of this environment that could speak to it.
    fn rollsnap(&self, arguments: &[&str]) -> Command {
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

    async fn output(&self, arguments: &[&str]) -> Result<String> {
        let run = self.rollsnap(arguments).output().await?;
        if !run.status.success() {
            let complaint = String::from_utf8_lossy(&run.stderr);
            return Err(format!("rollsnap {}: {complaint}", arguments.join(" ")).into());
        }
        Ok(String::from_utf8(run.stdout)?)
    }
}

/// What the log told.
#[derive(Default)]
struct Seen {
    created: AtomicUsize,
    uploaded: AtomicUsize,
    deleted: AtomicUsize,
}

impl Seen {
    /// Shows the log as it comes, and counts.
    async fn pass_through(&self, log: ChildStderr) {
        let mut lines = BufReader::new(log).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            for (counter, words) in [
                (&self.created, "msg=\"Created backup\""),
                (&self.uploaded, "msg=\"Uploaded backup\""),
                (&self.deleted, "msg=\"Deleted backup\""),
            ] {
                if line.contains(words) {
                    counter.fetch_add(1, Ordering::Relaxed);
                }
            }
            say(format_args!("{line}"));
        }
    }

    /// Whether the log and the list show what they should.
    fn verify(&self, table: &str) -> Result<()> {
        let proved = |row: &&str| row.split_whitespace().any(|cell| cell == "deep");
        let rows = table.lines().skip(1);
        let both = rows
            .filter(proved)
            .filter(|row| row.ends_with(" local+remote"));
        let both = both.count();
        if !(2..=KEEP).contains(&both) {
            return Err(
                format!("{both} proved snapshots are in both places, not 2 to {KEEP}").into(),
            );
        }
        for (counter, what) in [
            (&self.created, "created"),
            (&self.uploaded, "uploaded"),
            (&self.deleted, "rotated away"),
        ] {
            if count(counter) == 0 {
                return Err(format!("no snapshot was {what}").into());
            }
        }
        Ok(())
    }
}

fn count(counter: &AtomicUsize) -> usize {
    counter.load(Ordering::Relaxed)
}

/// Tells the daemon to stop, as Docker and systemd do, and waits for its end.
async fn stop(daemon: &mut Child) -> Result<()> {
    let pid = daemon
        .id()
        .and_then(|id| i32::try_from(id).ok())
        .and_then(Pid::from_raw);
    if let Some(pid) = pid {
        kill_process(pid, Signal::TERM)?;
    }
    let status = timeout(STOP_LIMIT, daemon.wait())
        .await
        .map_err(|_| "rollsnap does not stop")??;
    if status.success() {
        Ok(())
    } else {
        Err(format!("rollsnap ended badly: {status}").into())
    }
}

/// Writes as a small cluster does: nodes renew leases, pods change, events come and go. Returns
/// only the reason why it cannot go on.
async fn write(mut etcd: KvClient) -> Box<dyn Error> {
    let mut pace = interval(Duration::from_millis(20));
    for step in 0_u64.. {
        pace.tick().await;
        let written = async {
            let lease = format!("/registry/leases/kube-node-lease/node-{}", step % 3);
            etcd.put(lease, protobuf("Lease", step), None).await?;
            let pod = format!("/registry/pods/default/web-{}", step % 40);
            etcd.put(pod, protobuf("Pod", step), None).await?;
            let event = |n: u64| format!("/registry/events/default/web-{}.{n:016x}", n % 40);
            let body = format!("{{\"kind\":\"Event\",\"reason\":\"Scheduled\",\"count\":{step}}}");
            etcd.put(event(step), body, None).await?;
            if let Some(old) = step.checked_sub(200) {
                etcd.delete(event(old), None).await?;
            }
            Ok::<_, etcd_client::Error>(())
        };
        if let Err(error) = written.await {
            return format!("write to etcd: {error}").into();
        }
    }
    "so many writes are not to be had".into()
}

/// A value that looks like the API server's: its four bytes of magic, then a message.
fn protobuf(kind: &str, step: u64) -> Vec<u8> {
    let mut value = b"k8s\0\n\x0c\n\x02v1\x12".to_vec();
    value.extend(kind.as_bytes());
    for n in 0..48 {
        value.extend(
            step.wrapping_mul(0x9e37_79b9_7f4a_7c15)
                .rotate_left(n)
                .to_le_bytes(),
        );
    }
    value
}

fn say(words: impl Display) {
    // A reader that went away is no reason to stop.
    let _ = writeln!(io::stdout().lock(), "{words}");
}
