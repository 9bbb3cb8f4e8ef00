//! The HTTP client of one store: whom it trusts, and progress instead of deadlines.
//!
//! A request fails when no byte has moved for the stall timeout, in either direction. There is no
//! deadline on the whole, so a slow line is only slow. reqwest's own `read_timeout` cannot serve
//! here: it counts from the start of the request, so that it also ends an upload that moves.
//!
//! Bytes count as moved when the kernel takes them. What it still holds when it has taken the last
//! is not seen to move, so the reply may take as long again as the sending did. What the rate of
//! uploads holds back here counts as moving.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use reqwest::header::HeaderMap;
use reqwest::{Body, Certificate, Client, Method, Response, Url, redirect};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use super::config::{ProxyUse, S3Config};
use super::error::LineFault;
use super::pace::Pace;

/// Bytes handed to the socket at a time: small enough that a line of 2 kB/s still shows progress.
const SEND_CHUNK: usize = 64 * 1024;

#[derive(Debug)]
pub(super) struct Transport {
    http: Client,
    careful: Client,
    trusts_anybody: bool,
    pace: Arc<Pace>,
    stall: Duration,
}

impl Transport {
    /// Builds the client. The CA's file is read here and not again.
    pub(super) fn new(config: &S3Config) -> Result<Self, String> {
        let careful = client(config, false)?;
        Ok(Self {
            http: if config.insecure_skip_verify {
                client(config, true)?
            } else {
                careful.clone()
            },
            careful,
            trusts_anybody: config.insecure_skip_verify,
            pace: Arc::new(Pace::new(config.upload_rate)),
            stall: config.tuning.stall_timeout,
        })
    }

    /// Whether certificates are taken as they come.
    pub(super) fn trusts_anybody(&self) -> bool {
        self.trusts_anybody
    }

    /// A client for whoever asks something else than S3, such as keys. It verifies certificates
    /// whatever is configured for the bucket: what it carries is worth more than one bucket.
    pub(super) fn client(&self) -> Client {
        self.careful.clone()
    }

    /// How fast bodies are sent.
    pub(super) fn pace(&self) -> &Pace {
        &self.pace
    }

    /// Sends one request and waits for the head of its reply.
    pub(super) async fn send(
        &self,
        method: Method,
        url: Url,
        headers: HeaderMap,
        payload: Bytes,
    ) -> Result<Response, LineFault> {
        let progress = Arc::new(Progress::default());
        let begun = Instant::now();
        let mut patience = self.stall;
        let sending = self
            .http
            .request(method, url)
            .headers(headers)
            .body(watched(
                payload,
                Arc::clone(&progress),
                Arc::clone(&self.pace),
            ))
            .send();
        tokio::pin!(sending);
        loop {
            tokio::select! {
                biased;
                done = &mut sending => return done.map_err(|error| LineFault::new(&error)),
                () = progress.moved.notified() => {
                    if progress.all_taken.load(Ordering::Acquire) {
                        patience = self.stall + begun.elapsed();
                    }
                }
                // What we hold back ourselves is no stall of the line.
                () = sleep(patience), if !progress.is_held_back() => {
                    return Err(LineFault::Stalled(patience));
                }
            }
        }
    }

    /// The next bytes of a reply, none at its end.
    pub(super) async fn next_chunk(
        &self,
        response: &mut Response,
    ) -> Result<Option<Bytes>, LineFault> {
        match tokio::time::timeout(self.stall, response.chunk()).await {
            Ok(chunk) => chunk.map_err(|error| LineFault::new(&error)),
            Err(_) => Err(LineFault::Stalled(self.stall)),
        }
    }
}

fn client(config: &S3Config, skip_verify: bool) -> Result<Client, String> {
    let mut http = Client::builder()
        .connect_timeout(config.tuning.connect_timeout)
        // A redirect needs a signature for its own host; `region` follows those that matter.
        .redirect(redirect::Policy::none())
        .danger_accept_invalid_certs(skip_verify)
        .user_agent(concat!("rollsnap/", env!("CARGO_PKG_VERSION")));
    if config.tuning.proxy == ProxyUse::Direct {
        http = http.no_proxy();
    }
    if let Some(ca) = &config.custom_ca {
        for certificate in ca.load()? {
            let certificate = Certificate::from_der(&certificate)
                .map_err(|cause| format!("custom_ca: {cause}"))?;
            http = http.add_root_certificate(certificate);
        }
    }
    http.build()
        .map_err(|cause| format!("HTTP client: {cause}"))
}

#[derive(Debug, Default)]
struct Progress {
    /// Also told when one of the others changes.
    moved: Notify,
    all_taken: AtomicBool,
    held_back: AtomicBool,
}

impl Progress {
    fn is_held_back(&self) -> bool {
        self.held_back.load(Ordering::Acquire)
    }

    fn hold_back(&self, held_back: bool) {
        self.held_back.store(held_back, Ordering::Release);
        self.moved.notify_one();
    }
}

/// A body that comes as its pace allows, and tells whenever the socket asks for more of it. Its
/// length stands in the signed `content-length`, which hyper keeps.
fn watched(payload: Bytes, progress: Arc<Progress>, pace: Arc<Pace>) -> Body {
    if payload.is_empty() {
        return Body::from(payload);
    }
    Body::wrap_stream(stream::unfold(payload, move |mut rest| {
        let (progress, pace) = (Arc::clone(&progress), Arc::clone(&pace));
        async move {
            let chunk = rest.split_to(rest.len().min(SEND_CHUNK));
            if pace.is_limited() && !chunk.is_empty() {
                progress.hold_back(true);
                pace.admit(chunk.len()).await;
                progress.hold_back(false);
            }
            progress.all_taken.store(rest.is_empty(), Ordering::Release);
            progress.moved.notify_one();
            (!chunk.is_empty()).then_some((Ok::<_, Infallible>(chunk), rest))
        }
    }))
}
