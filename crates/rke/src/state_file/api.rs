//! The state as the cluster keeps it: `full-cluster-state` in `kube-system`.
//!
//! RKE v1.4.19, v1.5.10 and v1.6.0 moved it from a `ConfigMap` to a `Secret`; rke-tools before v0.1.108
//! looked for the former only, so that rolling snapshots lost their state (rancher#48253).

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt, Limited};
use hyper::StatusCode;
use hyper::header::{ACCEPT, HeaderValue};
use rollsnap_engine::Kind;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::indent::indent;
use crate::LineError;
use crate::https::{self, Target};
use crate::kubeconfig::Cluster;

/// The name of the object, and of the only key in it.
const NAME: &str = "full-cluster-state";

/// The largest answer. Kubernetes takes objects of at most 1.5 MiB or so (etcd's limit on requests).
const MOST: usize = 4 << 20;

/// Where the state may be, the newer place first.
const PLACES: [&str; 2] = ["secrets", "configmaps"];

#[derive(Deserialize)]
struct Object {
    #[serde(default)]
    data: HashMap<String, Zeroizing<String>>,
}

/// Asks the API server of the kubeconfig once for either object. `patience` is for each.
pub(super) async fn ask(
    kubeconfig: &Path,
    patience: Duration,
) -> Result<Zeroizing<Vec<u8>>, LineError> {
    let cluster = Cluster::read(kubeconfig)?;
    let mut headers = vec![(ACCEPT, HeaderValue::from_static("application/json"))];
    headers.extend(cluster.bearer(kubeconfig.display())?);
    let Cluster { target, tls, .. } = cluster;
    let tls = Arc::new(tls);
    let mut refusal = None;
    for place in PLACES {
        let mut target = target.clone();
        let path = ["api", "v1", "namespaces", "kube-system", place, NAME];
        target.path.extend(path.map(str::to_owned));
        match read(&tls, &target, &headers, patience).await? {
            Ok(object) => return state(place, object, &target.url()),
            Err(refused) => refusal = refusal.or(Some(refused)),
        }
    }
    Err(refusal.expect("there are places, and each has refused"))
}

/// The object, or why the server has none for us.
async fn read(
    tls: &Arc<rustls::ClientConfig>,
    target: &Target,
    headers: &[(hyper::header::HeaderName, HeaderValue)],
    patience: Duration,
) -> Result<Result<Object, LineError>, LineError> {
    let url = target.url();
    let reply = https::get(Arc::clone(tls), target, headers.iter().cloned(), patience).await?;
    let fault = |kind, message: &str| LineError::new(kind, "read", &url, message);
    match reply.response.status() {
        StatusCode::OK => {}
        StatusCode::NOT_FOUND => return Ok(Err(fault(Kind::Config, "there is none"))),
        StatusCode::FORBIDDEN => {
            return Ok(Err(fault(Kind::Denied, "the node may not read it")));
        }
        StatusCode::UNAUTHORIZED => {
            return Err(fault(Kind::Denied, "the server does not know the node"));
        }
        status => return Err(fault(Kind::Source, &format!("answered {status}"))),
    }
    let body = Limited::new(reply.response.into_body(), MOST).collect();
    let body = tokio::time::timeout(patience, body)
        .await
        .map_err(|_| fault(Kind::Source, "the answer did not end in time"))?
        .map_err(|cause| fault(Kind::Source, "the answer broke off").caused_by(cause))?;
    let bytes = Zeroizing::new(body.to_bytes().to_vec());
    // The parser's words would show what it stumbled over.
    let object = serde_json::from_slice(&bytes);
    Ok(Ok(object.map_err(|_| {
        fault(Kind::Source, "the answer is no object")
    })?))
}

/// The state in an object: plain in a `ConfigMap`, base64 in a Secret.
fn state(place: &str, object: Object, url: &str) -> Result<Zeroizing<Vec<u8>>, LineError> {
    let fault = |message: &str| LineError::new(Kind::Source, "read", url, message);
    let mut data = object.data;
    let text = data
        .remove(NAME)
        .ok_or_else(|| fault("it holds no full-cluster-state"))?;
    let plain = if place == PLACES[0] {
        let decoded = STANDARD.decode(text.as_bytes());
        Zeroizing::new(decoded.map_err(|_| fault("its full-cluster-state is no base64"))?)
    } else {
        Zeroizing::new(text.as_bytes().to_vec())
    };
    indent(&plain).ok_or_else(|| fault("its full-cluster-state is no JSON"))
}
