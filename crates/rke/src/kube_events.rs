//! Events of Kubernetes about a Node: what `kubectl describe node` and `kubectl get events` show.
//!
//! They stand in `kube-system`, which takes Events about what has no namespace as long as they tell
//! their time to the microsecond; and under the Node's name as its id, as the kubelet's do.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use hyper::{Method, StatusCode};
use rollsnap_engine::Kind;
use serde_json::{Value, json};

use crate::LineError;
use crate::https;
use crate::kubeconfig::Cluster;

/// Where a pod's service account is.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// The namespace of all.
const NAMESPACE: &str = "kube-system";

/// The most bytes of words that Kubernetes takes.
pub const MOST_WORDS: usize = 1024;

/// How long the server may take for its answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// How Kubernetes is reached. Files are read anew each time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// As this kubeconfig says.
    Kubeconfig(PathBuf),
    /// As the service account of a pod.
    Pod {
        /// The API server.
        host: String,
        /// Its port.
        port: u16,
        /// The directory with `ca.crt` and `token`.
        dir: PathBuf,
    },
}

/// One Event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KubeEvent {
    /// Its own name: one that no other has.
    pub name: String,
    /// The Node that it is about.
    pub node: String,
    /// Whether somebody should look.
    pub is_warning: bool,
    /// What happened, in one word.
    pub reason: &'static str,
    /// What happened, [`MOST_WORDS`] at most.
    pub message: String,
    /// When it happened first: RFC 3339 with six digits behind the second.
    pub first: String,
    /// When it happened last, to the second.
    pub last: String,
    /// How often it happened.
    pub count: u32,
}

impl Access {
    /// As a pod with this environment has it; none in what is no pod.
    pub fn of_pod(environment: &dyn Fn(&str) -> Option<String>) -> Option<Self> {
        Some(Self::Pod {
            host: environment("KUBERNETES_SERVICE_HOST")?,
            port: environment("KUBERNETES_SERVICE_PORT")?.parse().ok()?,
            dir: SERVICE_ACCOUNT.into(),
        })
    }

    fn place(&self) -> String {
        match self {
            Self::Kubeconfig(path) => path.display().to_string(),
            Self::Pod { dir, .. } => dir.display().to_string(),
        }
    }

    fn cluster(&self) -> Result<Cluster, LineError> {
        match self {
            Self::Kubeconfig(path) => Cluster::read(path),
            Self::Pod { host, port, dir } => Cluster::of_pod(host, *port, dir),
        }
    }

    /// Posts a new Event.
    ///
    /// # Errors
    /// When the server cannot be reached in time, or does not take it.
    pub async fn post(&self, event: &KubeEvent) -> Result<(), LineError> {
        let (status, url) = self.send(Method::POST, None, &event.whole()).await?;
        judge(status, &url)
    }

    /// Tells that an Event happened once more. False where it is not there any longer.
    ///
    /// # Errors
    /// As [`post`](Self::post).
    pub async fn again(&self, event: &KubeEvent) -> Result<bool, LineError> {
        let change = json!({
            "message": event.message,
            "lastTimestamp": event.last,
            "count": event.count,
        });
        let (status, url) = self.send(Method::PATCH, Some(&event.name), &change).await?;
        if status == StatusCode::NOT_FOUND {
            return Ok(false);
        }
        judge(status, &url).map(|()| true)
    }

    async fn send(
        &self,
        method: Method,
        name: Option<&str>,
        body: &Value,
    ) -> Result<(StatusCode, String), LineError> {
        let cluster = self.cluster()?;
        let kind = match method {
            Method::PATCH => "application/merge-patch+json",
            _ => "application/json",
        };
        let mut headers = vec![
            (ACCEPT, HeaderValue::from_static("application/json")),
            (CONTENT_TYPE, HeaderValue::from_static(kind)),
        ];
        headers.extend(cluster.bearer(self.place())?);
        let mut target = cluster.target;
        let path = ["api", "v1", "namespaces", NAMESPACE, "events"];
        target
            .path
            .extend(path.into_iter().chain(name).map(str::to_owned));
        let asked = (method, Bytes::from(body.to_string()));
        let tls = Arc::new(cluster.tls);
        let reply = https::send(tls, &target, asked, headers, PATIENCE).await?;
        Ok((reply.response.status(), target.url()))
    }
}

impl KubeEvent {
    fn whole(&self) -> Value {
        let node = &self.node;
        json!({
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": { "name": self.name, "namespace": NAMESPACE },
            "involvedObject": { "apiVersion": "v1", "kind": "Node", "name": node, "uid": node },
            "type": if self.is_warning { "Warning" } else { "Normal" },
            "reason": self.reason,
            "action": "Backup",
            "message": self.message,
            "source": { "component": "rollsnap", "host": node },
            "reportingComponent": "rollsnap",
            "reportingInstance": node,
            "eventTime": self.first,
            "firstTimestamp": self.last,
            "lastTimestamp": self.last,
            "count": self.count,
        })
    }
}

fn judge(status: StatusCode, url: &str) -> Result<(), LineError> {
    let fault = |kind, message: &str| LineError::new(kind, "post Event to", url, message);
    Err(match status {
        // Names are never used twice: it arrived with a try whose answer did not.
        status if status.is_success() || status == StatusCode::CONFLICT => return Ok(()),
        StatusCode::FORBIDDEN => fault(Kind::Denied, "is not allowed")
            .with_hint("the role needs create and patch of events in kube-system"),
        StatusCode::UNAUTHORIZED => fault(Kind::Denied, "the server does not know us"),
        StatusCode::TOO_MANY_REQUESTS => fault(Kind::Source, "too many requests"),
        status if status.is_server_error() => fault(Kind::Source, &format!("answered {status}")),
        status => fault(Kind::Config, &format!("answered {status}")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_is_known_by_its_environment() {
        let pod = |name: &str| match name {
            "KUBERNETES_SERVICE_HOST" => Some("10.43.0.1".to_owned()),
            "KUBERNETES_SERVICE_PORT" => Some("443".to_owned()),
            _ => None,
        };
        let Some(Access::Pod { host, port, dir }) = Access::of_pod(&pod) else {
            panic!("no pod");
        };
        assert_eq!((&*host, port), ("10.43.0.1", 443));
        assert_eq!(dir, PathBuf::from(SERVICE_ACCOUNT));
        assert_eq!(Access::of_pod(&|_| None), None);
    }
}
