//! Which news become Events of Kubernetes, so that they are no flood. Pure.
//!
//! Each failure is one, for they are counted in one Event as long as nothing else comes between. A
//! success is one when it ends a failure, and else once an hour, which is as long as Kubernetes
//! keeps one.

use std::time::Duration;

use rollsnap_engine::quarantine::Quarantined;
use tokio::time::Instant;

use super::attempts::News;

/// The least time between two successes that are told.
const PAUSE: Duration = Duration::from_secs(3600);

/// What is to be posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Notice {
    /// What happened, in one word.
    pub(super) reason: Reason,
    /// The same for people.
    pub(super) message: String,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    Succeeded,
    Recovered,
    Failed,
    Broken,
}

impl Reason {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "EtcdBackupSucceeded",
            Self::Recovered => "EtcdBackupRecovered",
            Self::Failed => "EtcdBackupFailed",
            Self::Broken => "EtcdBackupQuarantined",
        }
    }

    pub(super) fn is_warning(self) -> bool {
        matches!(self, Self::Failed | Self::Broken)
    }
}

/// What was told so far.
#[derive(Debug, Default)]
pub(super) struct Flow {
    is_failing: bool,
    succeeded: Option<Instant>,
}

impl Flow {
    pub(super) fn notice(&mut self, news: &News, now: Instant) -> Option<Notice> {
        let (reason, message) = match news {
            News::Begun => return None,
            News::Failed(words) => {
                self.is_failing = true;
                (Reason::Failed, &**words)
            }
            News::Stands => {
                let was_failing = std::mem::take(&mut self.is_failing);
                let is_soon = self.succeeded.is_some_and(|then| now - then < PAUSE);
                if is_soon && !was_failing {
                    return None;
                }
                self.succeeded = Some(now);
                if was_failing {
                    (Reason::Recovered, "Backups of etcd work again")
                } else {
                    let words = "The newest backup of etcd is proved, and where it should be";
                    (Reason::Succeeded, words)
                }
            }
        };
        Some(Notice {
            reason,
            message: message.to_owned(),
        })
    }
}

impl Notice {
    pub(super) fn broken(quarantined: &Quarantined) -> Self {
        let (name, finding) = (&quarantined.manifest.name, quarantined.finding());
        Self {
            reason: Reason::Broken,
            message: format!("{name} is broken, as etcd sent it: {finding}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn successes_are_told_once_an_hour_and_whenever_they_end_a_failure() {
        let (mut flow, begin) = (Flow::default(), Instant::now());
        let mut reason = |news: &News, minutes: u64| {
            let now = begin + Duration::from_secs(60 * minutes);
            flow.notice(news, now).map(|notice| notice.reason)
        };
        let failed = News::Failed("no etcd".to_owned());
        assert_eq!(reason(&News::Begun, 0), None);
        assert_eq!(reason(&News::Stands, 0), Some(Reason::Succeeded));
        assert_eq!(reason(&News::Stands, 59), None);
        assert_eq!(reason(&News::Stands, 60), Some(Reason::Succeeded));
        assert_eq!(reason(&failed, 61), Some(Reason::Failed));
        assert_eq!(reason(&failed, 62), Some(Reason::Failed));
        assert_eq!(reason(&News::Stands, 63), Some(Reason::Recovered));
        assert_eq!(reason(&News::Stands, 64), None);
    }
}
