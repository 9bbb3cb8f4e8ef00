//! A steady load for `just bench`: so many small puts a second, each timed, until it is told to end (SIGTERM).
//!
//! Each put has its moment, whether the one before is answered or not, and is timed from that
//! moment on: an etcd that stands still is seen by all that wait for it. The first second is to
//! warm up; then it says `ready` and begins to count.

use std::io::{self, Write as _};
use std::time::Duration;

use clap::Parser;
use etcd_client::{Client, Error};
use rollsnap_testkit::member_args::MemberArgs;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

#[derive(Parser)]
#[command(about, long_about = None)]
struct Arguments {
    #[command(flatten)]
    member: MemberArgs,
    /// Puts a second
    #[arg(long, default_value_t = 200)]
    rate: u32,
}

/// Bytes of a value: an event of Kubernetes.
const VALUE: usize = 1000;
/// Keys that are written, one after the other and then again.
const KEYS: u64 = 5000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let arguments = Arguments::parse();
    let client = arguments.member.connect().await?;
    let mut times = load(&client, arguments.rate)
        .await
        .map_err(io::Error::other)?;
    times.sort_unstable();
    let at = |part: usize| {
        let place = (times.len() * part / 1000).min(times.len().saturating_sub(1));
        times
            .get(place)
            .map_or(0.0, |time| time.as_secs_f64() * 1000.0)
    };
    writeln!(
        io::stdout(),
        "{{\"puts\": {}, \"p50\": {:.3}, \"p99\": {:.3}, \"max\": {:.3}}}",
        times.len(),
        at(500),
        at(990),
        at(1000)
    )
}

/// The times of all puts that were counted.
async fn load(client: &Client, rate: u32) -> Result<Vec<Duration>, Error> {
    let mut tick = interval(Duration::from_secs(1) / rate.max(1));
    tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (mut puts, mut times) = (JoinSet::new(), Vec::new());
    let mut stop = signal(SignalKind::terminate()).map_err(Error::IoError)?;
    let mut sent = 0_u64;
    let warm = u64::from(rate);
    loop {
        tokio::select! {
            at = tick.tick() => {
                let is_counted = sent >= warm;
                if sent == warm {
                    let _ = writeln!(io::stdout(), "ready");
                    let _ = io::stdout().flush();
                }
                let key = format!("/registry/events/load/{:05}", sent % KEYS);
                puts.spawn(put(client.clone(), key, at, is_counted));
                sent += 1;
            }
            _ = stop.recv() => break,
            Some(done) = puts.join_next() => note(done, &mut times)?,
        }
    }
    while let Some(done) = puts.join_next().await {
        note(done, &mut times)?;
    }
    Ok(times)
}

type Timed = Result<Option<Duration>, Error>;

async fn put(client: Client, key: String, at: Instant, is_counted: bool) -> Timed {
    client.kv_client().put(key, vec![b'x'; VALUE], None).await?;
    Ok(is_counted.then(|| at.elapsed()))
}

fn note(
    done: Result<Timed, tokio::task::JoinError>,
    times: &mut Vec<Duration>,
) -> Result<(), Error> {
    // A put that panicked is a fault of this program.
    let put = done.map_err(|error| Error::IoError(io::Error::other(error)))??;
    times.extend(put);
    Ok(())
}
