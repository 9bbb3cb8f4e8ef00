//! Times as people say them.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// How long it is from `then` to `now`; nothing, where a clock was set back meanwhile.
pub fn since(then: DateTime<Utc>, now: DateTime<Utc>) -> Duration {
    (now - then).to_std().unwrap_or_default()
}

/// `12 minutes`, in the greatest unit of which there are at least two.
pub fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    let (count, unit) = match seconds {
        0 => return "a second".to_owned(),
        1..120 => (seconds, "second"),
        120..7_200 => (seconds / 60, "minute"),
        7_200..172_800 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    if count == 1 {
        return format!("a {unit}");
    }
    format!("{count} {unit}s")
}

/// What comes behind `every`: `hour`, `6 hours`.
pub fn every(interval: Duration) -> String {
    match interval.as_secs() {
        60 => "minute".to_owned(),
        3_600 => "hour".to_owned(),
        86_400 => "day".to_owned(),
        _ => span(interval),
    }
}

/// `2026-05-01 12:00 UTC`.
pub fn moment(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}
