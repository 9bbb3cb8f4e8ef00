//! A forward proxy, as companies put one before the internet: what clients ask of any server,
//! `server` answers.
//!
//! `CONNECT` opens a tunnel; any other request is passed on with its absolute address, which every
//! server must take (RFC 9112, 3.2.2).

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy, copy_bidirectional, sink};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;

/// Longest head of a request that is read.
const HEAD_LIMIT: usize = 16 * 1024;

/// A running proxy. Its tasks and connections end with it.
#[derive(Debug)]
pub struct ForwardProxy {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    _task: AbortOnDropHandle<()>,
}

impl ForwardProxy {
    /// Listens on a free loopback port. With `pass`, the base64 of `user:password`, whoever does
    /// not show it is told to (407).
    ///
    /// # Panics
    /// When no loopback port is free.
    pub async fn start(server: SocketAddr, pass: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a loopback port is free");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let log = Arc::clone(&asked);
        let task = tokio::spawn(async move {
            let mut lines = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                lines.spawn(carry(client, server, pass, Arc::clone(&log)));
                while lines.try_join_next().is_some() {}
            }
        });
        Self {
            address,
            asked,
            _task: AbortOnDropHandle::new(task),
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The first line of each connection so far: `CONNECT host:443 HTTP/1.1`.
    ///
    /// # Panics
    /// When a connection's task has panicked.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no holder panics").clone()
    }
}

/// Carries one connection. An error on either side ends it.
async fn carry(
    mut client: TcpStream,
    server: SocketAddr,
    pass: Option<&str>,
    asked: Arc<Mutex<Vec<String>>>,
) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        let read = client.read_buf(&mut head).await?;
        if read == 0 || head.len() > HEAD_LIMIT {
            return Ok(());
        }
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    let line = text.lines().next().unwrap_or_default().to_owned();
    let opens_tunnel = line.starts_with("CONNECT ");
    asked.lock().expect("no holder panics").push(line);
    if pass.is_some_and(|pass| !text.contains(&format!("Basic {pass}"))) {
        let reply = "HTTP/1.1 407 Proxy Authentication Required\r\n\
                     proxy-authenticate: Basic realm=\"test\"\r\ncontent-length: 0\r\n\r\n";
        client.write_all(reply.as_bytes()).await?;
        client.shutdown().await?;
        // What was sent is read: else the reply would be lost in a reset.
        copy(&mut client, &mut sink()).await?;
        return Ok(());
    }
    let mut upstream = TcpStream::connect(server).await?;
    if opens_tunnel {
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
    } else {
        upstream.write_all(&head).await?;
    }
    copy_bidirectional(&mut client, &mut upstream).await?;
    Ok(())
}
