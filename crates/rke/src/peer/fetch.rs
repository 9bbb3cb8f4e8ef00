//! `download --local-endpoint`: the plain bytes of a snapshot from the node that serves it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use http_body_util::{BodyExt, BodyStream, Limited};
use hyper::StatusCode;
use hyper::header::CONTENT_LENGTH;
use rollsnap_engine::Kind;
use tokio::time::timeout;

use crate::LineError;
use crate::argv::Certificates;
use crate::https::{self, Reply, Target};

/// How long a node has to begin: one that holds the snapshot in a zip unpacks it first, and RKE
/// itself gives up on the whole after 300 s.
const PATIENCE: Duration = Duration::from_secs(300);

/// How long no byte may come.
const STALL: Duration = Duration::from_secs(60);

/// How much of a refusal is shown.
const MOST_WORDS: usize = 200;

/// A snapshot on its way.
pub struct Fetched {
    /// How many bytes were told to come. The old program tells; whoever does not leaves it to the
    /// digest at the end of the snapshot to show a cut.
    pub size: Option<u64>,
    /// The bytes. Fail where fewer come than were told, or none for 60 s.
    pub pieces: BoxStream<'static, Result<Bytes, LineError>>,
}

impl fmt::Debug for Fetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fetched({:?})", self.size)
    }
}

/// Where a node serves the snapshot `name`, for messages.
pub fn url(host: &str, port: u16, name: &str) -> String {
    target(host, port, name).url()
}

fn target(host: &str, port: u16, name: &str) -> Target {
    Target {
        host: host.trim_matches(['[', ']']).to_owned(),
        port,
        server_name: None,
        path: vec![name.to_owned()],
    }
}

/// Asks the node `host` for the snapshot `name`.
///
/// Cancel-safe: dropped, or with its pieces dropped, it hangs up.
pub async fn fetch(
    certificates: &Certificates,
    host: &str,
    port: u16,
    name: &str,
) -> Result<Fetched, LineError> {
    let target = target(host, port, name);
    let url = target.url();
    let tls = Arc::new(certificates.client()?);
    let reply = https::get(tls, &target, [], PATIENCE).await?;
    if reply.response.status() != StatusCode::OK {
        return Err(refusal(reply, &url).await);
    }
    let told = reply.response.headers().get(CONTENT_LENGTH);
    let size = told.and_then(|told| told.to_str().ok()?.parse().ok());
    Ok(Fetched {
        size,
        pieces: pieces(reply, url),
    })
}

/// The body, piece by piece. hyper itself fails where it is shorter than its head says.
fn pieces(reply: Reply, url: String) -> BoxStream<'static, Result<Bytes, LineError>> {
    let Reply { response, line } = reply;
    let talk = Some((BodyStream::new(response.into_body()), line));
    stream::unfold((talk, url), |(talk, url)| async move {
        let (mut body, line) = talk?;
        let fault = |message| LineError::new(Kind::Source, "download", &url, message);
        let next = match timeout(STALL, body.next()).await {
            Err(_) => Err(fault(format!("no byte came for {} s", STALL.as_secs()))),
            Ok(None) => return None,
            Ok(Some(Err(cause))) => Err(fault("the line broke".to_owned()).caused_by(cause)),
            Ok(Some(Ok(frame))) => Ok(frame.into_data().unwrap_or_default()),
        };
        // After a fault there is nothing more.
        let talk = next.is_ok().then_some((body, line));
        Some((next, (talk, url)))
    })
    .boxed()
}

/// What a node says that has no such snapshot for us.
async fn refusal(reply: Reply, url: &str) -> LineError {
    let status = reply.response.status();
    let body = Limited::new(reply.response.into_body(), 4 << 10).collect();
    let words = match timeout(STALL, body).await {
        Ok(Ok(body)) => String::from_utf8_lossy(&body.to_bytes()).into_owned(),
        _ => String::new(),
    };
    let words: String = words.trim().escape_debug().take(MOST_WORDS).collect();
    let message = format!("answered {status}: {words}");
    let kind = if status == StatusCode::NOT_FOUND {
        Kind::Usage
    } else {
        Kind::Source
    };
    LineError::new(kind, "download", url, message.trim_end_matches([':', ' ']))
}
