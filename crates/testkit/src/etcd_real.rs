//! A real etcd of an installed version on free loopback ports, in a directory of its own.
//!
//! It dies with the value, by SIGKILL. What it logged is kept in its directory and shown when it
//! does not come up.

mod cluster;
mod contents;
mod version;

use std::fs::{self, File, OpenOptions};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use etcd_client::MemberAddOptions;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::time::{Instant, sleep, timeout};

pub use version::EtcdVersion;

use crate::tls::Certificates;
use crate::tools;

/// How long a server may take to answer, on a machine that does other things too.
const START_LIMIT: Duration = Duration::from_secs(30);
/// Ports are chosen free and taken a moment later, so another may be faster.
const PORT_TRIES: usize = 5;

/// What kind of etcd to start.
#[derive(Debug, Clone)]
pub struct EtcdBuilder {
    version: EtcdVersion,
    certificates: Option<Certificates>,
    arguments: Vec<String>,
}

impl EtcdBuilder {
    /// The version; 3.5 if nothing is said.
    #[must_use]
    pub fn version(mut self, version: EtcdVersion) -> Self {
        self.version = version;
        self
    }

    /// Speaks TLS with these certificates and wants one from each client.
    #[must_use]
    pub fn tls(mut self, certificates: &Certificates) -> Self {
        self.certificates = Some(certificates.clone());
        self
    }

    /// Further arguments for the server.
    #[must_use]
    pub fn arguments<I: IntoIterator<Item = S>, S: Into<String>>(mut self, arguments: I) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Starts a cluster of one and waits until it answers.
    ///
    /// # Panics
    /// When it does not, with its log.
    pub async fn start(self) -> EtcdReal {
        EtcdReal::launch(self).await
    }

    /// Starts a cluster of `size` voting members, `m1` and so on, and waits until all answer.
    ///
    /// # Panics
    /// When they do not, with their logs.
    pub async fn start_cluster(self, size: usize) -> Vec<EtcdReal> {
        cluster::start(&self, size, |_| {}).await
    }

    /// As [`start_cluster`](Self::start_cluster), of members that go on with data directories that
    /// `make` has made. It may be asked again, for other seats: ports are not always free.
    ///
    /// # Panics
    /// When they do not answer, with their logs.
    pub async fn start_on(self, size: usize, make: impl Fn(&[Seat])) -> Vec<EtcdReal> {
        cluster::start(&self, size, make).await
    }
}

/// A member's place before it is started.
#[derive(Debug, Clone)]
pub struct Seat {
    /// Its name.
    pub name: String,
    /// Where its fellows will find it.
    pub peer_url: String,
    /// Its data directory, which does not exist.
    pub data_dir: PathBuf,
}

/// How a server comes into its cluster.
#[derive(Debug, Clone)]
enum Membership {
    Founder,
    /// Joins the cluster of these `name=peer-url` pairs.
    Learner(String),
    /// Founds a cluster together with all of these pairs, its own among them.
    Together(String),
}

/// A running etcd, or one that was stopped and can be started again on its data.
#[derive(Debug)]
pub struct EtcdReal {
    builder: EtcdBuilder,
    membership: Membership,
    name: String,
    client_port: u16,
    peer_port: u16,
    dir: TempDir,
    child: Option<Child>,
    user: Option<(String, String)>,
}

impl EtcdReal {
    /// A 3.5 without TLS, unless more is said.
    pub fn builder() -> EtcdBuilder {
        EtcdBuilder {
            version: EtcdVersion::V3_5,
            certificates: None,
            arguments: Vec::new(),
        }
    }

    async fn launch(builder: EtcdBuilder) -> Self {
        let mut etcd = Self::prepare(builder, Membership::Founder, "founder");
        for _ in 0..PORT_TRIES {
            (etcd.client_port, etcd.peer_port) = (free_port(), free_port());
            match etcd.spawn_and_wait().await {
                Ok(()) => return etcd,
                Err(log) if log.contains("address already in use") => {}
                Err(log) => panic!("etcd does not answer; its log:\n{log}"),
            }
        }
        panic!("no free port for etcd in {PORT_TRIES} tries");
    }

    /// A server with ports and a directory that is not started.
    fn prepare(builder: EtcdBuilder, membership: Membership, name: &str) -> Self {
        Self {
            builder,
            membership,
            name: name.to_owned(),
            client_port: free_port(),
            peer_port: free_port(),
            dir: TempDir::with_prefix("rollsnap-etcd-").expect("a temporary directory"),
            child: None,
            user: None,
        }
    }

    /// Its client URL, such as `https://127.0.0.1:40123`.
    pub fn endpoint(&self) -> String {
        format!("{}://{}", self.scheme(), self.address())
    }

    /// Where its client port listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.client_port))
    }

    /// Its name in the cluster.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its version.
    pub fn version(&self) -> EtcdVersion {
        self.builder.version
    }

    /// Its certificates, if it speaks TLS.
    pub fn certificates(&self) -> Option<&Certificates> {
        self.builder.certificates.as_ref()
    }

    /// Its data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// What it said so far, over all starts.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// The process id.
    ///
    /// # Panics
    /// When it is stopped.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("etcd runs").id()
    }

    /// The `etcdctl` of the same version, ready to talk to this server: API, endpoint,
    /// certificates and, after [`enable_auth`](Self::enable_auth), the root user.
    pub fn etcdctl(&self) -> Command {
        self.ctl("etcdctl")
    }

    fn ctl(&self, tool: &str) -> Command {
        let program = tools::path(&format!("{tool}-{}", self.builder.version.suffix()));
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("ETCDCTL_API", "3")
            .env("ETCDCTL_ENDPOINTS", self.endpoint());
        if let Some(certificates) = &self.builder.certificates {
            command
                .env("ETCDCTL_CACERT", certificates.ca())
                .env("ETCDCTL_CERT", certificates.client())
                .env("ETCDCTL_KEY", certificates.client_key());
        }
        if let Some((user, password)) = &self.user {
            command.env("ETCDCTL_USER", format!("{user}:{password}"));
        }
        command
    }

    /// Starts a second server that learns from this one and has no vote.
    pub async fn add_learner(&self) -> EtcdReal {
        let founder = format!("{}=http://127.0.0.1:{}", self.name, self.peer_port);
        let membership = Membership::Learner(founder);
        let mut learner = Self::prepare(self.builder.clone(), membership, "learner");
        learner.user.clone_from(&self.user);
        let peer_url = format!("http://127.0.0.1:{}", learner.peer_port);
        let mut cluster = self.client().await.cluster_client();
        let options = MemberAddOptions::new().with_is_learner();
        cluster
            .member_add([peer_url], Some(options))
            .await
            .expect("add a learner");
        if let Err(log) = learner.spawn_and_wait().await {
            panic!("the learner does not answer; its log:\n{log}");
        }
        learner
    }

    /// Stops it in order (SIGTERM) and waits for its end.
    pub async fn stop(&mut self) {
        self.signal(Signal::TERM);
        let deadline = Instant::now() + START_LIMIT;
        while self.is_running() {
            assert!(
                Instant::now() < deadline,
                "etcd does not stop:\n{}",
                self.log()
            );
            sleep(Duration::from_millis(5)).await;
        }
        self.child = None;
    }

    /// Kills it at once (SIGKILL) and waits for its end.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Freezes it (SIGSTOP): the kernel still accepts connections, nobody answers.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Thaws it (SIGCONT).
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Kills it if it runs, and starts it again on the same data, ports and certificate files.
    ///
    /// # Panics
    /// When it does not come up.
    pub async fn restart(&mut self) {
        self.kill();
        if let Err(log) = self.spawn_and_wait().await {
            panic!("etcd does not answer after a restart; its log:\n{log}");
        }
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a process id is positive"), signal).expect("signal etcd");
    }

    fn is_running(&mut self) -> bool {
        let child = self.child.as_mut().expect("etcd was started");
        child.try_wait().expect("ask for etcd's state").is_none()
    }

    fn log_path(&self) -> PathBuf {
        self.dir.path().join("etcd.log")
    }

    /// Starts the process and waits until it answers; its log if it does not.
    async fn spawn_and_wait(&mut self) -> Result<(), String> {
        self.child = Some(self.spawn());
        let deadline = Instant::now() + START_LIMIT;
        while self.is_running() && Instant::now() < deadline {
            if self.answers().await {
                return Ok(());
            }
            sleep(Duration::from_millis(10)).await;
        }
        self.kill();
        Err(self.log())
    }

    /// Whether it answers at all. A learner serves nothing but its status.
    async fn answers(&self) -> bool {
        let ask = async {
            let mut client = self.try_client().await?;
            client.status().await
        };
        matches!(timeout(Duration::from_secs(2), ask).await,
            Ok(Ok(status)) if status.leader() != 0)
    }

    fn spawn(&self) -> Child {
        let log = |path: &Path| -> File {
            OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)
                .expect("etcd's log can be opened")
        };
        let path = self.log_path();
        let mut command = Command::new(self.builder.version.server());
        command
            .env_clear()
            .args(self.arguments())
            .stdin(Stdio::null())
            .stdout(log(&path))
            .stderr(log(&path));
        command.spawn().expect("etcd can be started")
    }

    fn arguments(&self) -> Vec<String> {
        let client = self.endpoint();
        let peer = format!("http://127.0.0.1:{}", self.peer_port);
        let itself = format!("{}={peer}", self.name);
        let (cluster, state) = match &self.membership {
            Membership::Founder => (itself, "new"),
            Membership::Together(all) => (all.clone(), "new"),
            Membership::Learner(founder) => (format!("{founder},{itself}"), "existing"),
        };
        let mut arguments: Vec<String> = [
            ("--name", self.name.clone()),
            ("--data-dir", self.data_dir().display().to_string()),
            ("--listen-client-urls", client.clone()),
            ("--advertise-client-urls", client),
            ("--listen-peer-urls", peer.clone()),
            ("--initial-advertise-peer-urls", peer),
            ("--initial-cluster", cluster),
            ("--initial-cluster-state", state.to_owned()),
            ("--quota-backend-bytes", (8_u64 << 30).to_string()),
            // Passwords are hashed for tests, not for keeps.
            ("--bcrypt-cost", "4".to_owned()),
            ("--logger", "zap".to_owned()),
        ]
        .into_iter()
        .map(|(flag, value)| format!("{flag}={value}"))
        .collect();
        if self.builder.version == EtcdVersion::V3_5 {
            // 3.4 has no such flag.
            arguments.push("--unsafe-no-fsync".to_owned());
        }
        if let Some(certificates) = &self.builder.certificates {
            arguments.extend([
                format!("--cert-file={}", certificates.server().display()),
                format!("--key-file={}", certificates.server_key().display()),
                format!("--trusted-ca-file={}", certificates.ca().display()),
                "--client-cert-auth".to_owned(),
            ]);
        }
        arguments.extend(self.builder.arguments.iter().cloned());
        arguments
    }

    fn scheme(&self) -> &'static str {
        match self.builder.certificates {
            Some(_) => "https",
            None => "http",
        }
    }
}

impl Drop for EtcdReal {
    fn drop(&mut self) {
        self.kill();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a loopback port is free")
        .port()
}
