//! An API server that answers as it is told.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use rollsnap_testkit::tls::Certificates;
use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;

/// What the server does with a request.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// This status and body.
    Says(u16, String),
    /// Nothing, for ever.
    Hangs,
    /// A head that promises more than comes.
    Breaks,
}

/// Answers by the kind of the object: for `secrets` and for `configmaps`, in turn, the last for
/// ever.
pub(crate) struct Api {
    pub(crate) files: Certificates,
    pub(crate) dir: TempDir,
    pub(crate) port: u16,
    asked: Arc<Mutex<Vec<String>>>,
    task: AbortHandle,
}

impl Drop for Api {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Api {
    pub(crate) async fn start(secrets: &[Answer], configmaps: &[Answer]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let files = Certificates::issue(dir.path(), &[]);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let tls = TlsAcceptor::from(Arc::new(tls(&files)));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (log, scripts) = (Arc::clone(&asked), [secrets.to_vec(), configmaps.to_vec()]);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let Ok(mut stream) = tls.accept(stream).await else {
                    continue;
                };
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    match stream.read_u8().await {
                        Ok(byte) => head.push(byte),
                        Err(_) => break,
                    }
                }
                let head = String::from_utf8(head).unwrap();
                let is_map = head.contains("/configmaps/");
                let script = &scripts[usize::from(is_map)];
                let answer = {
                    let mut log = log.lock().unwrap();
                    let kind = if is_map { "/configmaps/" } else { "/secrets/" };
                    let before = log.iter().filter(|head: &&String| head.contains(kind));
                    let index = before.count().min(script.len() - 1);
                    log.push(head);
                    script[index].clone()
                };
                let (status, body, told) = match answer {
                    Answer::Says(status, body) => (status, body.clone(), body.len()),
                    Answer::Breaks => (200, "{\"data\"".to_owned(), 500),
                    Answer::Hangs => {
                        tokio::spawn(async move { stream.read_u8().await });
                        continue;
                    }
                };
                let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {told}\r\n\r\n");
                // The client may have heard enough.
                let _ = stream.write_all((head + &body).as_bytes()).await;
                let _ = stream.shutdown().await;
            }
        });
        Self {
            files,
            dir,
            port,
            asked,
            task: task.abort_handle(),
        }
    }

    /// The heads of all requests.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// A kubeconfig as RKE writes it.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        let files = &self.files;
        let user = format!(
            "client-certificate: {}\n    client-key: {}",
            files.client().display(),
            files.client_key().display(),
        );
        self.kubeconfig_of(
            &user,
            &format!("certificate-authority: {}", files.ca().display()),
        )
    }

    pub(crate) fn kubeconfig_of(&self, user: &str, authority: &str) -> PathBuf {
        let mut text = String::new();
        write!(
            text,
            "apiVersion: v1\nkind: Config\nclusters:\n- cluster:\n    api-version: v1\n    \
             {authority}\n    server: \"https://127.0.0.1:{}\"\n  name: \"local\"\n\
             contexts:\n- context:\n    cluster: \"local\"\n    user: \"kube-node-local\"\n  \
             name: \"local\"\ncurrent-context: \"local\"\nusers:\n- name: \"kube-node-local\"\n  \
             user:\n    {user}\n",
            self.port
        )
        .unwrap();
        let path = self.dir.path().join("kubecfg-kube-node.yaml");
        fs::write(&path, text).unwrap();
        path
    }
}

/// Takes certificates of clients, and lets in who has none, as the API server does.
fn tls(files: &Certificates) -> ServerConfig {
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(files.ca()).unwrap())
        .unwrap();
    let provider = Arc::new(default_provider());
    let clients = WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(&provider))
        .allow_unauthenticated()
        .build()
        .unwrap();
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(clients)
        .with_single_cert(
            vec![CertificateDer::from_pem_file(files.server()).unwrap()],
            PrivateKeyDer::from_pem_file(files.server_key()).unwrap(),
        )
        .unwrap()
}
