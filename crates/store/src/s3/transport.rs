//! The HTTP client of one store: whom it trusts, and progress instead of deadlines.
//!
//! A request fails when no byte has moved for the stall timeout, in either direction. There is no
//! deadline on the whole, so a slow line is only slow. reqwest's own `read_timeout` cannot serve
//! here: it counts from the start of the request, so that it also ends an upload that moves.
//!
//! Bytes count as moved when the kernel takes them. What it still holds when it has taken the last
//! is not seen to move, so the reply may take as long again as the sending did.

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

/// Bytes handed to the socket at a time: small enough that a line of 2 kB/s still shows progress.
const SEND_CHUNK: usize = 64 * 1024;

#[derive(Debug)]
pub(super) struct Transport {
    http: Client,
    careful: Client,
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
            stall: config.tuning.stall_timeout,
        })
    }

    /// A client for whoever asks something else than S3, such as keys. It verifies certificates
    /// whatever is configured for the bucket: what it carries is worth more than one bucket.
    pub(super) fn client(&self) -> Client {
        self.careful.clone()
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
            .body(watched(payload, Arc::clone(&progress)))
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
                () = sleep(patience) => return Err(LineFault::Stalled(patience)),
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
    moved: Notify,
    all_taken: AtomicBool,
}

/// A body that tells whenever the socket asks for more of it. Its length stands in the signed
/// `content-length`, which hyper keeps.
fn watched(payload: Bytes, progress: Arc<Progress>) -> Body {
    if payload.is_empty() {
        return Body::from(payload);
    }
    Body::wrap_stream(stream::unfold(payload, move |mut rest| {
        let chunk = rest.split_to(rest.len().min(SEND_CHUNK));
        progress.all_taken.store(rest.is_empty(), Ordering::Release);
        progress.moved.notify_one();
        let next = (!chunk.is_empty()).then_some((Ok::<_, Infallible>(chunk), rest));
        std::future::ready(next)
    }))
}
