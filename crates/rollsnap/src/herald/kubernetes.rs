//! Events of Kubernetes. Its API server may be down exactly when etcd is; then they are lost, and
//! the one that tells of the recovery is not.

use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat, Utc};
use rollsnap_rke::kube_events::{Access, KubeEvent, MOST_WORDS};
use tokio::sync::Mutex;

use super::flow::{Notice, Reason};
use super::post::Courier;
use super::{Whom, shortened};
use crate::report::Failure;

/// How often one is tried.
const TRIES: u32 = 3;

/// Posts Events about one Node.
pub(super) struct Kubernetes {
    access: Access,
    node: String,
    /// The last, while it may happen again.
    last: Mutex<Option<KubeEvent>>,
}

impl Kubernetes {
    /// Asks nobody yet. Where nobody says the Node's name, it is the host's, as the kubelet has it.
    pub(super) fn new(access: Access, node: Option<String>) -> Self {
        let node = node.unwrap_or_else(|| {
            let names = rustix::system::uname();
            names.nodename().to_string_lossy().to_lowercase()
        });
        Self {
            access,
            node,
            last: Mutex::default(),
        }
    }

    fn event(&self, notice: &Notice, at: DateTime<Utc>) -> KubeEvent {
        KubeEvent {
            name: format!("{}.{:x}", self.node, at.timestamp_micros()),
            node: self.node.clone(),
            is_warning: notice.reason.is_warning(),
            reason: notice.reason.as_str(),
            message: shortened(&notice.message, MOST_WORDS).to_owned(),
            first: at.to_rfc3339_opts(SecondsFormat::Micros, true),
            last: at.to_rfc3339_opts(SecondsFormat::Secs, true),
            count: 1,
        }
    }
}

#[async_trait]
impl Courier for Kubernetes {
    type Letter = (Notice, DateTime<Utc>);

    const WHOM: Whom = Whom::Kubernetes;

    fn tries(_: &Self::Letter) -> u32 {
        TRIES
    }

    async fn deliver(&self, (notice, at): &Self::Letter) -> Result<(), Failure> {
        let mut event = self.event(notice, *at);
        let mut last = self.last.lock().await;
        if let Some(before) = last.as_ref().filter(|last| last.reason == event.reason) {
            let again = KubeEvent {
                name: before.name.clone(),
                first: before.first.clone(),
                count: before.count.saturating_add(1),
                ..event.clone()
            };
            if self.access.again(&again).await? {
                *last = Some(again);
                return Ok(());
            }
            // Kubernetes forgets them after an hour; the number goes on.
            event.count = again.count;
        }
        self.access.post(&event).await?;
        *last = (notice.reason == Reason::Failed).then_some(event);
        Ok(())
    }
}
