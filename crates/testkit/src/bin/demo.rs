//! `just demo`: the main job, seen from the outside, on one machine and with nothing to set up.
//!
//! A real etcd with the writes of a small Kubernetes cluster, an S3 server, and `rollsnap run`
//! between them at an interval of seconds. Its log goes to the terminal as it comes; at the end
//! the demo itself looks whether snapshots appeared, rotated and reached the bucket. Everything
//! lies in directories that go with it.

use std::error::Error;
use std::fmt::Display;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use clap::Parser;
use rollsnap_testkit::etcd_real::EtcdReal;
use rollsnap_testkit::installation::{Installation, Setup, stop};
use rollsnap_testkit::s3_peer::S3Peer;
use rollsnap_testkit::small_cluster;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::ChildStderr;
use tokio::signal::ctrl_c;
use tokio::time::sleep;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const BUCKET: &str = "snapshots";
const FOLDER: &str = "demo";
/// How many snapshots are kept, here and there.
const KEEP: usize = 4;

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
    let place = Installation::make(&Setup {
        etcd: &etcd.endpoint(),
        s3: &bucket.endpoint(),
        bucket: BUCKET,
        folder: FOLDER,
        creation: "2s",
        retention: KEEP,
        more: "",
    })?;
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

    let mut daemon = place.daemon()?;
    let log = daemon.stderr.take().ok_or("the daemon has no log")?;
    let seen = Seen::default();
    let reading = seen.pass_through(log);
    let client = etcd.client().await.kv_client();
    let finish = async {
        let ending: Result<Ending> = tokio::select! {
            () = sleep(length) => Ok(Ending::Whole),
            heard = ctrl_c() => heard.map(|()| Ending::Early).map_err(Into::into),
            ended = daemon.wait() => Err(format!("rollsnap ended by itself: {}", ended?).into()),
            reason = small_cluster::write(client, 20) => Err(format!("write to etcd: {reason}").into()),
        };
        let stopped = stop(&mut daemon).await;
        ending.and_then(|ending| match stopped? {
            status if status.success() => Ok(ending),
            status => Err(format!("rollsnap ended badly: {status}").into()),
        })
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

fn say(words: impl Display) {
    // A reader that went away is no reason to stop.
    let _ = writeln!(io::stdout().lock(), "{words}");
}
