//! What speaks at a port, found out by asking it in TLS and in plain HTTP/2.
//!
//! A server that is spoken to in the wrong language mostly just hangs up, and the error then looks
//! like a broken network. So when a first answer fails in such a way, this asks before blaming.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::endpoint::Endpoint;

/// How long one question may take. There are at most three, which bounds what a diagnosis adds to
/// a failure.
const LIMIT: Duration = Duration::from_secs(1);

/// The client's first bytes in HTTP/2, with an empty SETTINGS frame (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
const FRAME_HEAD_LEN: usize = 9;
const FRAME_TYPE_AT: usize = 3;
const SETTINGS: u8 = 4;
/// TLS record types with which a server may answer a hello (RFC 8446, 5.1).
const TLS_ALERT: u8 = 21;
const TLS_HANDSHAKE: u8 = 22;

/// What was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speech {
    Tls,
    Http2,
    Http1,
    /// It says something, but none of these.
    Unknown,
    /// It says nothing, hangs up, or cannot be reached.
    Nothing,
}

/// Asks what speaks at `endpoint`. Takes at most two seconds.
pub(crate) async fn listen(endpoint: &Endpoint) -> Speech {
    if let Some(hello) = client_hello(endpoint) {
        let heard = ask(endpoint, &hello).await;
        if let [TLS_ALERT | TLS_HANDSHAKE, 3, ..] = heard[..] {
            return Speech::Tls;
        }
    }
    let heard = ask(endpoint, PREFACE).await;
    if heard.is_empty() {
        Speech::Nothing
    } else if heard.starts_with(b"HTTP/1") {
        Speech::Http1
    } else if heard.len() >= FRAME_HEAD_LEN && heard.get(FRAME_TYPE_AT) == Some(&SETTINGS) {
        Speech::Http2
    } else {
        Speech::Unknown
    }
}

/// Shakes hands in TLS and waits for the first byte. A server may refuse a client's certificate
/// after the handshake (RFC 8446, 4.4.2.4), and then etcd-client may see no more than a closed
/// connection; this sees the alert. Takes at most a second.
pub(crate) async fn refusal(endpoint: &Endpoint, config: ClientConfig) -> Option<rustls::Error> {
    let name = ServerName::try_from(endpoint.bare_host().to_owned()).ok()?;
    let conversation = async {
        let socket = TcpStream::connect(endpoint.authority()).await?;
        let mut socket = TlsConnector::from(Arc::new(config))
            .connect(name, socket)
            .await?;
        socket.write_all(PREFACE).await?;
        socket.read_u8().await
    };
    let error = timeout(LIMIT, conversation).await.ok()?.err()?;
    error.get_ref()?.downcast_ref::<rustls::Error>().cloned()
}

/// Shakes hands in TLS and hangs up. The certificate that the server showed, if it was one that
/// `config` trusts. Takes at most a second.
pub(crate) async fn certificate(
    endpoint: &Endpoint,
    config: ClientConfig,
) -> Option<CertificateDer<'static>> {
    let name = ServerName::try_from(endpoint.bare_host().to_owned()).ok()?;
    let handshake = async {
        let socket = TcpStream::connect(endpoint.authority()).await?;
        let connector = TlsConnector::from(Arc::new(config));
        connector.connect(name, socket).await
    };
    let socket = timeout(LIMIT, handshake).await.ok()?.ok()?;
    let chain = socket.get_ref().1.peer_certificates()?;
    Some(chain.first()?.clone().into_owned())
}

/// Says `words` and returns the first bytes of the answer.
async fn ask(endpoint: &Endpoint, words: &[u8]) -> Vec<u8> {
    let conversation = async {
        let mut socket = TcpStream::connect(endpoint.authority()).await.ok()?;
        socket.write_all(words).await.ok()?;
        let mut heard = vec![0; 64];
        let read = socket.read(&mut heard).await.ok()?;
        heard.truncate(read);
        Some(heard)
    };
    let heard = timeout(LIMIT, conversation).await;
    heard.ok().flatten().unwrap_or_default()
}

/// A hello that trusts nobody: nothing is decided by it, only the answer's first bytes are read.
fn client_hello(endpoint: &Endpoint) -> Option<Vec<u8>> {
    let provider = rustls::crypto::ring::default_provider();
    let config = ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .ok()?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let name = ServerName::try_from(endpoint.bare_host().to_owned()).ok()?;
    let mut connection = ClientConnection::new(config.into(), name).ok()?;
    let mut hello = Vec::new();
    connection.write_tls(&mut hello).ok()?;
    Some(hello)
}
