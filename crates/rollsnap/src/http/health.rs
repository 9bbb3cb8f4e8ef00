//! Whether the process turns, and whether its backups are as they should be. Only people and
//! their alerts act on it: etcd's health is another matter.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, TimeDelta, Utc};
use rollsnap_engine::catalog::Standing;
use rollsnap_engine::manifest::Class;
use rollsnap_engine::standing::patience;
use rollsnap_engine::{Catalog, Kind};

use super::metrics::Stage;
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
            let late = patience(in_force.interval);
            reasons.extend(judged(&catalog, late, now).filter(|_| in_force.is_active));
            reasons.extend(broken(&catalog));
        }
        Some(Err(error)) => reasons.push(error.to_string()),
        None => {}
    }
    if let Some((since, error)) = shared.remote().down
        && now - since > TimeDelta::from_std(in_force.interval).unwrap_or(TimeDelta::MAX)
    {
        let since = moment(since);
        let why = &error.message;
        reasons.push(format!("the bucket has failed since {since}: {why}"));
    }
    if let Some(failure) = shared.failures().get(&Stage::Verify)
        && failure.kind == Kind::Corrupt
    {
        reasons.push(failure.message.clone());
    }
    reasons
}

/// Whether the newest rolling snapshot is too old, or missing.
fn judged(catalog: &Catalog, late: Duration, now: DateTime<Utc>) -> Option<String> {
    let rolling = catalog.proved().filter(|it| it.class == Class::Rolling);
    let Some(newest) = rolling.map(|manifest| manifest.finished_at).max() else {
        return Some("no backup was ever taken".to_owned());
    };
    let age = (now - newest).to_std().unwrap_or_default();
    (age > late).then(|| {
        let (age, late) = (age.as_secs(), late.as_secs());
        format!("the last backup is {age}s old, which is more than {late}s")
    })
}

/// The newest snapshot that was verified and does not hold.
fn broken(catalog: &Catalog) -> Option<String> {
    let verified = catalog.entries.iter().filter(|entry| {
        let manifest = entry.manifest();
        manifest.is_some_and(|manifest| manifest.verification.is_some())
    });
    let newest = verified.max_by_key(|entry| entry.manifest().map(|manifest| manifest.order))?;
    match &newest.standing {
        Standing::Corrupt(_) => Some(format!("{} is broken", newest.name)),
        Standing::Disputed(_) => Some(format!("members disagree about {}", newest.name)),
        _ => None,
    }
}
