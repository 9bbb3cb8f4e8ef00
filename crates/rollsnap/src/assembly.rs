//! From checked settings to working parts. The only place where the pillars meet.

use std::sync::Arc;
use std::time::Duration;

use rollsnap_engine::drill::{Beside, Boot};
use rollsnap_engine::drills::Rehearsals;
use rollsnap_engine::examine::{Deep, Examiner, Gentle};
use rollsnap_engine::gentle::Hearer;
use rollsnap_engine::image::Scratch;
use rollsnap_engine::manifest::Method;
use rollsnap_engine::pipeline::Pipeline;
use rollsnap_engine::{Clock, Kind};
use rollsnap_etcd::{MemberConfig, Members};
use rollsnap_store::Store;
use rollsnap_store::local::LocalDir;
use rollsnap_store::s3::S3Store;

use crate::config::{ConfigError, Etcd, Fault, Inputs, Settings, Wrong};
use crate::report::{Failure, chain};

/// How long a server may take to come up in a drill of the daemon's.
const BOOT_LIMIT: Duration = Duration::from_secs(300);

/// The directory, to write to. It is made if only it is missing.
pub fn local(settings: &Settings) -> Result<LocalDir, Failure> {
    Ok(LocalDir::open(&settings.dir.value)?)
}

/// The directory, to read from. It must be there.
pub fn local_to_read(settings: &Settings) -> Result<LocalDir, Failure> {
    Ok(LocalDir::open_existing(&settings.dir.value)?)
}

/// The settings of a command that asks etcd: with a look at the certificates, and with everything
/// that is wrong anywhere told at once. Dials nobody: an etcd that is down is no fault of theirs.
pub fn settings(inputs: Inputs<'_>) -> Result<Settings, Failure> {
    let (settings, faults) = Settings::read(inputs);
    members(&settings.etcd, faults, None)?;
    Ok(settings)
}

/// The etcd members. Asks nobody yet.
pub fn source(settings: &Settings) -> Result<Arc<Members>, Failure> {
    Ok(Arc::new(members(&settings.etcd, Vec::new(), None)?))
}

/// The same, each with so long a time to answer: for whoever can go on without.
pub fn source_to_try(settings: &Settings, limit: Duration) -> Result<Arc<Members>, Failure> {
    let members = members(&settings.etcd, Vec::new(), Some(limit))?;
    Ok(Arc::new(members))
}

/// The members, unless anything is wrong with them or elsewhere. `limit` is how long each may take
/// to answer, if not as long as usual.
fn members(
    etcd: &Etcd,
    mut faults: Vec<Fault>,
    limit: Option<Duration>,
) -> Result<Members, Failure> {
    faults.extend(etcd.faults.iter().cloned());
    let configs = etcd.endpoints.value.iter().map(|endpoint| {
        let usual = MemberConfig::new(endpoint);
        MemberConfig {
            tls: etcd.tls(),
            user: etcd.user(),
            request_timeout: limit.unwrap_or(usual.request_timeout),
            ..usual
        }
    });
    let mut refusals = match Members::new(configs) {
        Ok(members) => return Ok(ConfigError::unless_none(faults, members)?),
        Err(refusals) => refusals,
    };
    if faults.is_empty() && refusals.len() == 1 {
        // One alone has its hint on a line of its own, as every other failure.
        let mut failure = Failure::from(refusals.remove(0));
        failure.message = format!("{}: {}", etcd.place_of(&failure.message), failure.message);
        return Err(failure);
    }
    faults.extend(refusals.iter().map(|refusal| {
        let what = chain(refusal);
        Fault {
            place: etcd.place_of(&what),
            wrong: Wrong::new(what, refusal.hint().unwrap_or_default()),
        }
    }));
    Err(ConfigError { faults }.into())
}

/// The bucket, where one is configured. Touches no network.
pub fn remote(settings: &Settings) -> Result<Option<Arc<dyn Store>>, Failure> {
    match &settings.bucket.value {
        Some(bucket) => Ok(Some(Arc::new(S3Store::open(&bucket.s3_config())?))),
        None => Ok(None),
    }
}

/// The bucket, where one is configured, to be tried out: with few tries, for whoever looks waits
/// for an answer and not for a success. Touches no network.
pub fn remote_to_try(settings: &Settings) -> Result<Option<S3Store>, Failure> {
    let Some(bucket) = &settings.bucket.value else {
        return Ok(None);
    };
    let mut config = bucket.s3_config();
    config.tuning.tries = 2;
    Ok(Some(S3Store::open(&config)?))
}

/// The bucket, which this command cannot do without.
pub fn remote_needed(settings: &Settings) -> Result<Arc<dyn Store>, Failure> {
    remote(settings)?.ok_or_else(|| {
        Failure::new(Kind::Config, "no bucket is configured")
            .with_hint("give --bucket-name and keys, or s3backupconfig in the file of --config")
    })
}

/// Who verifies what is saved; nobody where the digest is enough.
fn examiner(settings: &Settings) -> Option<Arc<dyn Examiner>> {
    let making = &settings.making;
    if making.verify.value == Method::Digest {
        return None;
    }
    Some(Arc::new(Deep::new(gentle(settings), scratch(settings))))
}

/// Where snapshots are unpacked and restores rehearsed: beside them unless somebody says otherwise,
/// for /tmp is memory on many machines.
pub fn scratch(settings: &Settings) -> Scratch {
    let scratch = settings.scratch.as_ref().unwrap_or(&settings.dir);
    Scratch::new(scratch.value.clone())
}

/// What a thread does first whose work can wait.
fn gentle(settings: &Settings) -> Gentle {
    let nice = settings.making.verify_nice.value;
    Arc::new(move || give_way(nice))
}

/// The rehearsals of restores, where they are wanted.
pub fn drills(settings: &Settings, clock: &Arc<dyn Clock>) -> Option<Rehearsals> {
    let drill = &settings.drill;
    let every = drill.every.as_ref()?.value;
    let boot = drill.boot.as_ref().map(|boot| Boot {
        program: boot.value.clone(),
        limit: BOOT_LIMIT,
    });
    let clock = Arc::clone(clock);
    let driller = Beside::new(gentle(settings), clock, scratch(settings), boot);
    Some(Rehearsals {
        every,
        driller: Arc::new(driller),
    })
}

/// Lets the thread that calls this give way to others, 19 at most. Of Linux' threads each has a
/// niceness of its own (sched(7)).
fn give_way(nice: u32) {
    // One that cannot be had, for instance under a seccomp profile, costs others some time and
    // the snapshot nothing.
    let _ = rustix::process::nice(i32::try_from(nice).unwrap_or(19));
}

/// Everything that a save needs.
pub fn pipeline(
    settings: &Settings,
    local: &LocalDir,
    clock: &Arc<dyn Clock>,
) -> Result<Pipeline, Failure> {
    let members = source(settings)?;
    let compares = settings.making.compare_members.value;
    Ok(Pipeline {
        source: Arc::clone(&members) as _,
        local: Arc::new(local.clone()),
        drafts: Arc::new(local.private()),
        remote: remote(settings)?,
        codec: settings.making.codec.value,
        enclosure: None,
        clock: Arc::clone(clock),
        limit: settings
            .making
            .timeout
            .as_ref()
            .map(|timeout| timeout.value),
        hearer: Hearer::default(),
        max_rate: settings.making.max_rate.as_ref().map(|rate| rate.value),
        quarantine: Arc::new(local.quarantine()),
        examiner: examiner(settings),
        peers: compares.then_some(members as _),
        tool: concat!("rollsnap ", env!("CARGO_PKG_VERSION")).to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use rustix::process::getpriority_process;

    #[test]
    fn only_the_thread_that_is_asked_to_gives_way() {
        let before = getpriority_process(None);
        let thread = std::thread::spawn(|| {
            super::give_way(19);
            getpriority_process(None)
        });
        assert_eq!(thread.join().ok(), Some(Ok(19)));
        assert_eq!(getpriority_process(None), before);
        assert_ne!(before, Ok(19), "there is nothing to see");
    }
}
