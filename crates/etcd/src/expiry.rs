//! When certificates end.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, Error, RootCertStore};

use crate::TlsFiles;

/// A certificate in a file, and when it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expiry {
    /// What it is: `CA` or `client certificate`.
    pub what: &'static str,
    /// The file.
    pub path: PathBuf,
    /// Its last second, since 1970.
    pub at: u64,
}

impl TlsFiles {
    /// When the files' certificates end, as they are now; those that cannot be read are left out.
    /// Of several authorities in a file the one that lasts longest counts: the others are those
    /// that it follows. Blocks for reading.
    pub fn expiries(&self) -> Vec<Expiry> {
        let ends = |path: &PathBuf| {
            let found = CertificateDer::pem_file_iter(path).ok();
            found
                .into_iter()
                .flatten()
                .flatten()
                .map(|der| end_of(&der))
        };
        let ca = self.ca.iter().filter_map(|path| {
            let at = ends(path).flatten().max()?;
            Some(("CA", path, at))
        });
        let client = self.cert.iter().filter_map(|path| {
            // The client's own comes first (RFC 8446, 4.4.2).
            let at = ends(path).next().flatten()?;
            Some(("client certificate", path, at))
        });
        let all = ca.chain(client);
        all.map(|(what, path, at)| Expiry {
            what,
            path: path.clone(),
            at,
        })
        .collect()
    }
}

/// The last second of a certificate, since 1970; none where it cannot be read.
///
/// rustls tells no dates but of a certificate that has ended. So it is asked to judge this one as
/// of the end of time: that it has ended is the first thing it finds, before who signed it.
pub(crate) fn end_of(certificate: &CertificateDer<'_>) -> Option<u64> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone().into_owned()).ok()?;
    let provider = Arc::new(default_provider());
    let judge = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
    let anybody = ServerName::try_from("localhost").ok()?;
    let end_of_time = UnixTime::since_unix_epoch(Duration::from_secs(u64::MAX));
    let judge = judge.build().ok()?;
    match judge.verify_server_cert(certificate, &[], &anybody, &[], end_of_time) {
        Err(Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. })) => {
            Some(not_after.as_secs())
        }
        _ => None,
    }
}
