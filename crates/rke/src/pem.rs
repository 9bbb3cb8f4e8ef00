//! Certificates and keys out of PEM text, each fault with its place and its cure.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use rollsnap_engine::Kind;
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use crate::LineError;

/// The largest file that is read: RKE's are a few KiB, a bundle of every public CA is 300 KiB.
const MOST: u64 = 4 << 20;

/// Reads a file of PEM text.
pub(crate) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, LineError> {
    let place = path.display();
    let mut text = Zeroizing::new(Vec::new());
    fs::File::open(path)
        .and_then(|file| file.take(MOST + 1).read_to_end(&mut text))
        .map_err(|cause| LineError::io("read", &place, cause))?;
    if text.len() as u64 > MOST {
        let message = format!("is larger than {MOST} bytes");
        return Err(LineError::new(Kind::Config, "read", place, message));
    }
    Ok(text)
}

/// The authorities in PEM text that came from `place`, at least one.
pub(crate) fn authorities(text: &[u8], place: &str) -> Result<RootCertStore, LineError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(text, place)? {
        roots.add(certificate).map_err(|cause| {
            fault("read CA", place, "a certificate in it is broken").caused_by(cause)
        })?;
    }
    Ok(roots)
}

/// Every certificate in PEM text that came from `place`, at least one.
pub(crate) fn certificates(
    text: &[u8],
    place: &str,
) -> Result<Vec<CertificateDer<'static>>, LineError> {
    const VERB: &str = "read certificate";
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    let found = found.map_err(|cause| fault(VERB, place, "its PEM is broken").caused_by(cause))?;
    if found.is_empty() {
        return Err(fault(VERB, place, "it holds no certificate in PEM"));
    }
    Ok(found)
}

/// The private key in PEM text that came from `place`: PKCS#8, SEC1 or PKCS#1, not encrypted.
pub(crate) fn key(text: &[u8], place: &str) -> Result<PrivateKeyDer<'static>, LineError> {
    PrivateKeyDer::from_pem_slice(text).map_err(|_| {
        // The parser's own words could show a part of the key.
        fault(
            "read key",
            place,
            "it holds no private key in PEM, or an encrypted one",
        )
    })
}

fn fault(verb: &'static str, place: &str, message: &str) -> LineError {
    LineError::new(Kind::Config, verb, place, message)
}
