//! Whether a member defragments its database, which no call of its API tells.
//!
//! For as long as that lasts etcd holds the lock of its database (`backend.defrag`): status,
//! snapshot and every write wait, so that the member looks dead. Its metrics do not touch the
//! database, and have a gauge for it since 3.4 (`etcd_disk_defrag_inflight`): they are asked, over
//! plain HTTP/1 at the client URL, where nothing else answers.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::Member;
use crate::endpoint::Scheme;

/// How long the metrics may take.
const LIMIT: Duration = Duration::from_secs(2);
/// etcd's metrics are some 100 KiB.
const MOST: u64 = 4 << 20;
/// The whole line while one is running.
const IN_FLIGHT: &[u8] = b"etcd_disk_defrag_inflight 1";

impl Member {
    /// Whether the member says that it defragments its database. Not to know counts as no. Takes
    /// at most two seconds.
    pub(crate) async fn is_defragmenting(&self) -> bool {
        let asked = timeout(LIMIT, Box::pin(self.ask_metrics())).await;
        matches!(asked, Ok(Ok(true)))
    }

    async fn ask_metrics(&self) -> io::Result<bool> {
        let endpoint = &self.subject.endpoint;
        let socket = TcpStream::connect(endpoint.authority()).await?;
        let host = endpoint.bare_host();
        if endpoint.scheme() == Scheme::Http {
            return read(socket, host).await;
        }
        let tls = self.subject.tls.clone();
        let config = tokio::task::spawn_blocking(move || tls.handshake_config()).await?;
        let mut config = config.ok_or(io::ErrorKind::Unsupported)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let connector = TlsConnector::from(Arc::new(config));
        read(connector.connect(name, socket).await?, host).await
    }
}

async fn read(mut socket: impl AsyncRead + AsyncWrite + Unpin, host: &str) -> io::Result<bool> {
    // Of HTTP/1.0 the answer is as it is, and ends with the connection.
    let request = format!("GET /metrics HTTP/1.0\r\nHost: {host}\r\n\r\n");
    socket.write_all(request.as_bytes()).await?;
    socket.flush().await?;
    let mut lines = BufReader::new(socket.take(MOST)).split(b'\n');
    while let Some(line) = lines.next_segment().await? {
        if line.trim_ascii_end() == IN_FLIGHT {
            return Ok(true);
        }
    }
    Ok(false)
}
