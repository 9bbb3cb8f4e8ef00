//! A loopback TCP proxy that breaks what passes through it, at a byte the test chooses.
//!
//! Bytes from the client always pass. Bytes from the server are counted over all connections, and
//! the fault strikes when the count reaches its mark.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;

/// What happens to the bytes that the server sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: they pass.
    None,
    /// After so many bytes the client's connection is reset.
    Reset(u64),
    /// After so many bytes the client's connection is closed as if all were said.
    Close(u64),
    /// After so many bytes nothing passes until [`TcpProxy::release`].
    Stall(u64),
}

impl Fault {
    fn mark(self) -> Option<u64> {
        match self {
            Self::None => None,
            Self::Reset(at) | Self::Close(at) | Self::Stall(at) => Some(at),
        }
    }
}

/// A running proxy. Its tasks and connections end with it.
#[derive(Debug)]
pub struct TcpProxy {
    address: SocketAddr,
    passed: Arc<AtomicU64>,
    fault: watch::Sender<Fault>,
    _task: AbortOnDropHandle<()>,
}

impl TcpProxy {
    /// Listens on a free loopback port and passes everything on to `server`.
    pub async fn start(server: SocketAddr, fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a loopback port is free");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let (fault, faults) = watch::channel(fault);
        let passed = Arc::new(AtomicU64::new(0));
        let task = tokio::spawn(accept(listener, server, faults, Arc::clone(&passed)));
        Self {
            address,
            passed,
            fault,
            _task: AbortOnDropHandle::new(task),
        }
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Bytes passed from the server to clients so far.
    pub fn passed(&self) -> u64 {
        self.passed.load(Ordering::SeqCst)
    }

    /// Changes the fault, for open connections too.
    pub fn set_fault(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }

    /// Lets everything pass from now on.
    pub fn release(&self) {
        self.set_fault(Fault::None);
    }
}

async fn accept(
    listener: TcpListener,
    server: SocketAddr,
    faults: watch::Receiver<Fault>,
    passed: Arc<AtomicU64>,
) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        connections.spawn(carry(client, server, faults.clone(), Arc::clone(&passed)));
        while connections.try_join_next().is_some() {}
    }
}

/// Carries one connection. An error on either side ends it: the other side sees the end.
async fn carry(
    client: TcpStream,
    server: SocketAddr,
    mut faults: watch::Receiver<Fault>,
    passed: Arc<AtomicU64>,
) {
    let Ok(upstream) = TcpStream::connect(server).await else {
        return;
    };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = upstream.into_split();
    let upwards = async {
        let _ = copy(&mut from_client, &mut to_server).await;
    };
    let downwards = async {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let Ok(read @ 1..) = from_server.read(&mut buffer).await else {
                return Fault::None;
            };
            let mut rest = &buffer[..read];
            while !rest.is_empty() {
                let fault = *faults.borrow_and_update();
                let before = passed.load(Ordering::SeqCst);
                let room = fault
                    .mark()
                    .map_or(u64::MAX, |at| at.saturating_sub(before));
                let now = rest.len().min(usize::try_from(room).unwrap_or(usize::MAX));
                if now > 0 {
                    if to_client.write_all(&rest[..now]).await.is_err() {
                        return Fault::None;
                    }
                    passed.fetch_add(now as u64, Ordering::SeqCst);
                    rest = &rest[now..];
                    continue;
                }
                if !matches!(fault, Fault::Stall(_)) {
                    return fault;
                }
                if faults.changed().await.is_err() {
                    return Fault::None;
                }
            }
        }
    };
    let ending = tokio::select! {
        () = upwards => Fault::None,
        fault = downwards => fault,
    };
    if let (Fault::Reset(_), Ok(client)) = (ending, from_client.reunite(to_client)) {
        // Without lingering the kernel answers with a reset instead of an orderly end.
        let _ = client.set_zero_linger();
    }
}
