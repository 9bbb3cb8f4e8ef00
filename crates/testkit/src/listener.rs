//! A web server that listens to what it is told: whoever is pinged, or posted to, in a test. It
//! keeps every request, and answers as the script says.

#![expect(
    clippy::missing_panics_doc,
    reason = "a test server that cannot do its part fails the test, wherever it is"
)]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::AbortOnDropHandle;

/// Longer than anything here takes. Only a failure waits that long.
const LIMIT: Duration = Duration::from_secs(40);

/// One request.
#[derive(Debug, Clone)]
pub struct Heard {
    /// How.
    pub method: Method,
    /// What for.
    pub uri: Uri,
    /// With what beside it.
    pub headers: HeaderMap,
    /// Its body, which is text.
    pub body: String,
}

/// What it does with requests from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// Answers this status.
    Says(u16),
    /// Answers this status, with these words.
    Words(u16, &'static str),
    /// Takes them, and never answers.
    Silent,
}

/// A server. Its tasks and connections end with it.
pub struct Listener {
    address: SocketAddr,
    scheme: &'static str,
    kept: Arc<Kept>,
    _task: AbortOnDropHandle<()>,
}

struct Kept {
    heard: Mutex<Vec<Heard>>,
    mood: Mutex<Mood>,
    count: watch::Sender<usize>,
}

impl Listener {
    /// On a free loopback port, without TLS; answers 200.
    pub async fn plain() -> Self {
        Self::start(None).await
    }

    /// The same over TLS.
    pub async fn tls(mut config: ServerConfig) -> Self {
        config.alpn_protocols.clear();
        Self::start(Some(TlsAcceptor::from(Arc::new(config)))).await
    }

    async fn start(tls: Option<TlsAcceptor>) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await;
        let socket = socket.expect("a loopback port is free");
        let address = socket.local_addr().expect("it is bound");
        let kept = Arc::new(Kept {
            heard: Mutex::default(),
            mood: Mutex::new(Mood::Says(200)),
            count: watch::Sender::new(0),
        });
        let scheme = if tls.is_some() { "https" } else { "http" };
        let keeping = Arc::clone(&kept);
        let task = tokio::spawn(async move {
            let mut lines = JoinSet::new();
            while let Ok((line, _)) = socket.accept().await {
                let (tls, kept) = (tls.clone(), Arc::clone(&keeping));
                lines.spawn(async move {
                    match tls {
                        None => serve(line, kept).await,
                        Some(tls) => {
                            if let Ok(line) = tls.accept(line).await {
                                serve(line, kept).await;
                            }
                        }
                    }
                });
                while lines.try_join_next().is_some() {}
            }
        });
        Self {
            address,
            scheme,
            kept,
            _task: AbortOnDropHandle::new(task),
        }
    }

    /// Where it listens: `http://127.0.0.1:port`.
    pub fn origin(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Does this with requests from now on.
    pub fn set(&self, mood: Mood) {
        *locked(&self.kept.mood) = mood;
    }

    /// Every request so far, in order.
    pub fn heard(&self) -> Vec<Heard> {
        locked(&self.kept.heard).clone()
    }

    /// Waits for such a request.
    pub async fn hears_one(&self, is_it: impl Fn(&Heard) -> bool) -> Heard {
        let mut counted = self.kept.count.subscribe();
        let find = || {
            locked(&self.kept.heard)
                .iter()
                .find(|it| is_it(it))
                .cloned()
        };
        let comes = counted.wait_for(|_| find().is_some());
        let came = tokio::time::timeout(LIMIT, comes).await.is_ok();
        find()
            .filter(|_| came)
            .unwrap_or_else(|| panic!("it does not come: {:#?}", self.heard()))
    }

    /// Waits for so many requests, and returns all.
    pub async fn hears(&self, count: usize) -> Vec<Heard> {
        let mut counted = self.kept.count.subscribe();
        let enough = counted.wait_for(|counted| *counted >= count);
        let came = tokio::time::timeout(LIMIT, enough).await.is_ok();
        let heard = self.heard();
        assert!(came, "{count} requests do not come: {heard:#?}");
        heard
    }
}

async fn serve(line: impl AsyncRead + AsyncWrite + Unpin + 'static, kept: Arc<Kept>) {
    let service = service_fn(|request| answer(request, Arc::clone(&kept)));
    // Whoever asked may hang up.
    let _ = Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(line), service)
        .await;
}

async fn answer(
    request: Request<Incoming>,
    kept: Arc<Kept>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.expect("a body comes whole").to_bytes();
    let mood = *locked(&kept.mood);
    locked(&kept.heard).push(Heard {
        method: head.method,
        uri: head.uri,
        headers: head.headers,
        body: String::from_utf8(body.to_vec()).expect("a body is text"),
    });
    kept.count.send_modify(|count| *count += 1);
    let (status, words) = match mood {
        Mood::Says(status) => (status, "{}"),
        Mood::Words(status, words) => (status, words),
        Mood::Silent => std::future::pending().await,
    };
    let answer = Response::builder().status(status).body(Full::from(words));
    Ok(answer.expect("a status and a body"))
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
