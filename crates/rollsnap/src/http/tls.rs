//! The certificate that the daemon shows, read anew when its file has changed.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;
use tracing::warn;

use crate::config::Http;

/// The two files, and what they held when they were last right.
pub(super) struct Tls {
    cert: PathBuf,
    key: PathBuf,
    acceptor: TlsAcceptor,
    /// What the files' times were when they were last read.
    read_at: Times,
}

type Times = [Option<SystemTime>; 2];

impl Tls {
    /// None where no certificate is configured.
    pub(super) fn of(http: &Http) -> Option<Self> {
        let (cert, key) = (http.cert.as_ref()?, http.key.as_ref()?);
        Some(Self {
            cert: cert.value.clone(),
            key: key.value.clone(),
            acceptor: TlsAcceptor::from(Arc::new(nobody())),
            read_at: [None; 2],
        })
    }

    /// Reads the files.
    pub(super) async fn load(&mut self) -> io::Result<()> {
        self.read_at = self.times().await;
        let (cert, key) = (self.cert.clone(), self.key.clone());
        let read = tokio::task::spawn_blocking(move || read(&cert, &key)).await;
        let config = read.map_err(io::Error::other)??;
        self.acceptor = TlsAcceptor::from(Arc::new(config));
        Ok(())
    }

    /// For the next caller. What is wrong with new files is told once, and the old ones stay in
    /// force.
    pub(super) async fn current(&mut self) -> TlsAcceptor {
        if self.times().await != self.read_at
            && let Err(error) = self.load().await
        {
            warn!(
                path = %self.cert.display(),
                error = %error,
                hint = "give the certificate and the key that were made together",
                "Cannot read the certificate for HTTP anew; the old one stays in force"
            );
        }
        self.acceptor.clone()
    }

    async fn times(&self) -> Times {
        [changed(&self.cert).await, changed(&self.key).await]
    }
}

async fn changed(path: &PathBuf) -> Option<SystemTime> {
    tokio::fs::metadata(path).await.ok()?.modified().ok()
}

fn read(cert: &PathBuf, key: &PathBuf) -> io::Result<ServerConfig> {
    let wrong = |path: &PathBuf, error: &dyn std::fmt::Display| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("{}: {error}", path.display()),
        )
    };
    let chain = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| wrong(cert, &error))?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key, &error))?;
    let mut config = builder()
        .with_single_cert(chain, private)
        .map_err(|error| wrong(key, &error))?;
    config.alpn_protocols.push(b"http/1.1".to_vec());
    Ok(config)
}

/// Shows no certificate, so that no handshake succeeds.
fn nobody() -> ServerConfig {
    builder().with_cert_resolver(Arc::new(rustls::server::ResolvesServerCertUsingSni::new()))
}

fn builder() -> rustls::ConfigBuilder<ServerConfig, rustls::server::WantsServerCert> {
    ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has the versions that rustls thinks safe")
        .with_no_client_auth()
}
