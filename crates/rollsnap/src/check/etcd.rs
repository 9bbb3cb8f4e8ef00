//! The members tried out. What they tell is judged purely; a snapshot is opened and dropped.

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::StreamExt;
use rollsnap_engine::Kind;
use rollsnap_etcd::{Checkup, Members, SnapshotStream, Source, SourceError, Vitals};
use rollsnap_store::Effort;

use super::{Outcome, Part, Trial};
use crate::assembly;
use crate::config::Settings;
use crate::output::{Size, moment};

/// Certificates that end sooner are told.
const NOTICE: TimeDelta = TimeDelta::days(30);

/// The oldest etcd whose snapshots this program was tried with.
const OLDEST: (u32, u32) = (3, 4);

/// What came of it.
pub(super) struct Tried {
    pub(super) trials: Vec<Trial>,
    /// Bytes of the largest database.
    pub(super) largest: Option<u64>,
}

pub(super) async fn try_out(settings: &Settings, effort: Effort, now: DateTime<Utc>) -> Tried {
    let members = match assembly::source(settings) {
        Ok(members) => members,
        Err(failure) => {
            let location = settings.etcd.endpoints.value.join(",");
            let outcome = Outcome::Failed(failure);
            return Tried {
                trials: vec![Trial::new(Part::Etcd, location, "settings", outcome)],
                largest: None,
            };
        }
    };
    let checkups = members.check_up().await;
    let sizes = checkups
        .iter()
        .filter_map(|it| Some(it.status.as_ref().ok()?.status.db_size));
    let largest = sizes.max();
    let any_answers = largest.is_some();
    let mut trials = judge_all(checkups, now);
    trials.extend(files(settings, now).await);
    if effort == Effort::Full && any_answers {
        let outcome = snapshot(&members).await.unwrap_or_else(failed);
        trials.push(Trial::new(
            Part::Etcd,
            members.endpoint(),
            "snapshot",
            outcome,
        ));
    }
    Tried { trials, largest }
}

fn failed(error: SourceError) -> Outcome {
    Outcome::Failed(error.into())
}

/// Opens a snapshot as a save does, takes the first piece, and lets it go.
async fn snapshot(members: &Members) -> Result<Outcome, SourceError> {
    let status = members.status().await?;
    let mut stream: SnapshotStream = members.snapshot().await?;
    match stream.next().await {
        Some(Ok(chunk)) => {
            let size = chunk.remaining.saturating_add(chunk.bytes.len() as u64);
            let version = status.version;
            Ok(Outcome::Held(format!(
                "begun, of {} by etcd {version}",
                Size(size)
            )))
        }
        Some(Err(error)) => Err(error),
        None => Ok(Outcome::failed(
            Kind::Corrupt,
            "the snapshot ended before its first byte",
            "look at the member's log",
        )),
    }
}

/// Every member. A failure of one is a weakness of the whole where another is well: saves are then
/// taken from that.
fn judge_all(checkups: Vec<Checkup>, now: DateTime<Utc>) -> Vec<Trial> {
    let judged: Vec<_> = checkups.into_iter().map(|it| judge(it, now)).collect();
    let is_failed = |trial: &Trial| matches!(trial.outcome, Outcome::Failed(_));
    let any_is_well = judged.iter().any(|trials| !trials.iter().any(is_failed));
    let mut trials: Vec<_> = judged.into_iter().flatten().collect();
    if any_is_well {
        for trial in &mut trials {
            if let Outcome::Failed(failure) = &trial.outcome
                && failure.kind != Kind::Corrupt
            {
                trial.outcome = Outcome::Weak {
                    message: format!("{}; another member is well", failure.message),
                    hint: failure.hint.clone(),
                };
            }
        }
    }
    trials
}

/// One member.
fn judge(checkup: Checkup, now: DateTime<Utc>) -> Vec<Trial> {
    let Checkup {
        endpoint,
        status,
        certificate_end,
    } = checkup;
    let mut trials = Vec::new();
    let mut tell = |what, outcome| trials.push(Trial::new(Part::Etcd, &endpoint, what, outcome));
    match status {
        Err(error) => tell("answers", failed(error)),
        Ok(vitals) => {
            let name = vitals
                .status
                .member_name
                .as_deref()
                .unwrap_or("without a name");
            tell("answers", Outcome::Held(format!("member {name}")));
            tell("version", version(&vitals.status.version));
            tell("leader", leader(&vitals));
            tell("alarms", alarms(&vitals.status.errors));
            tell("voting", voting(vitals.status.is_learner));
            let agreed = || Outcome::Held("a majority agrees".to_owned());
            tell("health", vitals.health.map_or_else(failed, |()| agreed()));
        }
    }
    if let Some(end) = certificate_end {
        tell("certificate", certificate(end, now));
    }
    trials
}

fn version(version: &str) -> Outcome {
    let mut numbers = version.split('.').map(|number| number.parse().ok());
    let told = numbers.next().flatten().zip(numbers.next().flatten());
    match told {
        Some(told) if told < OLDEST => Outcome::failed(
            Kind::Config,
            format!("etcd {version} is older than {}.{}", OLDEST.0, OLDEST.1),
            "its snapshots were never tried: upgrade etcd",
        ),
        Some(_) => Outcome::Held(version.to_owned()),
        None => Outcome::weak(
            format!("its version is {version:?}"),
            "this program was tried with etcd 3.4 to 3.7",
        ),
    }
}

fn leader(vitals: &Vitals) -> Outcome {
    if vitals.has_leader {
        Outcome::Held("it knows one".to_owned())
    } else {
        Outcome::failed(
            Kind::Source,
            "it knows no leader",
            "a majority of the members must be up and reach each other",
        )
    }
}

/// What a status tells as errors (etcd `v3rpc/maintenance.go`): alarms, such as
/// `memberID:1 alarm:NOSPACE `, and that there is no leader, which is told by itself.
fn alarms(errors: &[String]) -> Outcome {
    let told = errors.iter().map(|error| error.trim());
    let told: Vec<_> = told.filter(|error| !error.contains("no leader")).collect();
    let has = |alarm: &str| told.iter().any(|error| error.contains(alarm));
    let message = told.join("; ");
    if told.is_empty() {
        Outcome::Held("none".to_owned())
    } else if has("alarm:CORRUPT") {
        Outcome::failed(
            Kind::Corrupt,
            message,
            "members hold different data: find out which with rollsnap hashkv --against, and \
             replace it",
        )
    } else if has("alarm:NOSPACE") {
        Outcome::weak(
            message,
            "etcd takes no writes: compact, defragment, then etcdctl alarm disarm",
        )
    } else {
        Outcome::weak(message, "look at the member's log")
    }
}

fn voting(is_learner: bool) -> Outcome {
    if is_learner {
        Outcome::failed(
            Kind::Config,
            "this member is a learner, which gives no snapshot",
            "name a voting member with --endpoints",
        )
    } else {
        Outcome::Held("it has a vote".to_owned())
    }
}

/// The certificates in our own files.
async fn files(settings: &Settings, now: DateTime<Utc>) -> Vec<Trial> {
    let tls = settings.etcd.tls();
    let expiries = tokio::task::spawn_blocking(move || tls.expiries()).await;
    let expiries = expiries.unwrap_or_default().into_iter();
    let trial = |expiry: rollsnap_etcd::Expiry| {
        let path = expiry.path.display().to_string();
        Trial::new(Part::Etcd, path, expiry.what, certificate(expiry.at, now))
    };
    expiries.map(trial).collect()
}

/// A certificate whose last second is `end`, since 1970.
fn certificate(end: u64, now: DateTime<Utc>) -> Outcome {
    let end = i64::try_from(end).ok();
    // What ends after the calendar does ends never.
    let Some(end) = end.and_then(|end| DateTime::from_timestamp(end, 0)) else {
        return Outcome::Held("valid for ever".to_owned());
    };
    let day = moment(end);
    let left = end - now;
    if left < TimeDelta::zero() {
        let message = format!("it ended at {day}");
        return Outcome::failed(Kind::Denied, message, "renew it, and check both clocks");
    }
    if left < NOTICE {
        let days = left.num_days();
        return Outcome::weak(format!("it ends in {days} days, at {day}"), "renew it");
    }
    Outcome::Held(format!("valid until {day}"))
}

#[cfg(test)]
mod tests {
    use rollsnap_etcd::{ErrorKind, MemberStatus};

    use super::*;

    const NOW: i64 = 1_777_636_800;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(NOW, 0).unwrap()
    }

    fn well(endpoint: &str) -> Checkup {
        Checkup {
            endpoint: endpoint.to_owned(),
            status: Ok(Vitals {
                status: MemberStatus {
                    cluster_id: 1,
                    member_id: 2,
                    member_name: Some("m1".to_owned()),
                    version: "3.5.1".to_owned(),
                    revision: 3,
                    raft_term: 4,
                    leader_id: 1,
                    raft_applied_index: 5,
                    db_size: 6,
                    db_in_use: 5,
                    is_learner: false,
                    errors: Vec::new(),
                },
                has_leader: true,
                health: Ok(()),
            }),
            certificate_end: None,
        }
    }

    fn down(endpoint: &str) -> Checkup {
        let kind = ErrorKind::Unavailable;
        let error = SourceError::new(kind, "status of", endpoint, "connection refused");
        Checkup {
            endpoint: endpoint.to_owned(),
            status: Err(error.with_hint("is etcd running?")),
            certificate_end: None,
        }
    }

    fn marks(trials: &[Trial]) -> String {
        let mark = |trial: &Trial| match trial.outcome {
            Outcome::Held(_) => '+',
            Outcome::Weak { .. } => '!',
            Outcome::Failed(_) => 'x',
            Outcome::Untried(_) => '-',
        };
        trials.iter().map(mark).collect()
    }

    #[test]
    fn a_member_that_is_down_fails_alone_and_weakens_beside_one_that_is_well() {
        assert_eq!(marks(&judge_all(vec![well("a")], now())), "++++++");
        assert_eq!(marks(&judge_all(vec![down("a")], now())), "x");
        let both = judge_all(vec![down("a"), well("b")], now());
        assert_eq!(marks(&both), "!++++++");
        let Outcome::Weak { message, hint } = &both[0].outcome else {
            panic!("{both:?}")
        };
        let words = "status of a: connection refused; another member is well";
        assert_eq!(message, words);
        assert_eq!(hint.as_deref(), Some("is etcd running?"));
    }

    #[test]
    fn what_is_corrupt_stays_a_failure_whoever_else_is_well() {
        let mut sick = well("a");
        if let Ok(vitals) = &mut sick.status {
            vitals.status.errors = vec!["memberID:1 alarm:CORRUPT ".to_owned()];
        }
        let trials = judge_all(vec![sick, well("b")], now());
        assert_eq!(marks(&trials), "+++x++++++++");
    }

    #[test]
    fn versions_are_judged_by_their_numbers() {
        for old in ["3.3.27", "2.3.8", "3.0.0"] {
            assert!(matches!(version(old), Outcome::Failed(_)), "{old}");
        }
        for good in ["3.4.0", "3.5.1", "3.10.0", "4.0.0-rc.1", "3.6.0-alpha.0"] {
            assert!(matches!(version(good), Outcome::Held(_)), "{good}");
        }
        assert!(matches!(version("dev"), Outcome::Weak { .. }));
    }

    #[test]
    fn alarms_are_told_with_the_cure_of_each() {
        let told = |text: &str| alarms(&[text.to_owned()]);
        assert!(matches!(alarms(&[]), Outcome::Held(_)));
        assert!(matches!(told("etcdserver: no leader"), Outcome::Held(_)));
        assert!(matches!(told("memberID:1 alarm:NOSPACE "),
            Outcome::Weak { message, hint: Some(hint) }
                if message == "memberID:1 alarm:NOSPACE" && hint.contains("alarm disarm")));
        assert!(matches!(told("memberID:1 alarm:CORRUPT "),
            Outcome::Failed(failure) if failure.kind == Kind::Corrupt));
    }

    #[test]
    fn a_certificate_is_told_thirty_days_before_its_end() {
        let day = 86_400;
        let at = |offset: i64| certificate(u64::try_from(NOW + offset).unwrap(), now());
        assert!(matches!(at(31 * day), Outcome::Held(_)));
        let Outcome::Weak { message, .. } = at(29 * day) else {
            panic!("nobody is told")
        };
        assert_eq!(message, "it ends in 29 days, at 2026-05-30T12:00:00Z");
        assert!(matches!(at(-1), Outcome::Failed(failure) if failure.kind == Kind::Denied));
        assert!(matches!(certificate(u64::MAX, now()), Outcome::Held(_)));
    }
}
