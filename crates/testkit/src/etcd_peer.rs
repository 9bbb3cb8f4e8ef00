//! A scripted etcd: the maintenance API and the member list over HTTP/2, saying exactly what a
//! test wrote down.
//!
//! gRPC framing is one byte of flags, four of length, and the message; the outcome comes in the
//! trailers `grpc-status` and `grpc-message`.

mod message;
mod script;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::stream::{self, Stream, StreamExt};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::AbortOnDropHandle;

pub use message::{
    HashKvRequest, HashKvResponse, ListedMember, MemberListResponse, ResponseHeader,
    SnapshotResponse, StatusResponse, healthy,
};
pub use script::{Script, Step};

use crate::tls::Certificates;

const STATUS: &str = "/etcdserverpb.Maintenance/Status";
const SNAPSHOT: &str = "/etcdserverpb.Maintenance/Snapshot";
const HASH_KV: &str = "/etcdserverpb.Maintenance/HashKV";
const MEMBER_LIST: &str = "/etcdserverpb.Cluster/MemberList";
const UNIMPLEMENTED: u32 = 12;

/// What the peer says to `Status`.
pub type StatusAnswer = Answer<StatusResponse>;
/// What the peer says to `HashKV`.
pub type HashAnswer = Answer<HashKvResponse>;

/// What the peer says to a question that has one answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer<T> {
    /// This.
    Says(Box<T>),
    /// This gRPC status.
    Fails {
        /// The gRPC code.
        code: u32,
        /// etcd's words.
        message: String,
    },
    /// Nothing at all.
    Hangs,
}

/// A running peer. Its tasks and connections end with it.
#[derive(Debug)]
pub struct EtcdPeer {
    address: SocketAddr,
    scheme: &'static str,
    part: Arc<Part>,
    released: watch::Sender<u64>,
    _task: AbortOnDropHandle<()>,
}

/// What the peer has been told to say, and what it saw.
#[derive(Debug)]
struct Part {
    status: Mutex<StatusAnswer>,
    hash: Mutex<HashAnswer>,
    members: Mutex<Answer<MemberListResponse>>,
    hashed: Mutex<Vec<i64>>,
    reckoning: watch::Sender<usize>,
    scripts: Mutex<VecDeque<Script>>,
    opened: AtomicUsize,
    open: watch::Sender<usize>,
}

impl EtcdPeer {
    /// Listens on a free loopback port. Each snapshot follows the next script; the last one is
    /// followed again and again.
    pub async fn start(scripts: impl IntoIterator<Item = Script>) -> Self {
        Self::listen(scripts, None).await
    }

    /// The same over TLS with the server's certificate, without asking for the client's.
    pub async fn start_tls(
        scripts: impl IntoIterator<Item = Script>,
        certificates: &Certificates,
    ) -> Self {
        let acceptor = TlsAcceptor::from(Arc::new(certificates.server_config()));
        Self::listen(scripts, Some(acceptor)).await
    }

    async fn listen(scripts: impl IntoIterator<Item = Script>, tls: Option<TlsAcceptor>) -> Self {
        let listener = loopback().await;
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let part = Arc::new(Part {
            status: Mutex::new(Answer::Says(Box::new(healthy()))),
            hash: Mutex::new(Answer::unknown(HASH_KV)),
            members: Mutex::new(Answer::unknown(MEMBER_LIST)),
            hashed: Mutex::new(Vec::new()),
            reckoning: watch::Sender::new(0),
            scripts: Mutex::new(scripts.into_iter().collect()),
            opened: AtomicUsize::new(0),
            open: watch::Sender::new(0),
        });
        let scheme = if tls.is_some() { "https" } else { "http" };
        let (released, turns) = watch::channel(0);
        let task = tokio::spawn(accept(listener, tls, Arc::clone(&part), turns));
        Self {
            address,
            scheme,
            part,
            released,
            _task: AbortOnDropHandle::new(task),
        }
    }

    /// Its URL.
    pub fn endpoint(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it says to `Status` from now on.
    pub fn set_status(&self, answer: StatusAnswer) {
        *lock(&self.part.status) = answer;
    }

    /// What it says to `HashKV` from now on. Until then it knows no such call.
    pub fn set_hash(&self, answer: HashAnswer) {
        *lock(&self.part.hash) = answer;
    }

    /// What it says to `MemberList` from now on, in the name of the member of its status. Until
    /// then it knows no such call.
    pub fn set_members(&self, members: impl IntoIterator<Item = ListedMember>) {
        let header = match &*lock(&self.part.status) {
            Answer::Says(status) => status.header.clone(),
            _ => None,
        };
        *lock(&self.part.members) = Answer::Says(Box::new(MemberListResponse {
            header,
            members: members.into_iter().collect(),
        }));
    }

    /// The revisions whose hash it was asked for so far.
    pub fn hashed(&self) -> Vec<i64> {
        lock(&self.part.hashed).clone()
    }

    /// Waits until this many questions for a hash hang.
    pub async fn reckoning(&self, wanted: usize) {
        let mut reckoning = self.part.reckoning.subscribe();
        reckoning
            .wait_for(|now| *now == wanted)
            .await
            .expect("the peer holds the sender");
    }

    /// Lets every stream that stalls at this moment go on.
    pub fn release(&self) {
        self.released.send_modify(|turn| *turn += 1);
    }

    /// How many snapshots were asked for so far.
    pub fn snapshots(&self) -> usize {
        self.part.opened.load(Ordering::SeqCst)
    }

    /// Waits until no snapshot stream is open: each has ended or was dropped by its reader.
    pub async fn idle(&self) {
        let mut open = self.part.open.subscribe();
        open.wait_for(|open| *open == 0)
            .await
            .expect("the peer holds the sender");
    }
}

type Body = UnsyncBoxBody<Bytes, io::Error>;
type FrameResult = Result<Frame<Bytes>, io::Error>;

async fn accept(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    part: Arc<Part>,
    releases: watch::Receiver<u64>,
) {
    let mut connections = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        let (tls, part, releases) = (tls.clone(), Arc::clone(&part), releases.clone());
        connections.spawn(async move {
            match tls {
                None => serve(socket, part, releases).await,
                Some(tls) => {
                    if let Ok(socket) = tls.accept(socket).await {
                        serve(socket, part, releases).await;
                    }
                }
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn serve<S>(socket: S, part: Arc<Part>, releases: watch::Receiver<u64>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let service = service_fn(move |request| answer(request, Arc::clone(&part), releases.clone()));
    // However the connection ends, the client is the one who notices.
    let _ = http2::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(socket), service)
        .await;
}

async fn answer(
    request: Request<Incoming>,
    part: Arc<Part>,
    releases: watch::Receiver<u64>,
) -> Result<Response<Body>, Infallible> {
    Ok(match request.uri().path() {
        STATUS => tell(&part.status).await,
        MEMBER_LIST => tell(&part.members).await,
        HASH_KV => {
            let asked = unframed::<HashKvRequest>(request.into_body()).await;
            lock(&part.hashed).push(asked.revision);
            let _reckoning = Counted::new(part.clone(), |part| &part.reckoning);
            tell(&part.hash).await
        }
        SNAPSHOT => {
            part.opened.fetch_add(1, Ordering::SeqCst);
            match part.next_script() {
                Some(script) => reply(play(script, part, releases)),
                None => refusal(UNIMPLEMENTED, "no script"),
            }
        }
        path => refusal(UNIMPLEMENTED, &format!("unknown method {path}")),
    })
}

impl<T> Answer<T> {
    fn unknown(path: &str) -> Self {
        Self::Fails {
            code: UNIMPLEMENTED,
            message: format!("unknown method {path}"),
        }
    }
}

async fn tell(answer: &Mutex<Answer<impl Message + Clone>>) -> Response<Body> {
    let answer = lock(answer).clone();
    match answer {
        Answer::Says(message) => reply(stream::iter([
            Ok(Frame::data(framed(&*message))),
            Ok(trailers(0, "")),
        ])),
        Answer::Fails { code, message } => refusal(code, &message),
        Answer::Hangs => std::future::pending().await,
    }
}

impl Part {
    fn next_script(&self) -> Option<Script> {
        let mut scripts = lock(&self.scripts);
        if scripts.len() > 1 {
            scripts.pop_front()
        } else {
            scripts.front().cloned()
        }
    }
}

/// Counts as one while it lives.
struct Counted {
    part: Arc<Part>,
    among: fn(&Part) -> &watch::Sender<usize>,
}

impl Counted {
    fn new(part: Arc<Part>, among: fn(&Part) -> &watch::Sender<usize>) -> Self {
        among(&part).send_modify(|count| *count += 1);
        Self { part, among }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        (self.among)(&self.part).send_modify(|count| *count -= 1);
    }
}

/// Follows a script, one frame at each call.
fn play(
    script: Script,
    part: Arc<Part>,
    releases: watch::Receiver<u64>,
) -> impl Stream<Item = FrameResult> + Send + 'static {
    let steps = VecDeque::from(script.into_steps());
    let state = Some((steps, releases, Counted::new(part, |part| &part.open)));
    stream::unfold(state, async |state| {
        let (mut steps, mut releases, open) = state?;
        loop {
            let frame = match steps.pop_front() {
                Some(Step::Message { blob, remaining }) => Frame::data(framed(&SnapshotResponse {
                    remaining_bytes: remaining,
                    blob,
                })),
                Some(Step::EmptyForEver { remaining }) => {
                    steps.push_front(Step::EmptyForEver { remaining });
                    Frame::data(framed(&SnapshotResponse {
                        remaining_bytes: remaining,
                        blob: Bytes::new(),
                    }))
                }
                Some(Step::Stall) => {
                    releases.mark_unchanged();
                    releases.changed().await.ok()?;
                    continue;
                }
                Some(Step::Fail { code, message }) => {
                    return Some((Ok(trailers(code, &message)), None));
                }
                Some(Step::Reset) => {
                    return Some((Err(io::Error::from(io::ErrorKind::ConnectionReset)), None));
                }
                None => return Some((Ok(trailers(0, "")), None)),
            };
            return Some((Ok(frame), Some((steps, releases, open))));
        }
    })
}

fn reply(frames: impl Stream<Item = FrameResult> + Send + 'static) -> Response<Body> {
    let frames: Pin<Box<dyn Stream<Item = FrameResult> + Send>> = frames.boxed();
    let mut response = Response::new(UnsyncBoxBody::new(StreamBody::new(frames)));
    response.headers_mut().insert(
        http::header::CONTENT_TYPE,
        HeaderValue::from_static("application/grpc"),
    );
    response
}

fn refusal(code: u32, message: &str) -> Response<Body> {
    reply(stream::iter([Ok(trailers(code, message))]))
}

fn trailers(code: u32, message: &str) -> Frame<Bytes> {
    let mut map = HeaderMap::new();
    map.insert("grpc-status", HeaderValue::from(code));
    let message = HeaderValue::from_str(message).expect("the script's message is plain text");
    map.insert("grpc-message", message);
    Frame::trailers(map)
}

fn framed(message: &impl Message) -> Bytes {
    let len = message.encoded_len();
    let mut buffer = BytesMut::with_capacity(5 + len);
    buffer.put_u8(0);
    buffer.put_u32(u32::try_from(len).expect("a message is shorter than 4 GiB"));
    message.encode(&mut buffer).expect("the buffer grows");
    buffer.freeze()
}

async fn unframed<T: Message + Default>(body: Incoming) -> T {
    let body = body.collect().await.expect("the request comes whole");
    let message = body.to_bytes().slice(5..);
    T::decode(message).expect("the request is of its type")
}

async fn loopback() -> TcpListener {
    TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a loopback port is free")
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
