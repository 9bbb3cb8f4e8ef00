//! A scripted etcd: the maintenance API over HTTP/2, saying exactly what a test wrote down.
//!
//! The messages are written by hand after etcd's `rpc.proto`, with only the fields that a client
//! of snapshots reads. gRPC framing is one byte of flags, four of length, and the message; the
//! outcome comes in the trailers `grpc-status` and `grpc-message`.

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
use http_body_util::StreamBody;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;

const STATUS: &str = "/etcdserverpb.Maintenance/Status";
const SNAPSHOT: &str = "/etcdserverpb.Maintenance/Snapshot";
/// etcd's own chunks are as long.
const CHUNK_LEN: usize = 32 * 1024;
const UNIMPLEMENTED: u32 = 12;

/// `etcdserverpb.ResponseHeader`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ResponseHeader {
    /// The cluster's id.
    #[prost(uint64, tag = "1")]
    pub cluster_id: u64,
    /// The member's id.
    #[prost(uint64, tag = "2")]
    pub member_id: u64,
    /// The store's revision.
    #[prost(int64, tag = "3")]
    pub revision: i64,
    /// The raft term.
    #[prost(uint64, tag = "4")]
    pub raft_term: u64,
}

/// `etcdserverpb.StatusResponse` of etcd 3.5.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct StatusResponse {
    /// Who answers.
    #[prost(message, optional, tag = "1")]
    pub header: Option<ResponseHeader>,
    /// The server's version.
    #[prost(string, tag = "2")]
    pub version: String,
    /// Size of the database file.
    #[prost(int64, tag = "3")]
    pub db_size: i64,
    /// The leader's id.
    #[prost(uint64, tag = "4")]
    pub leader: u64,
    /// The raft index.
    #[prost(uint64, tag = "5")]
    pub raft_index: u64,
    /// The raft term.
    #[prost(uint64, tag = "6")]
    pub raft_term: u64,
    /// The last raft index applied.
    #[prost(uint64, tag = "7")]
    pub raft_applied_index: u64,
    /// Alarms and the like.
    #[prost(string, repeated, tag = "8")]
    pub errors: Vec<String>,
    /// Whether it has no vote.
    #[prost(bool, tag = "10")]
    pub is_learner: bool,
}

/// `etcdserverpb.SnapshotResponse`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct SnapshotResponse {
    /// Database bytes still to come.
    #[prost(uint64, tag = "2")]
    pub remaining_bytes: u64,
    /// A piece of the database, or the digest at the end.
    #[prost(bytes = "bytes", tag = "3")]
    pub blob: Bytes,
}

/// One thing that happens on a snapshot stream. After the last one the stream ends with OK.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A message.
    Message {
        /// The bytes in it.
        blob: Bytes,
        /// How many it says are still to come.
        remaining: u64,
    },
    /// This message without bytes for ever, as etcd does when it cannot read its database.
    EmptyForEver {
        /// How many it says are still to come.
        remaining: u64,
    },
    /// Nothing until [`EtcdPeer::release`].
    Stall,
    /// The stream ends with this gRPC status.
    Fail {
        /// The gRPC code.
        code: u32,
        /// etcd's words.
        message: String,
    },
    /// The stream is reset without any status.
    Reset,
}

/// What happens on one snapshot stream, from the first message to the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    steps: Vec<Step>,
}

impl Script {
    /// Exactly these steps.
    pub fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        Self {
            steps: steps.into_iter().collect(),
        }
    }

    /// What an etcd with this database sends: chunks of 32 KiB, then the digest.
    pub fn honest(database: &[u8]) -> Self {
        Self::ending_with(database, Bytes::copy_from_slice(&Sha256::digest(database)))
    }

    /// Every byte of the database, then the digest of something else.
    pub fn wrong_digest(database: &[u8]) -> Self {
        Self::ending_with(database, Bytes::from_static(&[0xbd; 32]))
    }

    fn ending_with(database: &[u8], digest: Bytes) -> Self {
        let mut sent = 0;
        let mut steps: Vec<Step> = Vec::new();
        for chunk in database.chunks(CHUNK_LEN) {
            sent += chunk.len();
            steps.push(Step::Message {
                blob: Bytes::copy_from_slice(chunk),
                remaining: (database.len() - sent) as u64,
            });
        }
        steps.push(Step::Message {
            blob: digest,
            remaining: 0,
        });
        Self { steps }
    }

    /// The first `kept` steps of this script, then `step` in place of the rest.
    #[must_use]
    pub fn interrupted(mut self, kept: usize, step: Step) -> Self {
        self.steps.truncate(kept);
        self.steps.push(step);
        self
    }

    /// The first `kept` steps of this script, then a clean end.
    #[must_use]
    pub fn ended_early(mut self, kept: usize) -> Self {
        self.steps.truncate(kept);
        self
    }

    /// The same script with `step` put before step number `at`.
    #[must_use]
    pub fn with(mut self, at: usize, step: Step) -> Self {
        self.steps.insert(at, step);
        self
    }
}

/// What the peer says to `Status`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatusAnswer {
    /// This.
    Says(Box<StatusResponse>),
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

/// A healthy member of a cluster of one.
pub fn healthy() -> StatusResponse {
    StatusResponse {
        header: Some(ResponseHeader {
            cluster_id: 0xc1,
            member_id: 0xe1,
            revision: 7,
            raft_term: 2,
        }),
        version: "3.5.1".to_owned(),
        db_size: 65_536,
        leader: 0xe1,
        raft_index: 9,
        raft_term: 2,
        raft_applied_index: 9,
        errors: Vec::new(),
        is_learner: false,
    }
}

/// A running peer. Its tasks and connections end with it.
#[derive(Debug)]
pub struct EtcdPeer {
    address: SocketAddr,
    part: Arc<Part>,
    released: watch::Sender<u64>,
    _task: AbortOnDropHandle<()>,
}

/// What the peer has been told to say, and what it saw.
#[derive(Debug)]
struct Part {
    status: Mutex<StatusAnswer>,
    scripts: Mutex<VecDeque<Script>>,
    opened: AtomicUsize,
    open: watch::Sender<usize>,
}

impl EtcdPeer {
    /// Listens on a free loopback port. Each snapshot follows the next script; the last one is
    /// followed again and again.
    pub async fn start(scripts: impl IntoIterator<Item = Script>) -> Self {
        let listener = loopback().await;
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let part = Arc::new(Part {
            status: Mutex::new(StatusAnswer::Says(Box::new(healthy()))),
            scripts: Mutex::new(scripts.into_iter().collect()),
            opened: AtomicUsize::new(0),
            open: watch::Sender::new(0),
        });
        let (released, turns) = watch::channel(0);
        let task = tokio::spawn(accept(listener, Arc::clone(&part), turns));
        Self {
            address,
            part,
            released,
            _task: AbortOnDropHandle::new(task),
        }
    }

    /// Its URL.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it says to `Status` from now on.
    pub fn set_status(&self, answer: StatusAnswer) {
        *lock(&self.part.status) = answer;
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

async fn accept(listener: TcpListener, part: Arc<Part>, releases: watch::Receiver<u64>) {
    let mut connections = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        let (part, releases) = (Arc::clone(&part), releases.clone());
        connections.spawn(async move {
            let service =
                service_fn(move |request| answer(request, Arc::clone(&part), releases.clone()));
            let _ = http2::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(socket), service)
                .await;
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn answer(
    request: Request<Incoming>,
    part: Arc<Part>,
    releases: watch::Receiver<u64>,
) -> Result<Response<Body>, Infallible> {
    Ok(match request.uri().path() {
        STATUS => {
            let answer = lock(&part.status).clone();
            match answer {
                StatusAnswer::Says(status) => reply(stream::iter([
                    Ok(Frame::data(framed(&*status))),
                    Ok(trailers(0, "")),
                ])),
                StatusAnswer::Fails { code, message } => refusal(code, &message),
                StatusAnswer::Hangs => std::future::pending().await,
            }
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

/// Counts a stream as open while it lives.
struct OpenStream(Arc<Part>);

impl OpenStream {
    fn new(part: Arc<Part>) -> Self {
        part.open.send_modify(|open| *open += 1);
        Self(part)
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.open.send_modify(|open| *open -= 1);
    }
}

/// Follows a script, one frame at each call.
fn play(
    script: Script,
    part: Arc<Part>,
    releases: watch::Receiver<u64>,
) -> impl Stream<Item = FrameResult> + Send + 'static {
    let steps: VecDeque<Step> = script.steps.into();
    let state = Some((steps, releases, OpenStream::new(part)));
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

/// Something that listens and is no etcd. Its tasks end with it.
#[derive(Debug)]
pub struct Stranger {
    address: SocketAddr,
    _task: AbortOnDropHandle<()>,
}

impl Stranger {
    /// A web server that answers every request, of any kind, with HTTP/1.1 200.
    pub async fn web_server() -> Self {
        let page = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 3\r\n\r\nhi\n";
        Self::saying(page.into()).await
    }

    /// Answers whatever comes with these bytes, then closes.
    pub async fn saying(words: Bytes) -> Self {
        let listener = loopback().await;
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                connections.spawn(say(socket, words.clone()));
                while connections.try_join_next().is_some() {}
            }
        });
        Self {
            address,
            _task: AbortOnDropHandle::new(task),
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

async fn say(mut socket: TcpStream, words: Bytes) {
    let mut heard = [0; 1024];
    let _ = socket.read(&mut heard).await;
    let _ = socket.write_all(&words).await;
    let _ = socket.shutdown().await;
    // Read to the end, so that the words arrive and no reset overtakes them.
    while matches!(socket.read(&mut heard).await, Ok(1..)) {}
}

async fn loopback() -> TcpListener {
    TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a loopback port is free")
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
