//! What is asked of the bucket itself. Nothing is changed but what an earlier trial left behind.

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::Method;
use reqwest::header::DATE;
use serde::Deserialize;

use super::{NAME, Told, Trial, held, weak};
use crate::s3::call::Call;
use crate::s3::clock::{CURE, stands};
use crate::s3::error::Fault;
use crate::s3::list;
use crate::s3::request::Reply;
use crate::{ErrorKind, Outcome, StoreError};

/// Seconds by which the clocks may differ: a certificate, a name and a `Date` to the second all
/// bear it.
const BEARABLE: i64 = 30;

/// Age from which an object of a trial was left behind.
const LEFT_BEHIND: TimeDelta = TimeDelta::hours(1);

/// The harmless half. Whether the bucket can be listed.
pub(super) async fn look(trial: &Trial<'_>, told: &mut Told) -> bool {
    match list::probe(trial.client, trial.folder).await {
        Ok(reply) => {
            told.add("connection", connection(trial));
            told.add("credentials", credentials(trial).await);
            told.add("list", held(format!("{} can be listed", trial.location)));
            told.add("region", region(trial).await);
            told.add("clock", clock(trial, &reply));
            true
        }
        Err(fault) => {
            let what = match fault {
                Fault::Line(_) | Fault::Stranger => "connection",
                Fault::NoKeys(_) => "credentials",
                _ => {
                    told.add("connection", connection(trial));
                    told.add("credentials", credentials(trial).await);
                    "list"
                }
            };
            told.add(what, Outcome::Failed(trial.error("check", fault)));
            false
        }
    }
}

async fn credentials(trial: &Trial<'_>) -> Outcome {
    match trial.client.keys().told().await {
        Ok(line) => held(line),
        Err(fault) => Outcome::Failed(trial.error("sign for", fault)),
    }
}

fn connection(trial: &Trial<'_>) -> Outcome {
    let endpoint = trial.client.address().endpoint();
    if trial.client.transport().trusts_anybody() {
        weak(
            format!("{endpoint}: anybody may vouch for it (insecure_skip_verify)"),
            "give the CA that signed its certificate as custom_ca instead",
        )
    } else if endpoint.is_plain() && !endpoint.is_loopback() {
        weak(
            format!("{endpoint}: whoever stands between can read every snapshot"),
            "use an https endpoint, with custom_ca if its CA is your own",
        )
    } else {
        held(endpoint.to_string())
    }
}

async fn region(trial: &Trial<'_>) -> Outcome {
    let region = trial.client.region();
    let known = region.known().await.unwrap_or_default();
    match region.written() {
        None => held(format!("{known}, found out")),
        Some(written) if written == known => held(known),
        Some(written) => weak(
            format!("it is {known} and not {written}: every start asks in vain once"),
            "correct region, or leave it out",
        ),
    }
}

fn clock(trial: &Trial<'_>, reply: &Reply) -> Outcome {
    let date = reply
        .header(DATE)
        .and_then(|date| DateTime::parse_from_rfc2822(date).ok());
    let Some(there) = date else {
        return held("the server tells no time");
    };
    let here = trial.client.clock().here();
    let ahead = there.timestamp() - here.timestamp();
    if ahead.abs() <= BEARABLE {
        return held(format!("{}s from the server's", ahead.abs()));
    }
    weak(
        stands(ahead, &trial.client.address().endpoint().to_string()),
        CURE,
    )
}

/// `GetObjectLockConfiguration`, Amazon S3 API reference.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct LockConfiguration {
    object_lock_enabled: String,
    rule: Option<Rule>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Rule {
    default_retention: Retention,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Retention {
    mode: String,
    days: Option<u32>,
    years: Option<u32>,
}

/// Whether the bucket has object lock, and that it has it where objects are to be locked.
pub(super) async fn object_lock(trial: &Trial<'_>) -> Outcome {
    let wanted = trial.client.writing().wants_lock();
    let call = Call::new(Method::GET, "").query("object-lock", "");
    let reply = trial.client.call(&call).await;
    let told = reply.and_then(|reply| reply.model::<LockConfiguration>("state of object lock"));
    match told {
        Ok(state) if state.object_lock_enabled == "Enabled" => held(state.words()),
        Err(fault) if fault.has_status(403) => Outcome::Untried(
            "these keys may not ask for it (s3:GetBucketObjectLockConfiguration)".into(),
        ),
        Err(fault) if fault.is_transient() => Outcome::Failed(trial.error("check", fault)),
        // Off, or not known there: every server has its own way to say so.
        Ok(_) | Err(_) if wanted => {
            let message = "objects are to be locked, but the bucket has no object lock";
            let error = StoreError::at(ErrorKind::Config, "check", trial.location, message);
            Outcome::Failed(error.with_hint(
                "make a bucket with object lock, or leave object_lock_mode and legal_hold out",
            ))
        }
        Ok(_) | Err(_) => held("off: whoever has the right can delete every snapshot"),
    }
}

impl LockConfiguration {
    fn words(&self) -> String {
        let Some(Retention { mode, days, years }) =
            self.rule.as_ref().map(|it| &it.default_retention)
        else {
            return String::from("on, without a rule of the bucket");
        };
        let period = match (days, years) {
            (Some(days), _) => format!("{days} days"),
            (None, Some(years)) => format!("{years} years"),
            (None, None) => String::from("no time told"),
        };
        format!(
            "on, by the bucket's rule {} for {period}",
            mode.to_lowercase()
        )
    }
}

/// Removes what earlier trials left behind. What cannot be removed stays for the next.
pub(super) async fn sweep(trial: &Trial<'_>) {
    let before = trial.client.clock().there(trial.client.clock().here()) - LEFT_BEHIND;
    let prefix = format!("{}{NAME}", trial.folder);
    let Ok(found) = list::page(trial.client, prefix, None).await else {
        return;
    };
    for object in found.contents {
        let modified = DateTime::parse_from_rfc3339(&object.last_modified);
        if modified.is_ok_and(|modified| modified.with_timezone(&Utc) < before) {
            let _ = trial
                .client
                .call(&Call::new(Method::DELETE, &object.key))
                .await;
        }
    }
}
