//! What may listen at an endpoint by mistake: something that is no etcd.

use std::net::SocketAddr;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;

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
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a loopback port is free");
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
