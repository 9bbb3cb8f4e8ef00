//! What goes to and fro between an S3 client and a server, and what a script makes of it.
//!
//! A script is a list of [`Rule`]s: which requests, how many of them pass first, how many are
//! struck, and by which [`Fault`]. Every request is logged as it arrives. Two things have such
//! traffic: the server inside the test ([`s3_peer`](crate::s3_peer)), and the proxy before any
//! other ([`s3_proxy`](crate::s3_proxy)).

#![expect(
    clippy::missing_panics_doc,
    reason = "a test server that cannot do its part fails the test, wherever it is"
)]

mod body;
mod fault;
mod rule;

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};

use http::header::AsHeaderName;
use http::{HeaderMap, Method, Request, Response};
use hyper::body::Incoming;
use s3s::Body;
use tokio::sync::watch;

pub use fault::Fault;
pub use rule::Rule;

/// One request as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its method.
    pub method: Method,
    /// Its path, escaped.
    pub path: String,
    /// Its query, escaped, without `?`.
    pub query: String,
    /// Its headers.
    pub headers: HeaderMap,
}

impl Seen {
    fn of(request: &Request<Incoming>) -> Self {
        Self {
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            query: request.uri().query().unwrap_or_default().to_owned(),
            headers: request.headers().clone(),
        }
    }

    /// Whether it carries a part of an upload.
    pub fn is_part(&self) -> bool {
        self.method == Method::PUT && self.query.contains("partNumber=")
    }

    fn is(&self, method: &Method, query: &str) -> bool {
        self.method == *method && self.query.contains(query)
    }

    /// A header of it, empty where it has none.
    pub fn header(&self, name: impl AsHeaderName) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().expect("a header is ASCII"))
    }
}

/// The script, and everything that came so far.
#[derive(Debug)]
pub struct Traffic {
    rules: Mutex<Vec<Rule>>,
    seen: watch::Sender<Vec<Seen>>,
    struck: AtomicUsize,
    parts: watch::Sender<Parts>,
    released: watch::Sender<bool>,
}

/// Parts under way, now and at most.
#[derive(Debug, Clone, Copy, Default)]
struct Parts {
    now: usize,
    peak: usize,
}

impl Traffic {
    pub(crate) fn new() -> Self {
        Self {
            rules: Mutex::default(),
            seen: watch::Sender::default(),
            struck: AtomicUsize::new(0),
            parts: watch::Sender::default(),
            released: watch::Sender::new(false),
        }
    }

    /// Adds a line to the script. The first line that concerns a request and strikes, decides.
    pub fn script(&self, rule: Rule) {
        lock(&self.rules).push(rule);
    }

    /// Throws the script away: from now on everything is carried out.
    pub fn behave(&self) {
        lock(&self.rules).clear();
    }

    /// Lets everything go that stalls, now and later.
    pub fn release(&self) {
        self.released.send_replace(true);
    }

    /// Every request so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.borrow().clone()
    }

    /// Forgets them.
    pub fn forget(&self) {
        self.seen.send_modify(Vec::clear);
    }

    /// How many requests the script has struck so far.
    pub fn struck(&self) -> usize {
        self.struck.load(Ordering::SeqCst)
    }

    /// How many requests so far are like this.
    pub fn count(&self, method: &Method, query: &str) -> usize {
        let seen = self.seen.borrow();
        seen.iter().filter(|seen| seen.is(method, query)).count()
    }

    /// Returns once a request like this has come.
    pub async fn comes(&self, method: &Method, query: &str) {
        let mut seen = self.seen.subscribe();
        let came = |all: &Vec<Seen>| all.iter().any(|seen| seen.is(method, query));
        seen.wait_for(came)
            .await
            .expect("the traffic outlives whoever watches it");
    }

    /// Returns once so many parts are under way at the same time.
    pub async fn parts_under_way(&self, count: usize) {
        let mut parts = self.parts.subscribe();
        parts
            .wait_for(|parts| parts.now >= count)
            .await
            .expect("the traffic outlives whoever watches it");
    }

    /// The most parts that were under way at the same time.
    pub fn most_parts(&self) -> usize {
        self.parts.borrow().peak
    }

    /// Answers one request: by the script, else by `carry_out`. An error is a connection that
    /// breaks.
    pub(crate) async fn answer<F>(
        &self,
        request: Request<Incoming>,
        carry_out: impl FnOnce(Request<Body>) -> F,
    ) -> io::Result<Response<Body>>
    where
        F: Future<Output = io::Result<Response<Body>>>,
    {
        let seen = Seen::of(&request);
        let fault = lock(&self.rules)
            .iter_mut()
            .find_map(|rule| rule.strikes(&seen));
        let _under_way = seen.is_part().then(|| UnderWay::new(&self.parts));
        self.seen.send_modify(|all| all.push(seen));
        let request = request.map(Body::from);
        match fault {
            None => carry_out(request).await,
            Some(fault) => {
                self.struck.fetch_add(1, Ordering::SeqCst);
                fault
                    .strike(request, self.released.subscribe(), carry_out)
                    .await
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no holder panics")
}

/// Counts one part while it lives.
struct UnderWay<'a>(&'a watch::Sender<Parts>);

impl<'a> UnderWay<'a> {
    fn new(parts: &'a watch::Sender<Parts>) -> Self {
        parts.send_modify(|parts| {
            parts.now += 1;
            parts.peak = parts.peak.max(parts.now);
        });
        Self(parts)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|parts| parts.now -= 1);
    }
}
