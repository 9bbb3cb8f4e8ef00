//! One request over TLS: what the download from a peer and the questions to Kubernetes have in
//! common.
//!
//! HTTP/1.1 without proxies and without redirects: both ask a node of the cluster and nobody else.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{HOST, HeaderName, HeaderValue};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rollsnap_engine::Kind;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_util::task::AbortOnDropHandle;

use crate::LineError;

/// How long a node has to take a call.
const DIAL: Duration = Duration::from_secs(10);

/// What stands in a path as it is (RFC 3986, 3.3): the marks of snapshots' names among it.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b':')
    .remove(b'+')
    .remove(b'@');

/// A server and the one thing asked of it.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// A name or an address, an IPv6 one without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The name that its certificate must have, where it is another than the host.
    pub(crate) server_name: Option<String>,
    /// Segments of the path, not encoded.
    pub(crate) path: Vec<String>,
}

/// What carries a reply.
pub(crate) type Line = AbortOnDropHandle<()>;

/// A reply's head, and its body still to come. Dropped, it hangs up.
pub(crate) struct Reply {
    pub(crate) response: Response<Incoming>,
    /// To be kept for as long as the body is read.
    pub(crate) line: Line,
}

impl Target {
    /// `host:port`, for messages and for the `Host` header.
    pub(crate) fn authority(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') {
            format!("[{host}]:{port}")
        } else {
            format!("{host}:{port}")
        }
    }

    fn path(&self) -> String {
        let encoded = |segment: &String| format!("/{}", utf8_percent_encode(segment, PATH));
        self.path.iter().map(encoded).collect()
    }

    /// The whole address, for messages.
    pub(crate) fn url(&self) -> String {
        format!("https://{}{}", self.authority(), self.path())
    }
}

/// Asks for what is there, as [`send`] does.
pub(crate) async fn get(
    tls: Arc<ClientConfig>,
    target: &Target,
    headers: impl IntoIterator<Item = (HeaderName, HeaderValue)> + Send,
    patience: Duration,
) -> Result<Reply, LineError> {
    send(tls, target, (Method::GET, Bytes::new()), headers, patience).await
}

/// Dials, shakes hands, asks, and waits at most `patience` for the head of the reply.
///
/// Cancel-safe: dropped, it hangs up.
pub(crate) async fn send(
    tls: Arc<ClientConfig>,
    target: &Target,
    (method, body): (Method, Bytes),
    headers: impl IntoIterator<Item = (HeaderName, HeaderValue)> + Send,
    patience: Duration,
) -> Result<Reply, LineError> {
    let address = target.authority();
    let name = target.server_name.as_ref().unwrap_or(&target.host);
    let name = ServerName::try_from(name.clone()).map_err(|cause| {
        LineError::new(Kind::Usage, "dial", &address, "is no host name").caused_by(cause)
    })?;
    let in_time = |verb: &'static str, limit: Duration| {
        let message = format!("no answer within {} s", limit.as_secs_f32());
        LineError::new(Kind::Source, verb, &address, message)
    };
    let dialling = TcpStream::connect((target.host.as_str(), target.port));
    let stream = tokio::time::timeout(DIAL, dialling)
        .await
        .map_err(|_| in_time("dial", DIAL))?
        .map_err(|cause| LineError::io("dial", &address, cause))?;
    let shaking = TlsConnector::from(tls).connect(name, stream);
    let stream = tokio::time::timeout(DIAL, shaking)
        .await
        .map_err(|_| in_time("shake hands with", DIAL))?
        .map_err(|cause| LineError::io("shake hands with", &address, cause))?;

    let broken = |cause: hyper::Error| {
        LineError::new(Kind::Source, "ask", &address, "the line broke").caused_by(cause)
    };
    let (mut sender, line) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(broken)?;
    // Its errors come out of the reply too.
    let line = AbortOnDropHandle::new(tokio::spawn(async move { drop(line.await) }));
    let mut request = Request::builder()
        .method(method)
        .uri(target.path())
        .body(Full::new(body))
        .map_err(|cause| {
            LineError::new(Kind::Bug, "ask", &address, "is no request").caused_by(cause)
        })?;
    let host = HeaderValue::try_from(&address).map_err(|cause| {
        LineError::new(Kind::Usage, "ask", &address, "is no host name").caused_by(cause)
    })?;
    request.headers_mut().insert(HOST, host);
    request.headers_mut().extend(headers);
    let response = tokio::time::timeout(patience, sender.send_request(request))
        .await
        .map_err(|_| in_time("ask", patience))?
        .map_err(broken)?;
    Ok(Reply { response, line })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_snapshots_and_addresses_are_written_as_urls_have_them() {
        let target = |host: &str, name: &str| Target {
            host: host.to_owned(),
            port: 2379,
            server_name: None,
            path: vec![name.to_owned()],
        };
        for (host, name, url) in [
            (
                "10.0.0.1",
                "2018-05-04T18:40:16+08:00_etcd",
                "https://10.0.0.1:2379/2018-05-04T18:40:16+08:00_etcd",
            ),
            (
                "fd00::1",
                "my snapshot?#%",
                "https://[fd00::1]:2379/my%20snapshot%3F%23%25",
            ),
        ] {
            assert_eq!(target(host, name).url(), url);
        }
    }
}
