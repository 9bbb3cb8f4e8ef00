//! A small S3 server over a directory (s3s-fs): for the tests, and by itself as the program
//! `s3-server` for the demo and the containers.

use std::io;
use std::path::Path;
use std::sync::Arc;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use s3s::auth::SimpleAuth;
use s3s::config::{S3Config, StaticConfigProvider};
use s3s::host::SingleDomain;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s_fs::FileSystem;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// An S3 service over `dir` that knows one pair of keys. Its buckets are the directories in it.
///
/// # Panics
/// When the directory is not there.
pub fn service(dir: &Path, access_key: &str, secret_key: &str) -> S3Service {
    builder(dir, access_key, secret_key).build()
}

/// The same under a name of its own, below which each bucket has one too: `bucket.domain`.
///
/// # Panics
/// When `domain` is no name.
pub fn service_of(domain: &str, dir: &Path, access_key: &str, secret_key: &str) -> S3Service {
    let mut builder = builder(dir, access_key, secret_key);
    builder.set_host(SingleDomain::new(domain).expect("a domain is given"));
    builder.build()
}

/// The same that takes requests of any date: what its clock says, a script decides.
pub(crate) fn undated(dir: &Path, access_key: &str, secret_key: &str) -> S3Service {
    let mut config = S3Config::default();
    config.presigned_url_max_skew_time_secs = u32::MAX;
    let mut builder = builder(dir, access_key, secret_key);
    builder.set_config(Arc::new(StaticConfigProvider::new(Arc::new(config))));
    builder.build()
}

fn builder(dir: &Path, access_key: &str, secret_key: &str) -> S3ServiceBuilder {
    let files = FileSystem::new(dir).expect("the directory is there");
    let mut builder = S3ServiceBuilder::new(files);
    builder.set_auth(SimpleAuth::from_single(access_key, secret_key));
    builder
}

/// Serves every connection by `service`, until dropped.
pub async fn serve(listener: TcpListener, service: S3Service) {
    let answer =
        move |request: Request<Incoming>| carry_out(service.clone(), request.map(s3s::Body::from));
    listen(listener, answer).await;
}

/// Answers one request by `service`.
pub(crate) async fn carry_out(
    service: S3Service,
    request: Request<s3s::Body>,
) -> io::Result<Response<s3s::Body>> {
    service
        .call(request)
        .await
        .map_err(|fault| io::Error::other(format!("{fault:?}")))
}

/// Serves every connection by `answer`, until dropped. An error of `answer` resets the
/// connection.
pub(crate) async fn listen<A, F>(listener: TcpListener, answer: A)
where
    A: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = io::Result<Response<s3s::Body>>> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((socket, _)) = accepted else { continue };
                connections.spawn(converse(socket, answer.clone()));
            }
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

async fn converse<A, F>(socket: TcpStream, answer: A)
where
    A: Fn(Request<Incoming>) -> F,
    F: Future<Output = io::Result<Response<s3s::Body>>> + Send + 'static,
{
    // Small replies would wait 40 ms for the client's delayed acknowledgement.
    let _ = socket.set_nodelay(true);
    // An error here is meant so, or a client that went away.
    let _ = auto::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(socket), service_fn(answer))
        .await;
}
