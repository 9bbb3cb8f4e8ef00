//! `serve`: one snapshot for the other nodes, until the process is told to stop.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use percent_encoding::percent_decode_str;
use rollsnap_engine::image::ReadAt;
use rollsnap_engine::plain::pieces;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::brisk::Brisk;
use crate::LineError;
use crate::argv::Certificates;

/// Those at the door, who have not shown yet who they are. Strangers can fill these places, and each
/// for [`Limits::haste`] only.
const KNOCKING: usize = 512;

/// What bounds the callers.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Those who are given something at a time: an etcd cluster has seven members at most.
    pub seats: usize,
    /// How long a caller has to shake hands, and to say what it wants.
    pub haste: Duration,
    /// How long it may take nothing of what it asked for. Who takes some goes on for as long as it
    /// wants: the network may be slow, and the snapshot large.
    pub pause: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            seats: 32,
            haste: Duration::from_secs(10),
            pause: Duration::from_secs(60),
        }
    }
}

/// How long to wait before the next caller when one could not be let in.
const BREATH: Duration = Duration::from_millis(100);

/// What a caller may be given. Clones share it.
///
/// Memory: 256 KiB for each caller.
#[derive(Clone)]
pub struct Offer {
    path: Arc<str>,
    bytes: watch::Receiver<Option<Arc<dyn ReadAt>>>,
}

/// What became of one caller.
#[derive(Debug)]
pub enum Visit {
    /// It was given all of the snapshot.
    Served(SocketAddr),
    /// It asked for something else.
    Lost(SocketAddr),
    /// It did not get in, or the line broke.
    Failed(SocketAddr, Box<dyn std::error::Error + Send + Sync>),
}

/// Hears of every caller.
pub type Porter = Arc<dyn Fn(Visit) + Send + Sync>;

/// The open port.
pub struct Door {
    listener: TcpListener,
    tls: TlsAcceptor,
    limits: Limits,
}

type Body = UnsyncBoxBody<Bytes, io::Error>;

impl Offer {
    /// A snapshot under its name, given out once the sender has it; until then callers wait.
    pub fn new(name: &str, bytes: watch::Receiver<Option<Arc<dyn ReadAt>>>) -> Self {
        Self {
            path: format!("/{name}").into(),
            bytes,
        }
    }

    async fn answer(&self, request: &Request<Incoming>) -> Response<Body> {
        let path = percent_decode_str(request.uri().path()).decode_utf8_lossy();
        if path != *self.path {
            return plain(StatusCode::NOT_FOUND, "404 page not found\n");
        }
        if request.method() != Method::GET && request.method() != Method::HEAD {
            let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
            let allowed = HeaderValue::from_static("GET, HEAD");
            response.headers_mut().insert(ALLOW, allowed);
            return response;
        }
        let mut ready = self.bytes.clone();
        let found = ready.wait_for(Option::is_some).await;
        let bytes = found.ok().and_then(|bytes| bytes.clone());
        let sized = bytes.and_then(|bytes| Some((bytes.size().ok()?, bytes)));
        let Some((size, bytes)) = sized else {
            let words = "the snapshot cannot be read\n";
            return plain(StatusCode::INTERNAL_SERVER_ERROR, words);
        };
        let body = StreamBody::new(pieces(bytes, 0..size).map_ok(Frame::data));
        let mut response = Response::new(BodyExt::boxed_unsync(body));
        let headers = response.headers_mut();
        headers.insert(CONTENT_LENGTH, size.into());
        let kind = HeaderValue::from_static("application/octet-stream");
        headers.insert(CONTENT_TYPE, kind);
        response
    }
}

fn plain(status: StatusCode, words: &'static str) -> Response<Body> {
    let body = Full::new(Bytes::from_static(words.as_bytes()));
    let mut response = Response::new(body.map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = status;
    response
}

impl Door {
    /// Opens `port` on all addresses; one that the system chooses where it is 0.
    pub async fn open(certificates: &Certificates, port: u16) -> Result<Self, LineError> {
        let tls = TlsAcceptor::from(Arc::new(certificates.server()?));
        // Both families where the node has IPv6 at all (ipv6(7), IPV6_V6ONLY).
        let listener = match TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).await {
            Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
                TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await
            }
            bound => bound,
        };
        let listener = listener.map_err(|cause| {
            LineError::io("listen on", format!("port {port}"), cause)
                .with_hint("etcd must be stopped while its node serves a snapshot on its port")
        })?;
        Ok(Self {
            listener,
            tls,
            limits: Limits::default(),
        })
    }

    /// The same within other limits.
    #[must_use]
    pub fn within(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// The port that is open.
    pub fn port(&self) -> io::Result<u16> {
        self.listener.local_addr().map(|address| address.port())
    }

    /// Lets callers in for ever. Dropped, it hangs up on everybody.
    pub async fn attend(self, offer: &Offer, porter: &Porter) -> Infallible {
        let door = Arc::new(Semaphore::new(KNOCKING));
        let limits = self.limits;
        let seats = Arc::new(Semaphore::new(limits.seats));
        let mut callers = JoinSet::new();
        loop {
            let place = Arc::clone(&door).acquire_owned().await;
            let place = place.expect("nobody closes the semaphore");
            let Ok((stream, caller)) = self.listener.accept().await else {
                // A caller that hung up at once, or no descriptor left, which takes a while.
                sleep(BREATH).await;
                continue;
            };
            while callers.try_join_next().is_some() {}
            let (tls, offer, porter) = (self.tls.clone(), offer.clone(), Arc::clone(porter));
            let seats = Arc::clone(&seats);
            callers.spawn(async move {
                let visit = match let_in(tls, stream, limits.haste).await {
                    Ok(stream) => {
                        drop(place);
                        let _seat = seats.acquire().await;
                        talk(stream, caller, &offer, limits).await
                    }
                    Err(error) => Visit::Failed(caller, error),
                };
                porter(visit);
            });
        }
    }
}

/// The handshake.
async fn let_in(
    tls: TlsAcceptor,
    stream: TcpStream,
    haste: Duration,
) -> Result<TlsStream<TcpStream>, Box<dyn std::error::Error + Send + Sync>> {
    Ok(timeout(haste, tls.accept(stream)).await??)
}

/// One caller who was let in, to its end.
async fn talk(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    caller: SocketAddr,
    offer: &Offer,
    limits: Limits,
) -> Visit {
    let given = AtomicBool::new(false);
    let given = &given;
    let answer = service_fn(|request| async move {
        let response = offer.answer(&request).await;
        given.store(response.status() == StatusCode::OK, Ordering::Relaxed);
        Ok::<_, Infallible>(response)
    });
    let talk = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.haste)
        .keep_alive(false)
        .serve_connection(TokioIo::new(Brisk::new(stream, limits.pause)), answer)
        .await;
    match talk {
        Err(error) => Visit::Failed(caller, error.into()),
        Ok(()) if given.load(Ordering::Relaxed) => Visit::Served(caller),
        Ok(()) => Visit::Lost(caller),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::Instant;

    use super::*;

    /// More than the line between the two holds.
    const SIZE: usize = 3 << 20;

    fn offer() -> (watch::Sender<Option<Arc<dyn ReadAt>>>, Offer) {
        let bytes: Arc<dyn ReadAt> = Arc::new(vec![7_u8; SIZE]);
        let (give, bytes) = watch::channel(Some(bytes));
        (give, Offer::new("my", bytes))
    }

    fn caller() -> SocketAddr {
        (Ipv4Addr::LOCALHOST, 9).into()
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_who_takes_nothing_is_hung_up_on() {
        let (_give, offer) = offer();
        let (mut ours, theirs) = duplex(1024);
        ours.write_all(b"GET /my HTTP/1.1\r\n\r\n").await.unwrap();
        let (began, limits) = (Instant::now(), Limits::default());
        let visit = talk(theirs, caller(), &offer, limits).await;
        assert!(matches!(visit, Visit::Failed(..)), "{visit:?}");
        assert_eq!(began.elapsed().as_secs(), limits.pause.as_secs());
        drop(ours);
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_who_takes_little_is_given_all() {
        let (_give, offer) = offer();
        let (mut ours, theirs) = duplex(1024);
        let limits = Limits::default();
        let reading = async {
            ours.write_all(b"GET /my HTTP/1.1\r\n\r\n").await.unwrap();
            let (mut taken, mut piece) = (0, vec![0; 64 << 10]);
            loop {
                sleep(limits.pause * 9 / 10).await;
                // The line holds a KiB, so this takes no more at a time.
                match ours.read(&mut piece).await.unwrap() {
                    0 => break taken,
                    count => taken += count,
                }
            }
        };
        let (visit, taken) = tokio::join!(talk(theirs, caller(), &offer, limits), reading);
        assert!(matches!(visit, Visit::Served(_)), "{visit:?}");
        assert!(taken > SIZE, "{taken}");
    }
}
