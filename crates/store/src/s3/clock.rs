//! What time it is here, and what time the server has.
//!
//! A server refuses a signature whose time is more than some minutes from its own (15 at Amazon:
//! "Authenticating Requests", Amazon S3 API reference). Its refusal carries its own time in `Date`
//! (RFC 9110, 6.6.1), to the second. From then on requests are signed by the server's clock, and
//! whoever looks after this machine is told.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};

use super::error::Refusal;

/// Difference in seconds from which a refusal without a code may be for the time: the reply to a
/// HEAD has no body that says why. The strictest servers allow five minutes.
const SUSPICIOUS: i64 = 240;

/// Difference in seconds that a second try is worth where the server says that it is the time.
const WORTH_IT: i64 = 2;

/// Difference in seconds to what was told that is told too: a clock that was set since.
const WORTH_TELLING: i64 = 60;

/// The cure of a clock that is wrong.
pub(super) const CURE: &str = "set this machine's clock, by NTP for instance: requests are signed \
     by the server's time where they have to be, but names and ages of snapshots are by this one";

/// This machine's time, which tests may set.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>);

impl Clock {
    /// A clock that shows whatever `now` answers.
    pub fn new(now: impl Fn() -> DateTime<Utc> + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The system's clock.
    #[expect(
        clippy::disallowed_methods,
        reason = "a signature needs the time; tests give a clock of their own"
    )]
    pub fn system() -> Self {
        Self::new(Utc::now)
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        (self.0)()
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// The server's time, as far as it is known.
#[derive(Debug)]
pub(super) struct ServerClock {
    here: Clock,
    /// Seconds by which the server is ahead of here; zero until it was learned.
    ahead: AtomicI64,
    /// The same, as it was told last.
    told: AtomicI64,
}

impl ServerClock {
    pub(super) fn new(here: Clock) -> Self {
        Self {
            here,
            ahead: AtomicI64::new(0),
            told: AtomicI64::new(0),
        }
    }

    /// This machine's time.
    pub(super) fn here(&self) -> DateTime<Utc> {
        self.here.now()
    }

    /// The time by which to sign a request that is made at `here`.
    pub(super) fn there(&self, here: DateTime<Utc>) -> DateTime<Utc> {
        let ahead = TimeDelta::seconds(self.ahead());
        here.checked_add_signed(ahead).unwrap_or(here)
    }

    /// Seconds by which the server's clock was found to be ahead of this one (less than zero:
    /// behind), zero if nobody complained.
    pub(super) fn ahead(&self) -> i64 {
        self.ahead.load(Ordering::Relaxed)
    }

    /// By how much the server was found to be ahead, once for each time that it was found anew.
    pub(super) fn news(&self) -> Option<i64> {
        let ahead = self.ahead();
        let told = self.told.swap(ahead, Ordering::Relaxed);
        ((ahead - told).abs() >= WORTH_TELLING).then_some(ahead)
    }

    /// Takes the server's time from a refusal that may be for the time. Whether the request is
    /// worth another try.
    pub(super) fn learn(&self, refusal: &Refusal) -> bool {
        let Some(ahead) = refusal.ahead else {
            return false;
        };
        let off = (ahead - self.ahead()).abs();
        let learned = if refusal.is_about_time() {
            off >= WORTH_IT
        } else {
            refusal.status == 403 && refusal.code.is_empty() && off >= SUSPICIOUS
        };
        if learned {
            self.ahead.store(ahead, Ordering::Relaxed);
        }
        learned
    }
}

/// `1200s behind that of https://h`: how this clock stands to the server's.
pub(super) fn stands(ahead: i64, endpoint: &str) -> String {
    let side = if ahead < 0 { "ahead of" } else { "behind" };
    format!(
        "this clock is {}s {side} that of {endpoint}",
        ahead.unsigned_abs()
    )
}

#[cfg(test)]
mod tests {
    use reqwest::header::{DATE, HeaderMap, HeaderValue};

    use super::*;

    const HERE: i64 = 1_777_636_800; // 2026-05-01T12:00:00Z

    fn refusal(status: u16, code: &str, date: &'static str) -> Refusal {
        let mut headers = HeaderMap::new();
        headers.insert(DATE, HeaderValue::from_static(date));
        let body = format!("<Error><Code>{code}</Code></Error>");
        let body = if code.is_empty() { "" } else { &body };
        Refusal::new(status, &headers, body, HERE)
    }

    fn clock() -> ServerClock {
        ServerClock::new(Clock::new(|| {
            DateTime::from_timestamp(HERE, 0).unwrap_or_default()
        }))
    }

    #[test]
    fn a_refusal_for_the_time_sets_the_clock_once() {
        let clock = clock();
        assert_eq!(clock.news(), None);
        let late = refusal(403, "RequestTimeTooSkewed", "Fri, 01 May 2026 12:20:00 GMT");
        assert_eq!(clock.there(clock.here()), clock.here());
        assert!(clock.learn(&late));
        assert_eq!(clock.ahead(), 1200);
        assert_eq!((clock.news(), clock.news()), (Some(1200), None));
        let there = clock.there(clock.here());
        assert_eq!(there.to_rfc3339(), "2026-05-01T12:20:00+00:00");
        assert!(!clock.learn(&late), "the same again cannot help");

        let early = refusal(403, "RequestTimeTooSkewed", "Fri, 01 May 2026 11:00:00 GMT");
        assert!(
            clock.learn(&early),
            "a clock that was set since is learned anew"
        );
        assert_eq!(clock.ahead(), -3600);
        assert_eq!(clock.news(), Some(-3600));
    }

    #[test]
    fn only_what_may_be_for_the_time_sets_it() {
        let far = "Fri, 01 May 2026 12:20:00 GMT";
        let near = "Fri, 01 May 2026 12:01:00 GMT";
        for (status, code, date, learned) in [
            (403, "", far, true),
            (403, "", near, false),
            (404, "", far, false),
            (403, "AccessDenied", far, false),
            (403, "RequestTimeTooSkewed", near, true),
            (403, "RequestTimeTooSkewed", "yesterday", false),
        ] {
            let refusal = refusal(status, code, date);
            assert_eq!(clock().learn(&refusal), learned, "{status} {code} {date}");
        }
    }
}
