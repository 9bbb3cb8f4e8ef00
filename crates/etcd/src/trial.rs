//! A server that was started to be tried out: alone in its cluster, behind a socket in a private
//! directory, where nobody else can ask it.

use std::time::Duration;

use etcd_client::{Channel, Client, Error, GetOptions};
use tokio::time::timeout;
use tonic::transport::Endpoint;

use crate::hashes::member_hash;
use crate::{ErrorKind, MemberHash, SourceError};

const ASK: &str = "ask";

/// One such server. It need not be up yet.
#[derive(Debug)]
pub struct Trial {
    socket: String,
}

/// What it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its version.
    pub version: String,
    /// Where it is.
    pub revision: u64,
    /// Keys that were alive at the revision that was asked for.
    pub keys: u64,
    /// What its records up to its newest revision hash to.
    pub hash: MemberHash,
}

impl Trial {
    /// The server that listens at the socket of this path, at most 107 bytes of it.
    pub fn at(socket: impl Into<String>) -> Self {
        Self {
            socket: socket.into(),
        }
    }

    /// Asks the server for its version, as the first answer that it gives after a read through its
    /// log: it has elected itself and applied everything. [`Unavailable`](ErrorKind::Unavailable)
    /// while it is not that far, for which it has at most `limit`. Cancel-safe.
    pub async fn is_up(&self, limit: Duration) -> Result<String, SourceError> {
        let asked = async {
            let client = self.client().await?;
            // A read that the leader answers, of which there is none before the election.
            let only = GetOptions::new().with_keys_only().with_limit(1);
            client.kv_client().get("\0", Some(only)).await?;
            let status = client.maintenance_client().status().await?;
            Ok(status.version().to_owned())
        };
        self.within(limit, asked).await
    }

    /// Asks what it holds: the keys at `revision`, the hash where it is. The server reads all of
    /// its database for this. Cancel-safe.
    pub async fn ask(&self, revision: u64, limit: Duration) -> Result<Answer, SourceError> {
        let asked = async {
            let client = self.client().await?;
            let status = client.maintenance_client().status().await?;
            let at = i64::try_from(revision).unwrap_or(i64::MAX);
            let count = GetOptions::new()
                .with_all_keys()
                .with_count_only()
                .with_revision(at);
            let counted = client.kv_client().get("", Some(count)).await?;
            let hash = client.maintenance_client().hash_kv(0).await?;
            Ok((status, counted, hash))
        };
        let (status, counted, hash) = self.within(limit, asked).await?;
        let now = status
            .header()
            .map_or(0, etcd_client::ResponseHeader::revision);
        let number = |number: i64| u64::try_from(number).unwrap_or(0);
        Ok(Answer {
            version: status.version().to_owned(),
            revision: number(now),
            keys: number(counted.count()),
            hash: member_hash(&hash, 0).ok_or_else(|| self.refusal("its hash names no member"))?,
        })
    }

    async fn client(&self) -> Result<Client, Error> {
        let endpoint = Endpoint::from_shared(format!("unix:{}", self.socket))?;
        Client::from_channel(Channel::Tonic(endpoint.connect_lazy()), None).await
    }

    async fn within<T>(
        &self,
        limit: Duration,
        asked: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, SourceError> {
        match timeout(limit, Box::pin(asked)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(self.refusal(error.to_string())),
            Err(_) => Err(self.refusal(format!("no answer for {limit:?}"))),
        }
    }

    fn refusal(&self, message: impl Into<String>) -> SourceError {
        SourceError::new(ErrorKind::Unavailable, ASK, &self.socket, message)
    }
}
