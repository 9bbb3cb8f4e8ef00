//! Keys that somebody gave out for a time.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use super::no_keys::NoKeys;
use super::pair::Credentials;

/// Keys that somebody gave out, and for how long.
#[derive(Debug, Clone)]
pub(super) struct Lease {
    pub(super) keys: Arc<Credentials>,
    /// From when they were asked for. None is unknown.
    pub(super) lifetime: Option<Duration>,
    /// Whose they are, where only the giver knows.
    pub(super) owner: Option<String>,
}

/// Keys as the token service, containers' agents and instances spell them, in XML or JSON.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Grant {
    #[serde(deserialize_with = "secret")]
    access_key_id: Zeroizing<String>,
    #[serde(deserialize_with = "secret")]
    secret_access_key: Zeroizing<String>,
    #[serde(alias = "SessionToken", deserialize_with = "secret")]
    token: Zeroizing<String>,
    expiration: Option<DateTime<Utc>>,
}

fn secret<'de, D: Deserializer<'de>>(text: D) -> Result<Zeroizing<String>, D::Error> {
    String::deserialize(text).map(Zeroizing::new)
}

impl Grant {
    /// Judges the keys. `now` is the giver's clock, so that a wrong clock here does no harm.
    pub(super) fn lease(self, now: Option<DateTime<Utc>>) -> Result<Lease, NoKeys> {
        let keys = Credentials::new(self.access_key_id.as_str(), self.secret_access_key.as_str())
            .with_session_token(self.token.as_str())
            .judged()
            .map_err(|why| NoKeys::unavailable(format!("its {why}")))?;
        let lifetime = match (self.expiration, now) {
            (Some(end), Some(now)) => Some((end - now).to_std().map_err(|_| {
                NoKeys::unavailable(format!("it gives out keys that expired at {end}"))
            })?),
            _ => None,
        };
        Ok(Lease {
            keys: Arc::new(keys),
            lifetime,
            owner: None,
        })
    }
}
