//! A dead-man's switch: somebody who expects to be asked regularly, and calls for help when that
//! stops. The words are those of healthchecks.io: GET the address when all is well, `/start` when
//! work begins, POST `/fail` with what is wrong.
//!
//! Who knows the address may speak for the daemon, so it stands in no message.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Client, Method, StatusCode, Url, redirect};
use rollsnap_engine::Kind;
use rollsnap_rke::Secret;
use tokio::io::AsyncReadExt;

use super::post::Courier;
use super::{Whom, shortened};
use crate::config::{Key, ping_address};
use crate::report::Failure;

/// How long one ping may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often the end of an attempt is tried.
const TRIES: u32 = 4;

/// The most bytes of words that are sent.
const MOST_WORDS: usize = 10_000;

/// The most bytes that are read of an address' file.
const MOST_ADDRESS: u64 = 64 << 10;

/// What healthchecks.io answers with 200 where nobody has the address.
const UNKNOWN: &[u8] = b"OK (not found)";

/// Pings one address.
pub(super) struct Ping {
    address: Address,
    client: Result<Client, String>,
}

enum Address {
    Given(Secret),
    /// In a file, which is read anew each time.
    File(PathBuf),
}

/// What is told there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Signal {
    /// An attempt begins.
    Start,
    /// It succeeded.
    Success,
    /// It failed; why.
    Fail(String),
}

impl Ping {
    /// Asks nobody yet.
    pub(super) fn new(address: &Key) -> Self {
        let client = Client::builder()
            .timeout(PATIENCE)
            // The address is told to nobody else.
            .redirect(redirect::Policy::none())
            .referer(false)
            // The next ping is hours away.
            .pool_max_idle_per_host(0)
            .user_agent(concat!("rollsnap/", env!("CARGO_PKG_VERSION")))
            .build();
        Self {
            address: match &address.file {
                Some(path) => Address::File(path.clone()),
                None => Address::Given(address.secret.clone()),
            },
            client: client.map_err(|error| root(&error)),
        }
    }

    async fn url(&self) -> Result<Url, Failure> {
        let text = match &self.address {
            Address::Given(text) => text.clone(),
            Address::File(path) => read(path).await?,
        };
        let place = match &self.address {
            Address::Given(_) => "ping_url".to_owned(),
            Address::File(path) => path.display().to_string(),
        };
        ping_address(&text).map_err(|wrong| {
            Failure::new(Kind::Config, format!("{place}: {}", wrong.what)).with_hint(wrong.cure)
        })
    }
}

async fn read(path: &Path) -> Result<Secret, Failure> {
    let mut text = zeroize::Zeroizing::new(String::new());
    let read = async {
        let file = tokio::fs::File::open(path).await?;
        file.take(MOST_ADDRESS).read_to_string(&mut text).await
    };
    match read.await {
        Ok(_) => Ok(Secret::new(text.trim())),
        Err(error) => {
            let message = format!("read {}: {}", path.display(), plain(&error.to_string()));
            Err(Failure::new(Kind::Config, message))
        }
    }
}

#[async_trait]
impl Courier for Ping {
    type Letter = Signal;

    const WHOM: Whom = Whom::Ping;

    fn tries(signal: &Signal) -> u32 {
        match signal {
            // It tells only how long the attempt took, and must not come behind its end.
            Signal::Start => 1,
            Signal::Success | Signal::Fail(_) => TRIES,
        }
    }

    async fn deliver(&self, signal: &Signal) -> Result<(), Failure> {
        let client = self.client.as_ref();
        let client = client
            .map_err(|cause| Failure::new(Kind::Config, format!("ping: HTTP client: {cause}")))?;
        let url = self.url().await?;
        let request = match signal {
            Signal::Start => client.get(below(url, "start")),
            Signal::Success => client.get(url),
            Signal::Fail(words) => client
                .request(Method::POST, below(url, "fail"))
                .body(shortened(words, MOST_WORDS).to_owned()),
        };
        let mut answer = request.send().await.map_err(|error| unsent(&error))?;
        let status = answer.status();
        let begin = answer.chunk().await.unwrap_or_default().unwrap_or_default();
        judge(status, &begin)
    }
}

/// The address with a word behind its path. Its query stays.
fn below(mut url: Url, word: &str) -> Url {
    // Only addresses without a host have no segments, and those are refused.
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().push(word);
    }
    url
}

fn judge(status: StatusCode, begin: &[u8]) -> Result<(), Failure> {
    if status.is_success() && !begin.starts_with(UNKNOWN) {
        return Ok(());
    }
    let failure = |kind, words: &str| Failure::new(kind, format!("ping: {words}"));
    Err(match status {
        StatusCode::NOT_FOUND | StatusCode::GONE | StatusCode::OK => {
            failure(Kind::Config, "nobody there has this address")
                .with_hint("look at ping_url: the check may be gone")
        }
        StatusCode::TOO_MANY_REQUESTS => failure(Kind::Source, "too many pings for it"),
        status if status.is_server_error() => failure(Kind::Source, &format!("answered {status}")),
        status if status.is_redirection() => failure(
            Kind::Config,
            &format!("answered {status}; no redirect is followed"),
        )
        .with_hint("give the address to which it leads"),
        status => {
            failure(Kind::Denied, &format!("answered {status}")).with_hint("look at ping_url")
        }
    })
}

fn unsent(error: &reqwest::Error) -> Failure {
    if error.is_timeout() {
        let words = format!("ping: no answer within {} s", PATIENCE.as_secs());
        return Failure::new(Kind::Source, words);
    }
    // The upper levels of the error have the address; the lowest never does.
    let cause = root(error);
    let hint = if cause.contains("certificate") {
        "SSL_CERT_FILE names the CAs to trust"
    } else {
        "may this host reach it, and does it need HTTPS_PROXY?"
    };
    Failure::new(Kind::Source, format!("ping: {cause}")).with_hint(hint)
}

/// The words of what lies below everything else.
fn root(error: &reqwest::Error) -> String {
    let Some(mut cause) = error.source() else {
        return "not to be sent".to_owned();
    };
    while let Some(below) = cause.source() {
        cause = below;
    }
    plain(&cause.to_string())
}

/// The system's words without Rust's `(os error 2)`, in small letters.
fn plain(words: &str) -> String {
    let words = words.split(" (os error").next().unwrap_or_default();
    words.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_goes_behind_the_path_and_before_the_query() {
        for (url, at) in [
            ("https://h/uuid", "https://h/uuid/start"),
            ("https://h/uuid/", "https://h/uuid/start"),
            (
                "https://h/key/slug?create=1",
                "https://h/key/slug/start?create=1",
            ),
            ("http://h", "http://h/start"),
        ] {
            assert_eq!(below(Url::parse(url).unwrap(), "start").as_str(), at);
        }
    }

    #[test]
    fn answers_tell_whether_to_try_again() {
        let kind = |status: u16, begin: &[u8]| {
            let status = StatusCode::from_u16(status).unwrap();
            judge(status, begin).err().map(|failure| failure.kind)
        };
        assert_eq!(kind(200, b"OK"), None);
        assert_eq!(kind(204, b""), None);
        assert_eq!(kind(200, b"OK (not found)"), Some(Kind::Config));
        assert_eq!(kind(404, b""), Some(Kind::Config));
        assert_eq!(kind(301, b""), Some(Kind::Config));
        assert_eq!(kind(403, b""), Some(Kind::Denied));
        assert_eq!(kind(429, b""), Some(Kind::Source));
        assert_eq!(kind(503, b""), Some(Kind::Source));
    }
}
