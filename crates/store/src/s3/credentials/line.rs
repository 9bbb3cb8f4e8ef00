//! How those who give keys out are asked.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{DATE, HeaderValue};
use reqwest::{Client, RequestBuilder};
use zeroize::Zeroizing;

use super::no_keys::NoKeys;
use crate::s3::clock::Clock;
use crate::s3::error::LineFault;

/// Longest reply. A grant is some 2 KiB.
const LIMIT: usize = 256 * 1024;

/// Codes of the token service that have a status as if they were final.
const LATER: [&str; 3] = [
    "IDPCommunicationError",
    "RequestLimitExceeded",
    "Throttling",
];

/// The two ways out.
#[derive(Debug, Clone)]
pub(super) struct Lines {
    /// To servers with a name and a certificate, by a proxy where there is one.
    pub(super) outward: Client,
    /// To what lives on this machine or on its link, which no proxy can reach.
    pub(super) inward: Client,
    /// The time, for signatures.
    pub(super) clock: Clock,
}

/// A reply that was read whole.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Zeroizing<String>,
    /// When it was made, by the clock of whoever made it.
    pub(super) date: Option<DateTime<Utc>>,
}

impl Lines {
    pub(super) fn new(outward: Client, clock: Clock) -> Result<Self, String> {
        let inward = Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("rollsnap/", env!("CARGO_PKG_VERSION")));
        let inward = inward
            .build()
            .map_err(|cause| format!("HTTP client: {cause}"))?;
        Ok(Self {
            outward,
            inward,
            clock,
        })
    }
}

/// Sends one request and reads its reply, all within `limit`.
pub(super) async fn ask(request: RequestBuilder, limit: Duration) -> Result<Reply, NoKeys> {
    tokio::time::timeout(limit, exchange(request))
        .await
        .unwrap_or_else(|_| Err(NoKeys::unavailable(format!("no answer within {limit:?}"))))
}

async fn exchange(request: RequestBuilder) -> Result<Reply, NoKeys> {
    let broken = |cause: reqwest::Error| {
        let fault = LineFault::new(&cause);
        NoKeys::unavailable(fault.bare_words())
    };
    let mut response = request.send().await.map_err(broken)?;
    let date = response.headers().get(DATE);
    let date = date.and_then(|date| DateTime::parse_from_rfc2822(date.to_str().ok()?).ok());
    let mut body = Zeroizing::new(Vec::new());
    while let Some(chunk) = response.chunk().await.map_err(broken)? {
        if body.len() + chunk.len() > LIMIT {
            return Err(NoKeys::unavailable("the reply is far too long"));
        }
        body.extend_from_slice(&chunk);
    }
    let body = std::str::from_utf8(&body).map_err(|_| NoKeys::unavailable("no text"))?;
    Ok(Reply {
        status: response.status().as_u16(),
        body: Zeroizing::new(body.to_owned()),
        date: date.map(|date| date.with_timezone(&Utc)),
    })
}

/// A header value that is never shown, from a secret that may hold anything.
pub(super) fn sensitive(secret: &str) -> Result<HeaderValue, NoKeys> {
    let mut value = HeaderValue::from_str(secret)
        .map_err(|_| NoKeys::wrong("the token holds characters that no header has"))?;
    value.set_sensitive(true);
    Ok(value)
}

impl Reply {
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// What a refusal means, with the code and the words of whoever refuses, where it has some.
    pub(super) fn refusal(&self, code: &str, words: &str) -> NoKeys {
        let mut message = self.status.to_string();
        for (mark, part) in [(" ", code), (": ", words)] {
            let part: String = part.chars().filter(|c| !c.is_control()).take(200).collect();
            if !part.is_empty() {
                message.push_str(mark);
                message.push_str(part.trim_end_matches('.'));
            }
        }
        if matches!(self.status, 408 | 429 | 500..) || LATER.contains(&code) {
            NoKeys::unavailable(message)
        } else {
            NoKeys::denied(message)
        }
    }
}
