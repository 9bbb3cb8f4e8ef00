//! Whether the process turns, and whether its backups are as they should be. Only people and
//! their alerts act on it: etcd's health is another matter.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use rollsnap_engine::catalog::Standing;
use rollsnap_engine::manifest::{Class, Verdict};
use rollsnap_engine::schedule::Schedule;
use rollsnap_engine::{Catalog, Entry};

use super::shared::Shared;
use crate::output::moment;

/// The runtime turns: this answers.
pub(super) async fn live() -> &'static str {
    "ok\n"
}

/// 200 with `ok`, or 503 with the reasons, one a line.
pub(super) async fn ready(State(shared): State<Arc<Shared>>) -> Response {
    let reasons = reasons(&shared).await;
    if reasons.is_empty() {
        return "ok\n".into_response();
    }
    let mut body = String::new();
    for reason in reasons {
        // Writing to a text cannot fail.
        let _ = writeln!(body, "{reason}");
    }
    (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
}

/// Why the backups are not as they should be; nothing where they are.
pub(super) async fn reasons(shared: &Shared) -> Vec<String> {
    let Some(in_force) = shared.in_force() else {
        return vec!["the configuration has not been read yet".to_owned()];
    };
    let mut reasons = Vec::new();
    let now = shared.now();
    if !in_force.is_active {
        reasons.push("backups are switched off".to_owned());
    }
    match shared.local_catalog().await {
        Some(Ok(catalog)) => {
            let judged = judged(&catalog, &in_force.schedule, now);
            reasons.extend(judged.filter(|_| in_force.is_active));
            // What cannot be read is told by the daemon's own failures.
            let aside = shared.quarantined(&in_force).await.unwrap_or_default();
            reasons.extend(broken(&catalog, &aside));
        }
        Some(Err(error)) => reasons.push(error.to_string()),
        None => {}
    }
    if let Some((since, error)) = shared.remote().down
        && now > in_force.schedule.after(since)
    {
        let since = moment(since);
        let why = &error.message;
        reasons.push(format!("the bucket has failed since {since}: {why}"));
    }
    reasons
}

/// When the newest snapshot of the schedule began; `None` where there is none.
///
/// As the daemon counts them: one that is broken does not, nor one of a clock that was ahead.
pub(super) fn newest_rolling(catalog: &Catalog, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let rolling = catalog.manifests().filter(|manifest| {
        manifest.class == Class::Rolling && manifest.verdict() != Some(Verdict::Corrupt)
    });
    let began = rolling.map(|manifest| manifest.started_at);
    began.filter(|began| *began <= now).max()
}

/// Whether the newest rolling snapshot is too old, or missing.
fn judged(catalog: &Catalog, schedule: &Schedule, now: DateTime<Utc>) -> Option<String> {
    let Some(newest) = newest_rolling(catalog, now) else {
        return Some("no backup was ever taken".to_owned());
    };
    let late = schedule.late_from(newest);
    (now > late).then(|| {
        let (age, late) = ((now - newest).num_seconds(), (late - newest).num_seconds());
        format!("the last backup is {age}s old, which is more than {late}s")
    })
}

/// What is wrong with the snapshot that was verified last, here or moved aside.
fn broken(catalog: &Catalog, aside: &Catalog) -> Option<String> {
    let verified = |entry: &&Entry| {
        let manifest = entry.manifest();
        manifest.is_some_and(|manifest| manifest.verification.is_some())
    };
    let all = catalog.entries.iter().chain(&aside.entries);
    let newest = all.filter(verified);
    let newest = newest.max_by_key(|entry| entry.manifest().map(|manifest| manifest.order))?;
    let name = &newest.name;
    match &newest.standing {
        Standing::Corrupt(manifest) => {
            let findings = manifest.verification.as_ref().map(|it| &it.findings);
            Some(match findings.and_then(|findings| findings.first()) {
                Some(finding) => format!("{name} is broken: {finding}"),
                None => format!("{name} is broken"),
            })
        }
        Standing::Disputed(_) => Some(format!("members disagree about {name}")),
        _ => None,
    }
}
