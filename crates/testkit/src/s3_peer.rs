//! An S3 server inside the test (s3s-fs, signatures checked) that fails when told to.
//!
//! A bucket is a directory. Faults are written as a script of [`Rule`]s: which requests, how many
//! of them pass first, how many are struck, and by what. Every request is logged as it arrives.

#![expect(
    clippy::missing_panics_doc,
    reason = "a test server that cannot do its part fails the test, wherever it is"
)]

use std::fs;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Body as _, Frame, Incoming};
use s3s::service::S3Service;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use crate::s3_server;

/// The access key that the peer knows.
pub const ACCESS_KEY: &str = "rollsnap-access";
/// Its secret.
pub const SECRET_KEY: &str = "rollsnap-canary-secret";

/// What happens to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It is refused with this status and S3 code.
    Refuse {
        /// Such as 503.
        status: u16,
        /// Such as `SlowDown`.
        code: &'static str,
        /// Seconds in a `Retry-After`.
        retry_after: Option<u64>,
    },
    /// Some of its body is read, then the connection is reset.
    Reset,
    /// Nothing happens until [`S3Peer::release`]; then it is served.
    Stall,
    /// It is not carried out, and the reply is status 200 with an `<Error>` of this code.
    ErrorInSuccess(&'static str),
    /// It is carried out, but the connection is reset instead of a reply.
    LoseReply,
    /// It is carried out, and the reply's body ends after so many bytes of what its head told.
    CutBody(usize),
    /// It is carried out, and the reply lacks this header.
    LoseHeader(&'static str),
    /// It is not carried out, and the reply is status 200 with this body.
    ReplyWith(&'static str),
    /// It is refused as belonging to this region, as Amazon does (301 with a header).
    Elsewhere(&'static str),
}

/// One line of the script.
#[derive(Debug, Clone)]
pub struct Rule {
    method: Method,
    query: Option<&'static str>,
    passing: usize,
    striking: usize,
    fault: Fault,
}

impl Rule {
    /// Strikes the first request of this method.
    pub fn on(method: Method, fault: Fault) -> Self {
        Self {
            method,
            query: None,
            passing: 0,
            striking: 1,
            fault,
        }
    }

    /// Only requests whose query holds this text.
    #[must_use]
    pub fn with_query(mut self, text: &'static str) -> Self {
        self.query = Some(text);
        self
    }

    /// Lets so many pass before.
    #[must_use]
    pub fn after(mut self, passing: usize) -> Self {
        self.passing = passing;
        self
    }

    /// Strikes so many in a row.
    #[must_use]
    pub fn times(mut self, striking: usize) -> Self {
        self.striking = striking;
        self
    }

    fn concerns(&self, seen: &Seen) -> bool {
        self.method == seen.method && self.query.is_none_or(|text| seen.query.contains(text))
    }

    /// Counts a request that it concerns, and tells whether this one is struck.
    fn strikes(&mut self) -> bool {
        if self.passing > 0 {
            self.passing -= 1;
            return false;
        }
        let strikes = self.striking > 0;
        self.striking = self.striking.saturating_sub(1);
        strikes
    }
}

/// One request as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its method.
    pub method: Method,
    /// Its path, escaped.
    pub path: String,
    /// Its query, escaped, without `?`.
    pub query: String,
}

impl Seen {
    /// Whether it carries a part of an upload.
    pub fn is_part(&self) -> bool {
        self.method == Method::PUT && self.query.contains("partNumber=")
    }
}

/// A running server. Its tasks, connections and objects end with it.
#[derive(Debug)]
pub struct S3Peer {
    address: SocketAddr,
    dir: TempDir,
    shared: Arc<Shared>,
    _task: AbortOnDropHandle<()>,
}

#[derive(Debug)]
struct Shared {
    service: S3Service,
    script: Mutex<Vec<Rule>>,
    seen: Mutex<Vec<Seen>>,
    parts: watch::Sender<Parts>,
    released: watch::Sender<bool>,
}

/// Parts under way, now and at most.
#[derive(Debug, Clone, Copy, Default)]
struct Parts {
    now: usize,
    peak: usize,
}

impl S3Peer {
    /// Listens on a free loopback port, with the named bucket in it.
    pub async fn start(bucket: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        fs::create_dir(dir.path().join(bucket)).expect("a bucket can be made");
        let shared = Arc::new(Shared {
            service: s3_server::service(dir.path(), ACCESS_KEY, SECRET_KEY),
            script: Mutex::default(),
            seen: Mutex::default(),
            parts: watch::Sender::default(),
            released: watch::Sender::new(false),
        });
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a loopback port is free");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let answering = Arc::clone(&shared);
        let serving = s3_server::listen(listener, move |request| {
            answer(Arc::clone(&answering), request)
        });
        Self {
            address,
            dir,
            shared,
            _task: AbortOnDropHandle::new(tokio::spawn(serving)),
        }
    }

    /// `http://127.0.0.1:port`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where its buckets are directories.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Adds a line to the script. The first line that concerns a request and strikes, decides.
    pub fn script(&self, rule: Rule) {
        lock(&self.shared.script).push(rule);
    }

    /// Lets everything go that stalls, now and later.
    pub fn release(&self) {
        self.shared.released.send_replace(true);
    }

    /// Every request so far.
    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.shared.seen).clone()
    }

    /// Forgets them.
    pub fn forget(&self) {
        lock(&self.shared.seen).clear();
    }

    /// How many requests so far are like this.
    pub fn count(&self, method: &Method, query: &str) -> usize {
        let like = |seen: &&Seen| seen.method == *method && seen.query.contains(query);
        lock(&self.shared.seen).iter().filter(like).count()
    }

    /// Returns once so many parts are under way at the same time.
    pub async fn parts_under_way(&self, count: usize) {
        let mut parts = self.shared.parts.subscribe();
        parts
            .wait_for(|parts| parts.now >= count)
            .await
            .expect("the peer lives");
    }

    /// The most parts that were under way at the same time.
    pub fn most_parts(&self) -> usize {
        self.shared.parts.borrow().peak
    }

    /// Uploads that were begun and neither completed nor aborted.
    pub fn pending_uploads(&self) -> usize {
        fs::read_dir(self.dir.path())
            .expect("the directory is there")
            .filter_map(Result::ok)
            .filter(|entry| {
                let name = entry.file_name();
                let name = name.to_string_lossy();
                name.starts_with(".upload-") && name.ends_with(".json")
            })
            .count()
    }
}

async fn answer(
    shared: Arc<Shared>,
    mut request: Request<Incoming>,
) -> io::Result<Response<s3s::Body>> {
    let seen = Seen {
        method: request.method().clone(),
        path: request.uri().path().to_owned(),
        query: request.uri().query().unwrap_or_default().to_owned(),
    };
    let fault = lock(&shared.script)
        .iter_mut()
        .find_map(|rule| (rule.concerns(&seen) && rule.strikes()).then(|| rule.fault.clone()));
    let _under_way = seen.is_part().then(|| UnderWay::new(&shared));
    lock(&shared.seen).push(seen);

    match fault {
        None => carry_out(&shared, request).await,
        Some(Fault::Refuse {
            status,
            code,
            retry_after,
        }) => Ok(refusal(status, code, retry_after)),
        Some(Fault::Reset) => {
            let _ = poll_fn(|context| Pin::new(request.body_mut()).poll_frame(context)).await;
            Err(reset())
        }
        Some(Fault::Stall) => {
            let mut released = shared.released.subscribe();
            let _ = released.wait_for(|released| *released).await;
            carry_out(&shared, request).await
        }
        Some(Fault::ErrorInSuccess(code)) => Ok(refusal(200, code, None)),
        Some(Fault::ReplyWith(body)) => Ok(Response::new(s3s::Body::from(body.to_owned()))),
        Some(Fault::LoseReply) => {
            carry_out(&shared, request).await?;
            Err(reset())
        }
        Some(Fault::CutBody(len)) => cut(carry_out(&shared, request).await?, len).await,
        Some(Fault::LoseHeader(name)) => {
            let mut reply = carry_out(&shared, request).await?;
            reply.headers_mut().remove(name);
            Ok(reply)
        }
        Some(Fault::Elsewhere(region)) => {
            let mut reply = refusal(301, "PermanentRedirect", None);
            let region = region.parse().expect("a region is a header value");
            reply.headers_mut().insert("x-amz-bucket-region", region);
            Ok(reply)
        }
    }
}

async fn carry_out(shared: &Shared, request: Request<Incoming>) -> io::Result<Response<s3s::Body>> {
    s3_server::carry_out(shared.service.clone(), request).await
}

fn refusal(status: u16, code: &str, retry_after: Option<u64>) -> Response<s3s::Body> {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <Error><Code>{code}</Code><Message>As the script says.</Message></Error>"
    );
    let mut reply = Response::new(s3s::Body::from(body));
    *reply.status_mut() = StatusCode::from_u16(status).expect("the script has a valid status");
    if let Some(seconds) = retry_after {
        reply.headers_mut().insert("retry-after", seconds.into());
    }
    reply
}

/// Keeps the head, so that the client knows what it misses.
async fn cut(reply: Response<s3s::Body>, len: usize) -> io::Result<Response<s3s::Body>> {
    let (mut head, body) = reply.into_parts();
    let whole = BodyExt::collect(body)
        .await
        .map_err(|fault| io::Error::other(fault.to_string()))?
        .to_bytes();
    head.headers.insert("content-length", whole.len().into());
    let start: Bytes = whole.slice(..len.min(whole.len()));
    // The pause lets hyper send what it has: it drops it when the error comes at once.
    let end = stream::once(async {
        tokio::task::yield_now().await;
        Err(reset())
    });
    let frames = StreamExt::chain(stream::iter([Ok(Frame::data(start))]), end);
    let body = s3s::Body::http_body(StreamBody::new(frames));
    Ok(Response::from_parts(head, body))
}

fn reset() -> io::Error {
    io::Error::from(io::ErrorKind::ConnectionReset)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().expect("no holder panics")
}

/// Counts one part while it lives.
struct UnderWay<'a>(&'a Shared);

impl<'a> UnderWay<'a> {
    fn new(shared: &'a Shared) -> Self {
        shared.parts.send_modify(|parts| {
            parts.now += 1;
            parts.peak = parts.peak.max(parts.now);
        });
        Self(shared)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.parts.send_modify(|parts| parts.now -= 1);
    }
}
