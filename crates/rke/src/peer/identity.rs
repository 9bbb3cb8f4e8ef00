//! Who a node is to its peers: the three files of every RKE node, read when they are used.

use std::path::Path;
use std::sync::Arc;

use rollsnap_engine::Kind;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use super::trust::OfTheCluster;
use crate::argv::Certificates;
use crate::{LineError, pem};

/// What the files hold.
struct Loaded {
    roots: Arc<RootCertStore>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Certificates {
    /// TLS 1.2 or newer that demands a certificate of the cluster's CA from whoever calls.
    pub(super) fn server(&self) -> Result<ServerConfig, LineError> {
        let Loaded { roots, chain, key } = self.load()?;
        let provider = Arc::new(default_provider());
        let callers = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider))
            .build()
            .map_err(|cause| unsuitable(&self.cacert, "it vouches for nobody").caused_by(cause))?;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| {
                builder
                    .with_client_cert_verifier(callers)
                    .with_single_cert(chain, key)
            })
            .map_err(|cause| self.mismatch(cause))?;
        config.alpn_protocols.push(b"http/1.1".to_vec());
        Ok(config)
    }

    /// TLS 1.2 or newer to a node of the same cluster, whatever its certificate names.
    pub(super) fn client(&self) -> Result<ClientConfig, LineError> {
        let Loaded { roots, chain, key } = self.load()?;
        let provider = Arc::new(default_provider());
        let peers = OfTheCluster::new(roots, &provider)
            .map_err(|cause| unsuitable(&self.cacert, "it vouches for nobody").caused_by(cause))?;
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| {
                builder
                    .dangerous()
                    .with_custom_certificate_verifier(Arc::new(peers))
                    .with_client_auth_cert(chain, key)
            })
            .map_err(|cause| self.mismatch(cause))?;
        config.alpn_protocols.push(b"http/1.1".to_vec());
        Ok(config)
    }

    fn load(&self) -> Result<Loaded, LineError> {
        let place = |path: &Path| path.display().to_string();
        let (ca, cert, key) = (
            pem::read(&self.cacert)?,
            pem::read(&self.cert)?,
            pem::read(&self.key)?,
        );
        Ok(Loaded {
            roots: Arc::new(pem::authorities(&ca, &place(&self.cacert))?),
            chain: pem::certificates(&cert, &place(&self.cert))?,
            key: pem::key(&key, &place(&self.key))?,
        })
    }

    fn mismatch(&self, cause: rustls::Error) -> LineError {
        let message = format!("it is not the key of certificate {}", self.cert.display());
        unsuitable(&self.key, message).caused_by(cause)
    }
}

fn unsuitable(path: &Path, message: impl Into<String>) -> LineError {
    LineError::new(Kind::Config, "use", path.display(), message)
}
