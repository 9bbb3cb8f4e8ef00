//! The port and the Unix socket. Whoever comes slowly, or with many, keeps out nobody else for
//! long, and the daemon not at all.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fs;
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixListener as StdUnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Extension;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_util::task::AbortOnDropHandle;
use tracing::{error, info};

use super::api::Patience;
use super::auth::Way;
use super::shared::Shared;
use super::surroundings;
use super::tls::Tls;
use crate::config::Http;

/// Callers at a time, at each door. One more, and whoever came first is hung up on: those who mean
/// well are long gone by then, or wait for a snapshot.
const CALLERS: usize = 64;

/// How long a caller has to shake hands, and to say what it wants; and how long it may stay
/// without wanting anything.
const HASTE: Duration = Duration::from_secs(10);

/// How long anybody may stay in all, but for who waits for a snapshot.
const STAY: Duration = Duration::from_secs(60);

/// How long to wait before a place that could not be had is tried again.
const AGAIN: Duration = Duration::from_secs(10);

/// How long to wait before the next caller when one could not be let in.
const BREATH: Duration = Duration::from_millis(100);

/// The most bytes of a request's head.
const HEAD: usize = 16 << 10;

/// Answers where it is wanted, for as long as it is. Never ends but with the daemon.
pub(super) async fn attend(shared: Arc<Shared>, mut wanted: watch::Receiver<Option<Http>>) {
    let router = super::router(Arc::clone(&shared));
    let looking = surroundings::watch(&shared);
    let answering = async {
        loop {
            let http = wanted.borrow_and_update().clone();
            let answering = async {
                match &http {
                    Some(http) => answer_at(http, &router).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                never = answering => match never {},
                changed = wanted.changed() => if changed.is_err() { return },
            }
        }
    };
    tokio::select! {
        never = looking => match never {},
        () = answering => {}
    }
}

async fn answer_at(http: &Http, router: &Router) -> Infallible {
    let port = async {
        match http.address.value {
            Some(address) => at_port(address, http, router).await,
            None => pending().await,
        }
    };
    let socket = async {
        match &http.socket {
            Some(path) => at_socket(&path.value, router).await,
            None => pending().await,
        }
    };
    tokio::select! {
        never = port => never,
        never = socket => never,
    }
}

async fn at_port(address: SocketAddr, http: &Http, router: &Router) -> Infallible {
    let mut tls = Tls::of(http);
    let router = router.clone().layer(Extension(Way::Network));
    let mut trouble = Trouble::at(address.to_string());
    let listener = loop {
        match open(address, tls.as_mut()).await {
            Ok(listener) => break listener,
            Err(error) => trouble.wait_after(&error).await,
        }
    };
    let at = listener.local_addr().unwrap_or(address);
    let scheme = if tls.is_some() { "https" } else { "http" };
    info!(location = %format_args!("{scheme}://{at}"), "Answering over HTTP");
    let mut callers = Callers::default();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // A caller that hung up at once, or no descriptor left, which takes a while.
            sleep(BREATH).await;
            continue;
        };
        let router = router.clone();
        match &mut tls {
            None => callers.let_in(|patience| talk(stream, router, patience)),
            Some(tls) => {
                let acceptor = tls.current().await;
                callers.let_in(async move |patience| {
                    if let Ok(Ok(stream)) = timeout(HASTE, acceptor.accept(stream)).await {
                        talk(stream, router, patience).await;
                    }
                });
            }
        }
    }
}

async fn at_socket(path: &Path, router: &Router) -> Infallible {
    let router = router.clone().layer(Extension(Way::Socket));
    let mut trouble = Trouble::at(path.display().to_string());
    let socket = loop {
        match Socket::open(path) {
            Ok(socket) => break socket,
            Err(error) => trouble.wait_after(&error).await,
        }
    };
    info!(location = %path.display(), "Answering over HTTP");
    let mut callers = Callers::default();
    loop {
        match socket.listener.accept().await {
            Ok((stream, _)) => callers.let_in(|patience| talk(stream, router.clone(), patience)),
            Err(_) => sleep(BREATH).await,
        }
    }
}

async fn open(address: SocketAddr, tls: Option<&mut Tls>) -> io::Result<TcpListener> {
    if let Some(tls) = tls {
        tls.load().await?;
    }
    TcpListener::bind(address).await
}

/// A place that cannot be had yet. Why is told once until it is something else.
struct Trouble {
    place: String,
    told: Option<io::ErrorKind>,
}

impl Trouble {
    fn at(place: String) -> Self {
        Self { place, told: None }
    }

    async fn wait_after(&mut self, error: &io::Error) {
        if self.told.replace(error.kind()) != Some(error.kind()) {
            error!(
                location = self.place,
                error = %error,
                hint = hint(error),
                "Cannot answer over HTTP; backups go on without"
            );
        }
        sleep(AGAIN).await;
    }
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another program has it: give this one another address with http, or off"
        }
        io::ErrorKind::PermissionDenied => "give this user the right to it, or another place",
        io::ErrorKind::AddrNotAvailable => "give an address that this machine has",
        _ => "see http, http_socket, http_cert and http_key",
    }
}

/// One caller, to its end.
async fn talk<S>(stream: S, router: Router, patience: Patience)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = TowerToHyperService::new(router.layer(Extension(patience.clone())));
    let talk = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HASTE)
        .max_buf_size(HEAD)
        .serve_connection(TokioIo::new(stream), service);
    let overstayed = async {
        sleep(STAY).await;
        patience.over().await;
    };
    tokio::select! {
        // A line that broke is the caller's affair.
        _ = talk => {}
        () = overstayed => {}
    }
}

/// Everybody who is in. Dropped, it hangs up on all.
#[derive(Default)]
struct Callers(VecDeque<(Patience, AbortOnDropHandle<()>)>);

impl Callers {
    fn let_in<F>(&mut self, talk: impl FnOnce(Patience) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.0.retain(|(_, talk)| !talk.is_finished());
        if self.0.len() >= CALLERS {
            // Who waits for a snapshot had the right to it; anybody may come.
            let idle = self.0.iter().position(|(patience, _)| !patience.is_asked());
            self.0.remove(idle.unwrap_or(0));
        }
        let patience = Patience::default();
        let talk = tokio::spawn(talk(patience.clone()));
        self.0.push_back((patience, AbortOnDropHandle::new(talk)));
    }
}

/// A Unix socket that goes with the value.
struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

impl Socket {
    /// Nobody but its user can connect, from its first moment on.
    fn open(path: &Path) -> io::Result<Self> {
        // One that a killed daemon left has nobody behind it.
        let is_socket = fs::symlink_metadata(path).is_ok_and(|it| it.file_type().is_socket());
        if is_socket && std::os::unix::net::UnixStream::connect(path).is_err() {
            fs::remove_file(path)?;
        }
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket =
            rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        rustix::net::bind(&socket, &SocketAddrUnix::new(path)?)?;
        // Before it listens, connect(2) is refused.
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
        rustix::net::listen(&socket, 128)?;
        let listener = UnixListener::from_std(StdUnixListener::from(socket))?;
        let path = path.to_owned();
        Ok(Self { listener, path })
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // The next one removes it else.
        let _ = fs::remove_file(&self.path);
    }
}
