//! How many keys a member holds.

use etcd_client::GetOptions;
use tokio::time::timeout;

use crate::members::nobody;
use crate::{Member, Members, SourceError};

const COUNT: &str = "count the keys of";

impl Members {
    /// How many keys are alive below each of these prefixes; below an empty one, all. It is asked
    /// of the member whose status was told last, and answered from what that one holds itself,
    /// with or without a quorum.
    ///
    /// Takes at most a request timeout for each prefix, and one to connect.
    pub async fn counts(&self, prefixes: &[Vec<u8>]) -> Result<Vec<u64>, SourceError> {
        match self.chosen() {
            Some(member) => member.counts(prefixes).await,
            None => Err(nobody(COUNT, &self.text, Vec::new())),
        }
    }
}

impl Member {
    async fn counts(&self, prefixes: &[Vec<u8>]) -> Result<Vec<u64>, SourceError> {
        let client = timeout(self.request_timeout, Box::pin(self.connect(COUNT)))
            .await
            .map_err(|_| self.no_answer(COUNT))??;
        let mut store = client.kv_client();
        let mut counts = Vec::with_capacity(prefixes.len());
        for prefix in prefixes {
            let options = GetOptions::new().with_count_only().with_serializable();
            let options = if prefix.is_empty() {
                options.with_all_keys()
            } else {
                options.with_prefix()
            };
            let asked = store.get(prefix.clone(), Some(options));
            match timeout(self.request_timeout, asked).await {
                Ok(Ok(answer)) => counts.push(u64::try_from(answer.count()).unwrap_or(0)),
                Ok(Err(error)) => return Err(self.subject.explain(COUNT, error).await),
                Err(_) => return Err(self.no_answer(COUNT)),
            }
        }
        Ok(counts)
    }
}
