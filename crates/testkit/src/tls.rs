//! A certificate authority of the test's own, and certificates for both sides of mutual TLS.
//!
//! The files have fixed names in one directory, so that a rotation is what it is in life: the same
//! paths, other bytes.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// PEM files of one authority, a server and a client in a directory.
#[derive(Debug, Clone)]
pub struct Certificates {
    dir: PathBuf,
    names: Vec<String>,
    validity: Validity,
}

/// Whether the certificates of server and client are good today.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// They are.
    Current,
    /// They were.
    Expired,
}

impl Certificates {
    /// Makes an authority and both certificates in `dir`, which exists. The server's certificate
    /// is for `localhost`, `127.0.0.1`, `::1` and the given `names`.
    pub fn issue(dir: impl Into<PathBuf>, names: &[&str]) -> Self {
        let fixed = ["localhost", "127.0.0.1", "::1"];
        let names: Vec<&str> = fixed.iter().chain(names).copied().collect();
        Self::issue_exactly(dir, &names, Validity::Current)
    }

    /// The same with a server certificate for nothing but `names`, and with a choice of dates.
    pub fn issue_exactly(dir: impl Into<PathBuf>, names: &[&str], validity: Validity) -> Self {
        let certificates = Self {
            dir: dir.into(),
            names: names.iter().map(ToString::to_string).collect(),
            validity,
        };
        certificates.reissue();
        certificates
    }

    /// Replaces everything below the same paths: a new authority of the same name, new keys.
    /// What was issued before is worth nothing after.
    pub fn reissue(&self) {
        let authority = authority();
        self.write("ca.pem", &authority.pem());
        self.certify(
            &authority,
            "server",
            &self.names,
            // etcd calls itself with its server certificate, so it is a client too.
            &[
                ExtendedKeyUsagePurpose::ServerAuth,
                ExtendedKeyUsagePurpose::ClientAuth,
            ],
        );
        self.certify(
            &authority,
            "client",
            &[],
            &[ExtendedKeyUsagePurpose::ClientAuth],
        );
    }

    /// The authority's certificate.
    pub fn ca(&self) -> PathBuf {
        self.path("ca.pem")
    }

    /// The server's certificate.
    pub fn server(&self) -> PathBuf {
        self.path("server.pem")
    }

    /// The server's private key.
    pub fn server_key(&self) -> PathBuf {
        self.path("server-key.pem")
    }

    /// The client's certificate.
    pub fn client(&self) -> PathBuf {
        self.path("client.pem")
    }

    /// The client's private key.
    pub fn client_key(&self) -> PathBuf {
        self.path("client-key.pem")
    }

    /// Where the files are.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A server that shows the server's certificate, speaks HTTP/2, and asks clients for none.
    pub fn server_config(&self) -> ServerConfig {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(self.server())
            .expect("the certificate was written")
            .collect();
        let key = PrivateKeyDer::from_pem_file(self.server_key()).expect("the key was written");
        let mut config = ServerConfig::builder_with_provider(default_provider().into())
            .with_safe_default_protocol_versions()
            .expect("ring has the default versions")
            .with_no_client_auth()
            .with_single_cert(chain.expect("the certificate is PEM"), key)
            .expect("the key belongs to the certificate");
        config.alpn_protocols.push(b"h2".to_vec());
        config
    }

    fn certify(
        &self,
        authority: &CertifiedIssuer<'_, KeyPair>,
        whose: &str,
        names: &[String],
        usages: &[ExtendedKeyUsagePurpose],
    ) {
        let key = KeyPair::generate().expect("a key can be generated");
        let mut params = CertificateParams::new(names.to_vec()).expect("the names are valid");
        params.distinguished_name.push(DnType::CommonName, whose);
        params.extended_key_usages = usages.to_vec();
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        if self.validity == Validity::Expired {
            params.not_after = date_time_ymd(2001, 1, 1);
        }
        let certificate = params
            .signed_by(&key, authority)
            .expect("the authority signs");
        self.write(&format!("{whose}.pem"), &certificate.pem());
        self.write(&format!("{whose}-key.pem"), &key.serialize_pem());
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn write(&self, name: &str, pem: &str) {
        let path = self.path(name);
        fs::write(&path, pem).unwrap_or_else(|e| panic!("write {}: {e}", path.display()));
    }
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, "rollsnap test authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate().expect("a key can be generated");
    CertifiedIssuer::self_signed(params, key).expect("an authority signs itself")
}
