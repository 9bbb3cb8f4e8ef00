//! The certificate files: read anew for each connection, and judged before anyone dials.
//!
//! tonic would skip a broken authority and fail later without naming a file. So every file is
//! looked into here, and each fault names its file and its cure.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use etcd_client::{Certificate, Identity, TlsOptions};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::{PemObject, SectionKind};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore};
use zeroize::Zeroizing;

use crate::{ErrorKind, SourceError};

/// Which PEM files make up a member's TLS. All absent means: no TLS is asked for, or, for an
/// `https` endpoint, the system's authorities and no client certificate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// The authorities that may have signed the member's certificate. Without one, the system's.
    pub ca: Option<PathBuf>,
    /// The client's certificate, followed by its intermediates.
    pub cert: Option<PathBuf>,
    /// The client's private key: PKCS#8, SEC1 or PKCS#1, not encrypted.
    pub key: Option<PathBuf>,
}

impl TlsFiles {
    /// Whether any file is named.
    pub fn is_given(&self) -> bool {
        self.ca.is_some() || self.cert.is_some() || self.key.is_some()
    }

    /// Reads and judges the files as they are now. All faults at once.
    pub(crate) fn load(&self) -> Result<TlsOptions, Vec<SourceError>> {
        let mut faults = Vec::new();
        let mut options = TlsOptions::new();
        match self.ca.as_deref().map(authorities) {
            None => options = options.with_native_roots(),
            Some(Ok(pem)) => options = options.ca_certificate(Certificate::from_pem(pem)),
            Some(Err(fault)) => faults.push(fault),
        }
        match (self.cert.as_deref(), self.key.as_deref()) {
            (None, None) => {}
            (Some(cert), Some(key)) => match identity(cert, key) {
                Ok(identity) => options = options.identity(identity),
                Err(mut more) => faults.append(&mut more),
            },
            (Some(path), None) => faults.push(
                fault("use certificate", path, "its private key is not given")
                    .with_hint("give the key with --key, or drop --cert"),
            ),
            (None, Some(path)) => faults.push(
                fault("use key", path, "its certificate is not given")
                    .with_hint("give the certificate with --cert, or drop --key"),
            ),
        }
        if faults.is_empty() {
            Ok(options)
        } else {
            Err(faults)
        }
    }

    /// The same for a handshake of our own, made to hear why etcd's was refused. None if the files
    /// are not as they should be, or if the system's authorities are meant.
    pub(crate) fn handshake_config(&self) -> Option<ClientConfig> {
        let mut roots = RootCertStore::empty();
        let pem = fs::read(self.ca.as_ref()?).ok()?;
        roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&pem).flatten());
        let builder = ClientConfig::builder_with_provider(default_provider().into())
            .with_safe_default_protocol_versions()
            .ok()?
            .with_root_certificates(roots);
        let mut config = match (&self.cert, &self.key) {
            (Some(cert), Some(key)) => builder
                .with_client_auth_cert(client_certificate(cert).ok()?.0, private_key(key).ok()?.0)
                .ok()?,
            _ => builder.with_no_client_auth(),
        };
        config.alpn_protocols.push(b"h2".to_vec());
        Some(config)
    }
}

/// The authorities in one file, each of which must be a certificate.
fn authorities(path: &Path) -> Result<Vec<u8>, SourceError> {
    const VERB: &str = "read CA";
    const HINT: &str = "give the PEM file of the CA that signed etcd's certificate with --cacert";
    let pem = read(VERB, path, HINT)?;
    let mut roots = RootCertStore::empty();
    for certificate in certificates(VERB, path, &pem, HINT)? {
        roots.add(certificate).map_err(|e| {
            fault(VERB, path, "a certificate in it is broken")
                .with_hint(HINT)
                .caused_by(e)
        })?;
    }
    Ok(pem.to_vec())
}

/// A certificate and the key that belongs to it.
fn identity(cert_path: &Path, key_path: &Path) -> Result<Identity, Vec<SourceError>> {
    let certificate = client_certificate(cert_path);
    let key = private_key(key_path);
    let ((chain, cert_pem), (key, key_pem)) = match (certificate, key) {
        (Ok(certificate), Ok(key)) => (certificate, key),
        (certificate, key) => return Err(certificate.err().into_iter().chain(key.err()).collect()),
    };
    CertifiedKey::from_der(chain, key, &default_provider()).map_err(|e| {
        let message = format!("it is not the key of certificate {}", cert_path.display());
        vec![
            fault("use key", key_path, message)
                .with_hint("give the certificate and the key that were made together")
                .caused_by(e),
        ]
    })?;
    Ok(Identity::from_pem(&*cert_pem, &*key_pem))
}

type Pem = Zeroizing<Vec<u8>>;

fn client_certificate(path: &Path) -> Result<(Vec<CertificateDer<'static>>, Pem), SourceError> {
    const VERB: &str = "read certificate";
    const HINT: &str = "give the client's certificate as a PEM file with --cert";
    let pem = read(VERB, path, HINT)?;
    let chain = certificates(VERB, path, &pem, HINT)?;
    Ok((chain, pem))
}

fn private_key(path: &Path) -> Result<(PrivateKeyDer<'static>, Pem), SourceError> {
    const VERB: &str = "read key";
    const HINT: &str = "give the client's private key as a PEM file with --key";
    let pem = read(VERB, path, HINT)?;
    if contains(&pem, b"ENCRYPTED") {
        return Err(fault(VERB, path, "the key is encrypted")
            .with_hint("store it without a passphrase: openssl pkey -in FILE -out NEW"));
    }
    match PrivateKeyDer::from_pem_slice(&pem) {
        Ok(key) => Ok((key, pem)),
        Err(_) if holds(&pem, SectionKind::Certificate) => {
            Err(
                fault(VERB, path, "it holds a certificate and no private key")
                    .with_hint("are --cert and --key swapped?"),
            )
        }
        Err(e) => Err(fault(VERB, path, "it holds no private key in PEM form")
            .with_hint(HINT)
            .caused_by(e)),
    }
}

/// Every certificate in `pem`, at least one.
fn certificates(
    verb: &'static str,
    path: &Path,
    pem: &[u8],
    hint: &str,
) -> Result<Vec<CertificateDer<'static>>, SourceError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|e| {
        fault(verb, path, "its PEM form is broken")
            .with_hint(hint)
            .caused_by(e)
    })?;
    if !found.is_empty() {
        return Ok(found);
    }
    let is_key = [
        SectionKind::PrivateKey,
        SectionKind::EcPrivateKey,
        SectionKind::RsaPrivateKey,
    ]
    .into_iter()
    .any(|kind| holds(pem, kind));
    Err(if is_key {
        fault(verb, path, "it holds a private key and no certificate")
            .with_hint("are --cert and --key swapped?")
    } else {
        fault(verb, path, "it holds no certificate in PEM form").with_hint(hint)
    })
}

fn holds(pem: &[u8], wanted: SectionKind) -> bool {
    <(SectionKind, Vec<u8>)>::pem_slice_iter(pem)
        .any(|section| section.is_ok_and(|(kind, _)| kind == wanted))
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle)
}

fn read(verb: &'static str, path: &Path, hint: &str) -> Result<Pem, SourceError> {
    fs::read(path)
        .map(Zeroizing::new)
        .map_err(|e| fault(verb, path, io_words(&e)).with_hint(hint))
}

fn fault(verb: &'static str, path: &Path, message: impl Into<String>) -> SourceError {
    SourceError::new(ErrorKind::Config, verb, path.display().to_string(), message)
}

/// The system's words without Rust's `(os error 2)`, first letter lowered.
pub(crate) fn io_words(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(letters).collect()
    })
}
