//! Whose requests they are: keys that are given, or nobody's.

mod pair;

use std::sync::Arc;

pub use self::pair::Credentials;
use super::error::Fault;

/// From where the keys come.
#[derive(Debug, Clone)]
pub enum CredentialSource {
    /// These keys, as long as the store lives.
    Keys(Credentials),
    /// None: requests are not signed.
    Anonymous,
}

impl Default for CredentialSource {
    fn default() -> Self {
        Self::Keys(Credentials::default())
    }
}

impl From<Credentials> for CredentialSource {
    fn from(keys: Credentials) -> Self {
        Self::Keys(keys)
    }
}

/// The keys of one store, asked for before each try of a request.
#[derive(Debug)]
pub(super) struct Keys {
    fixed: Option<Arc<Credentials>>,
}

impl Keys {
    /// Takes a source that was found right. `http` carries the questions to those who give keys
    /// out; nothing is asked yet.
    #[allow(clippy::unnecessary_wraps, reason = "other sources can be wrong")]
    pub(super) fn new(source: &CredentialSource, http: reqwest::Client) -> Result<Self, String> {
        drop(http);
        Ok(Self {
            fixed: match source {
                CredentialSource::Keys(keys) => Some(Arc::new(keys.clone())),
                CredentialSource::Anonymous => None,
            },
        })
    }

    /// The keys to sign with now, or none to send the request unsigned.
    #[allow(clippy::unused_async, reason = "other sources ask the network")]
    pub(super) async fn current(&self) -> Result<Option<Arc<Credentials>>, Fault> {
        Ok(self.fixed.clone())
    }

    /// After a server refused `refused` as expired or unknown: whether there are other keys now,
    /// so that a second try is worth it.
    #[allow(clippy::unused_async, reason = "other sources ask the network")]
    pub(super) async fn renewed(&self, refused: &Credentials) -> bool {
        self.fixed.as_deref().is_some_and(|keys| keys != refused)
    }
}
