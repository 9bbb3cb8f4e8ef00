//! An HTTP proxy before an S3 server, whichever it is, that brings faults about by a script.
//!
//! What the script lets pass, passes untouched, in both directions and as it comes: signatures
//! stay good because the `Host` stays as the client wrote it. Every request has a connection of
//! its own to the server.

#![expect(
    clippy::missing_panics_doc,
    reason = "a proxy that cannot do its part fails the test, wherever it is"
)]

use std::io;
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;

use http::{Request, Response};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use s3s::Body;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

use crate::s3_server;
use crate::s3_traffic::Traffic;

/// A running proxy. Its tasks and connections end with it.
#[derive(Debug)]
pub struct S3Proxy {
    address: SocketAddr,
    traffic: Arc<Traffic>,
    _task: AbortOnDropHandle<()>,
}

impl S3Proxy {
    /// Listens on a free loopback port and passes on to the server at `http://address:port`.
    pub async fn before(endpoint: &str) -> Self {
        let server = endpoint.strip_prefix("http://");
        let server: SocketAddr = server
            .and_then(|address| address.parse().ok())
            .unwrap_or_else(|| panic!("{endpoint} is no http://address:port"));
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a loopback port is free");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let traffic = Arc::new(Traffic::new());
        let passing = Arc::clone(&traffic);
        let serving = s3_server::listen(listener, move |request| {
            let traffic = Arc::clone(&passing);
            async move {
                traffic
                    .answer(request, |request| pass_on(server, request))
                    .await
            }
        });
        Self {
            address,
            traffic,
            _task: AbortOnDropHandle::new(tokio::spawn(serving)),
        }
    }

    /// `http://127.0.0.1:port`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Deref for S3Proxy {
    type Target = Traffic;

    fn deref(&self) -> &Traffic {
        &self.traffic
    }
}

async fn pass_on(server: SocketAddr, request: Request<Body>) -> io::Result<Response<Body>> {
    let socket = TcpStream::connect(server).await?;
    socket.set_nodelay(true)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(socket))
        .await
        .map_err(io::Error::other)?;
    // It ends with the reply's body, or with this future.
    tokio::spawn(connection);
    let reply = sender.send_request(request).await;
    Ok(reply.map_err(io::Error::other)?.map(Body::from))
}
