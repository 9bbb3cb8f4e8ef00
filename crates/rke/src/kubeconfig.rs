//! The node's kubeconfig: where its API server is, and who the node is to it.
//!
//! RKE writes `/etc/kubernetes/ssl/kubecfg-kube-node.yaml` on every node: one cluster with the path
//! of its CA, one user with the paths of a certificate and its key (RKE `pki/kubeconfig.go`). The
//! other forms that kubectl takes are taken too: data in base64, a token, the path of one.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue};
use rollsnap_engine::Kind;
use rustls::ClientConfig;
use rustls::crypto::ring::default_provider;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::https::Target;
use crate::{LineError, Secret, pem};

/// Where the API server is, and what is shown to it.
#[derive(Debug)]
pub(crate) struct Cluster {
    /// The server. Its path is that of the server's address, mostly none.
    pub(crate) target: Target,
    pub(crate) tls: ClientConfig,
    pub(crate) token: Option<Secret>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Document {
    #[serde(default)]
    current_context: String,
    #[serde(default)]
    contexts: Vec<NamedContext>,
    #[serde(default)]
    clusters: Vec<NamedServer>,
    #[serde(default)]
    users: Vec<NamedUser>,
}

#[derive(Deserialize)]
struct NamedContext {
    name: String,
    context: Context,
}

#[derive(Deserialize)]
struct Context {
    cluster: String,
    user: String,
}

#[derive(Deserialize)]
struct NamedServer {
    name: String,
    cluster: Server,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Server {
    #[serde(rename = "server")]
    address: String,
    certificate_authority: Option<PathBuf>,
    certificate_authority_data: Option<String>,
    tls_server_name: Option<String>,
}

#[derive(Deserialize)]
struct NamedUser {
    name: String,
    user: User,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct User {
    client_certificate: Option<PathBuf>,
    client_certificate_data: Option<String>,
    client_key: Option<PathBuf>,
    client_key_data: Option<Zeroizing<String>>,
    token: Option<Zeroizing<String>>,
    #[serde(rename = "tokenFile")]
    token_file: Option<PathBuf>,
}

impl Cluster {
    /// Reads the file, and those that it names, as they are now.
    ///
    /// Relative paths are relative to the file. `insecure-skip-tls-verify` is not heeded: what is
    /// asked for are the keys of the cluster, and no stranger may say what they are.
    pub(crate) fn read(path: &Path) -> Result<Self, LineError> {
        let text = pem::read(path)?;
        let fault = |message: String| {
            LineError::new(Kind::Config, "read kubeconfig", path.display(), message)
        };
        let document: Document = serde_yaml::from_slice(&text).map_err(|cause| {
            // The parser's words may show a piece of a value; its place does not.
            let line = cause.location().map_or(0, |place| place.line());
            fault(format!("is no kubeconfig, line {line}"))
        })?;
        let files = Files(path.parent().unwrap_or(Path::new("")));
        let (server, user) = document.current().map_err(&fault)?;
        let tls = tls(&server, &user, &files, &fault)?;
        Ok(Self {
            target: server.target().map_err(&fault)?,
            tls,
            token: user.token(&files)?,
        })
    }

    /// As a pod has it: the API server that its environment names, and the files of its service
    /// account in `dir`, as they are now.
    pub(crate) fn of_pod(host: &str, port: u16, dir: &Path) -> Result<Self, LineError> {
        let fault = |message: String| {
            LineError::new(Kind::Config, "read service account", dir.display(), message)
        };
        let server = Server {
            address: String::new(),
            certificate_authority: Some("ca.crt".into()),
            certificate_authority_data: None,
            tls_server_name: None,
        };
        let user = User {
            client_certificate: None,
            client_certificate_data: None,
            client_key: None,
            client_key_data: None,
            token: None,
            token_file: Some("token".into()),
        };
        let files = Files(dir);
        Ok(Self {
            target: Target {
                host: host.to_owned(),
                port,
                server_name: None,
                path: Vec::new(),
            },
            tls: tls(&server, &user, &files, &fault)?,
            token: user.token(&files)?,
        })
    }

    /// What shows the token, where there is one. `place` is whose it is, for messages.
    pub(crate) fn bearer(
        &self,
        place: impl Display,
    ) -> Result<Option<(HeaderName, HeaderValue)>, LineError> {
        let Some(token) = &self.token else {
            return Ok(None);
        };
        let text = Zeroizing::new(format!("Bearer {}", token.reveal()));
        let mut value = HeaderValue::try_from(text.as_str()).map_err(|_| {
            LineError::new(Kind::Config, "use token of", place, "it cannot be sent")
        })?;
        value.set_sensitive(true);
        Ok(Some((AUTHORIZATION, value)))
    }
}

impl Document {
    /// What the current context names, or what there is where there is one of each.
    fn current(self) -> Result<(Server, User), String> {
        let context = self
            .contexts
            .iter()
            .position(|named| named.name == self.current_context)
            .or((self.contexts.len() == 1).then_some(0));
        let Some(context) = context.map(|index| &self.contexts[index].context) else {
            return Err(format!("has no context {:?}", self.current_context));
        };
        let mut clusters = self.clusters.into_iter();
        let server = clusters.find(|named| named.name == context.cluster);
        let mut users = self.users.into_iter();
        let user = users.find(|named| named.name == context.user);
        match (server, user) {
            (Some(server), Some(user)) => Ok((server.cluster, user.user)),
            (None, _) => Err(format!("has no cluster {:?}", context.cluster)),
            (_, None) => Err(format!("has no user {:?}", context.user)),
        }
    }
}

impl Server {
    fn target(&self) -> Result<Target, String> {
        let wrong = || format!("server {:?} is not https://HOST[:PORT]", self.address);
        let rest = self.address.strip_prefix("https://").ok_or_else(wrong)?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, Some(port)),
            _ => (authority, None),
        };
        let port = port.map_or(Ok(443), str::parse).map_err(|_| wrong())?;
        let host = host.trim_matches(['[', ']']).to_owned();
        if host.is_empty() {
            return Err(wrong());
        }
        let path = path.split('/').filter(|segment| !segment.is_empty());
        Ok(Target {
            host,
            port,
            server_name: self.tls_server_name.clone(),
            path: path.map(str::to_owned).collect(),
        })
    }
}

impl User {
    fn token(&self, files: &Files<'_>) -> Result<Option<Secret>, LineError> {
        if let Some(token) = self.token.as_ref().filter(|token| !token.is_empty()) {
            return Ok(Some(Secret::new(token.as_str())));
        }
        let Some(path) = &self.token_file else {
            return Ok(None);
        };
        let path = files.at(path);
        let bytes = pem::read(&path)?;
        let token = str::from_utf8(&bytes).map_err(|_| {
            LineError::new(Kind::Config, "read token", path.display(), "is no text")
        })?;
        Ok(Some(Secret::new(token.trim())))
    }
}

fn tls(
    server: &Server,
    user: &User,
    files: &Files<'_>,
    fault: &dyn Fn(String) -> LineError,
) -> Result<ClientConfig, LineError> {
    let ca = (
        &server.certificate_authority,
        server.certificate_authority_data.as_deref(),
    );
    let Some((ca, place)) = files.either("certificate-authority", ca, fault)? else {
        return Err(fault("the cluster names no certificate-authority".into()));
    };
    let builder = ClientConfig::builder_with_provider(default_provider().into())
        .with_safe_default_protocol_versions()
        .map_err(|cause| fault("TLS cannot be set up".into()).caused_by(cause))?
        .with_root_certificates(pem::authorities(&ca, &place)?);
    let cert = (
        &user.client_certificate,
        user.client_certificate_data.as_deref(),
    );
    let key_data = user.client_key_data.as_ref().map(|data| data.as_str());
    let cert = files.either("client-certificate", cert, fault)?;
    let key = files.either("client-key", (&user.client_key, key_data), fault)?;
    match (cert, key) {
        (Some((cert, cert_place)), Some((key, key_place))) => {
            let chain = pem::certificates(&cert, &cert_place)?;
            let key = pem::key(&key, &key_place)?;
            builder.with_client_auth_cert(chain, key).map_err(|cause| {
                fault(format!("{key_place} is not the key of {cert_place}")).caused_by(cause)
            })
        }
        (None, None) => Ok(builder.with_no_client_auth()),
        _ => Err(fault(
            "the user has a certificate or a key, and needs both".into(),
        )),
    }
}

/// The directory that relative paths begin in.
struct Files<'a>(&'a Path);

/// PEM text and its place, for messages.
type Pem = (Zeroizing<Vec<u8>>, String);

impl Files<'_> {
    fn at(&self, path: &Path) -> PathBuf {
        self.0.join(path)
    }

    /// What a pair of keys tells, `KEY` a path and `KEY-data` the same in base64, which wins.
    fn either(
        &self,
        key: &str,
        (path, data): (&Option<PathBuf>, Option<&str>),
        fault: &dyn Fn(String) -> LineError,
    ) -> Result<Option<Pem>, LineError> {
        if let Some(data) = data.filter(|data| !data.is_empty()) {
            let packed: Zeroizing<String> = Zeroizing::new(data.split_ascii_whitespace().collect());
            let bytes = STANDARD
                .decode(packed.as_bytes())
                .map_err(|_| fault(format!("{key}-data is not base64")))?;
            return Ok(Some((Zeroizing::new(bytes), format!("{key}-data"))));
        }
        let Some(path) = path.as_ref().filter(|path| !path.as_os_str().is_empty()) else {
            return Ok(None);
        };
        let path = self.at(path);
        Ok(Some((pem::read(&path)?, path.display().to_string())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(text: &str) -> Result<String, String> {
        let server = Server {
            address: text.to_owned(),
            certificate_authority: None,
            certificate_authority_data: None,
            tls_server_name: None,
        };
        server.target().map(|target| target.url())
    }

    #[test]
    fn addresses_of_servers_are_read_as_kubectl_reads_them() {
        for (text, url) in [
            ("https://127.0.0.1:6443", "https://127.0.0.1:6443"),
            ("https://[fd00::1]:6443", "https://[fd00::1]:6443"),
            ("https://[fd00::1]", "https://[fd00::1]:443"),
            (
                "https://rancher/k8s/clusters/c-x",
                "https://rancher:443/k8s/clusters/c-x",
            ),
        ] {
            assert_eq!(server(text).as_deref(), Ok(url));
        }
        for text in [
            "http://127.0.0.1:8080",
            "127.0.0.1:6443",
            "https://",
            "https://h:port",
        ] {
            assert!(server(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_broken_file_is_named_and_not_shown() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kubecfg");
        for (text, words) in [
            (
                "users: [{name: a, user: {token: hunter2, client-key: [",
                "is no kubeconfig",
            ),
            ("current-context: nobody", "has no context \"nobody\""),
            (
                "contexts: [{name: c, context: {cluster: c, user: u}}]",
                "has no cluster \"c\"",
            ),
            (
                "contexts: [{name: c, context: {cluster: c, user: u}}]\n\
                 clusters: [{name: c, cluster: {server: 'https://h'}}]\n\
                 users: [{name: u, user: {token: hunter2}}]",
                "names no certificate-authority",
            ),
            (
                "contexts: [{name: c, context: {cluster: c, user: u}}]\n\
                 clusters: [{name: c, cluster: {server: 'https://h', certificate-authority: ca.pem}}]\n\
                 users: [{name: u, user: {token: hunter2}}]",
                "ca.pem: no such file",
            ),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = Cluster::read(&path).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
