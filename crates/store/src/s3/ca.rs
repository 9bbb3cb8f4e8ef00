//! Who else may vouch for the server: a CA in any of the forms in which people write one.

use std::fmt;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::config::shortened;
use crate::error::io_message;

/// A CA as people write it: the path of a PEM file, the PEM text itself, or that text in base64
/// (RKE's cluster.yml has always taken the last).
#[derive(Clone)]
pub struct CustomCa(String);

impl CustomCa {
    /// Takes any of the three forms; which it is, is decided when it is loaded.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Reads the certificates. Errors are worded for the operator.
    pub(super) fn load(&self) -> Result<Vec<CertificateDer<'static>>, String> {
        let text = self.0.trim();
        let (pem, place) = if text.contains("-----BEGIN") {
            (text.as_bytes().to_vec(), String::from("the text given"))
        } else if let Some(pem) = pem_in_base64(text) {
            (pem, String::from("the base64 given"))
        } else {
            let path = PathBuf::from(text);
            let pem = std::fs::read(&path).map_err(|cause| {
                let cause = io_message(&cause);
                format!(
                    "read {}: {cause}: give the path of a PEM file, PEM text, or base64 of it",
                    shortened(text)
                )
            })?;
            (pem, path.display().to_string())
        };
        certificates(&pem).map_err(|why| format!("{place} {why}: give a CA certificate in PEM"))
    }
}

impl fmt::Debug for CustomCa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CustomCa({})", shortened(&self.0))
    }
}

fn pem_in_base64(text: &str) -> Option<Vec<u8>> {
    let packed: String = text.split_whitespace().collect();
    let bytes = STANDARD.decode(packed).ok()?;
    bytes
        .windows(b"-----BEGIN".len())
        .any(|window| window == b"-----BEGIN")
        .then_some(bytes)
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| String::from("is not PEM"))?;
    if found.is_empty() {
        return Err(String::from("holds no certificate"));
    }
    let mut roots = RootCertStore::empty();
    for certificate in &found {
        roots
            .add(certificate.clone())
            .map_err(|_| String::from("holds a broken certificate"))?;
    }
    Ok(found)
}
