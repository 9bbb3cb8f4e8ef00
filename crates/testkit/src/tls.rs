//! A certificate authority of the test's own, and certificates for both sides of mutual TLS.
//!
//! The files have fixed names in one directory, so that a rotation is what it is in life: the same
//! paths, other bytes.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};

/// PEM files of one authority, a server and a client in a directory.
#[derive(Debug, Clone)]
pub struct Certificates {
    dir: PathBuf,
    names: Vec<String>,
}

impl Certificates {
    /// Makes an authority and both certificates in `dir`, which exists. The server's certificate
    /// is for `localhost`, `127.0.0.1`, `::1` and the given `names`.
    pub fn issue(dir: impl Into<PathBuf>, names: &[&str]) -> Self {
        let fixed = ["localhost", "127.0.0.1", "::1"];
        let certificates = Self {
            dir: dir.into(),
            names: fixed.iter().chain(names).map(ToString::to_string).collect(),
        };
        certificates.reissue();
        certificates
    }

    /// Like [`issue`](Self::issue), with a server certificate for nothing but `names`.
    pub fn issue_only_for(dir: impl Into<PathBuf>, names: &[&str]) -> Self {
        let certificates = Self {
            dir: dir.into(),
            names: names.iter().map(ToString::to_string).collect(),
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
