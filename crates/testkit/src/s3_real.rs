//! S3 servers of others, as they are run in life: rclone's (plain or TLS) and Ceph's.
//!
//! Each keeps the bucket [`BUCKET`] and knows the keys of [`s3_peer`](crate::s3_peer). They die
//! with the value that stands for them.

#![expect(
    clippy::missing_panics_doc,
    reason = "a test server that cannot do its part fails the test, wherever it is"
)]

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use crate::s3_peer::{ACCESS_KEY, SECRET_KEY};
use crate::tls::Certificates;
use crate::tools;

/// The one bucket.
pub const BUCKET: &str = "snapshots";

/// Longest wait for a server to answer; Ceph makes its pools first.
const START_LIMIT: Duration = Duration::from_secs(120);

/// `rclone serve s3`: signatures checked, conditions and checksums ignored.
#[derive(Debug)]
pub struct Rclone {
    _process: Process,
    endpoint: String,
    _dir: TempDir,
}

impl Rclone {
    /// Starts it, with TLS where there are certificates for it.
    pub async fn start(certificates: Option<&Certificates>) -> Self {
        let dir = TempDir::with_prefix("rollsnap-rclone-").expect("a temporary directory");
        let objects = dir.path().join("objects");
        fs::create_dir_all(objects.join(BUCKET)).expect("a bucket can be made");

        let mut command = Command::new(tools::path("rclone"));
        command
            .env_clear()
            .env("HOME", dir.path())
            .args(["serve", "s3", "--addr", "127.0.0.1:0", "--auth-key"])
            .arg(format!("{ACCESS_KEY},{SECRET_KEY}"));
        if let Some(certificates) = certificates {
            command
                .arg("--cert")
                .arg(certificates.server())
                .arg("--key")
                .arg(certificates.server_key());
        }
        command.arg(&objects);

        let log = dir.path().join("rclone.log");
        let mut process = Process::spawn(command, &log);
        // It chooses the port and tells it: "Starting s3 server on [http://127.0.0.1:43899/]".
        let endpoint = process
            .until("says where it listens", async || {
                let log = fs::read_to_string(&log).ok()?;
                let (_, rest) = log.split_once("server on [")?;
                let (url, _) = rest.split_once("/]")?;
                Some(url.to_owned())
            })
            .await;
        Self {
            _process: process,
            endpoint,
            _dir: dir,
        }
    }

    /// `http://127.0.0.1:port` or `https://…`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }
}

/// Ceph's gateway over one monitor and one object server that keeps everything in memory.
/// Starting takes some ten seconds.
#[derive(Debug)]
pub struct Radosgw {
    // In the order in which they are to die.
    _gateway: Process,
    _osd: Process,
    _monitor: Process,
    endpoint: String,
    tls_endpoint: String,
    dir: TempDir,
}

impl Radosgw {
    /// Starts the three, makes the user and the bucket.
    pub async fn start() -> Self {
        let dir = TempDir::with_prefix("rollsnap-ceph-").expect("a temporary directory");
        let ceph = Ceph::prepare(dir.path());
        ceph.run(
            "ceph-mon",
            &[
                "-i",
                "a",
                "--mkfs",
                "--monmap",
                "monmap",
                "--keyring",
                "keyring",
            ],
        );
        let monitor = ceph.spawn("ceph-mon", &["-i", "a", "-f"]);
        // The client waits for the monitor by itself.
        ceph.run("ceph", &["osd", "new", OSD_ID]);
        ceph.run("ceph-osd", &["-i", "0", "--mkfs", "--osd-uuid", OSD_ID]);
        let osd = ceph.spawn("ceph-osd", &["-i", "0", "-f"]);
        let mut gateway = ceph.spawn("radosgw", &["-n", "client.rgw", "-f"]);
        let address = format!("127.0.0.1:{}", ceph.gateway_port);
        gateway
            .until("listens", async || TcpStream::connect(&address).await.ok())
            .await;
        ceph.run(
            "radosgw-admin",
            &[
                "-n",
                "client.rgw",
                "--admin-socket=admin.asok",
                "user",
                "create",
                "--uid=test",
                "--display-name=test",
                &format!("--access-key={ACCESS_KEY}"),
                &format!("--secret={SECRET_KEY}"),
            ],
        );
        let endpoint = format!("http://{address}");
        rclone(&endpoint, &["mkdir"]);
        Self {
            _gateway: gateway,
            _osd: osd,
            _monitor: monitor,
            tls_endpoint: format!("https://127.0.0.1:{}", ceph.tls_port),
            endpoint,
            dir,
        }
    }

    /// `https://127.0.0.1:port`, where alone it takes keys of customers.
    pub fn tls_endpoint(&self) -> &str {
        &self.tls_endpoint
    }

    /// The CA of its certificate.
    pub fn ca(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    /// Makes the bucket anew, empty and with object lock, which it can only be made with.
    pub fn make_bucket_with_object_lock(&self) {
        rclone(&self.endpoint, &["rmdir"]);
        rclone(
            &self.endpoint,
            &["mkdir", "--s3-bucket-object-lock-enabled"],
        );
    }

    /// `http://127.0.0.1:port`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Objects in the bucket, those with a dot before their name too.
    pub fn objects(&self) -> usize {
        rclone(&self.endpoint, &["lsf", "--recursive", "--files-only"])
            .lines()
            .count()
    }

    /// Objects of every version.
    pub fn versions(&self) -> usize {
        let words = ["lsf", "--recursive", "--files-only", "--s3-versions"];
        rclone(&self.endpoint, &words).lines().count()
    }

    /// Uploads that were begun and neither completed nor aborted.
    pub fn pending_uploads(&self) -> usize {
        let listed = rclone(&self.endpoint, &["backend", "list-multipart-uploads"]);
        listed.matches("\"UploadId\"").count()
    }
}

/// The one key of the gateway's key service.
pub const KMS_KEY: &str = "rollsnap-test-key";
const KMS_SECRET: &str = "cm9sbHNuYXAtdGVzdC1rZXktb2YtMzItYnl0ZXMtISE=";

const OSD_ID: &str = "6e2f7a3c-9d41-4b55-8a0e-1c7b5e0f2d90";
const CLUSTER_ID: &str = "0c1d2e3f-4a5b-4c6d-8e7f-90a1b2c3d4e5";

struct Ceph<'a> {
    dir: &'a Path,
    gateway_port: u16,
    tls_port: u16,
}

impl<'a> Ceph<'a> {
    /// Writes configuration, keys and the monitors' map. Authentication stays on: without it the
    /// gateway of this version never gets past its own login.
    fn prepare(dir: &'a Path) -> Self {
        let (monitor_port, gateway_port, tls_port) = (free_port(), free_port(), free_port());
        let ceph = Self {
            dir,
            gateway_port,
            tls_port,
        };
        for name in ["osd", "rgw"] {
            fs::create_dir(dir.join(name)).expect("a directory can be made");
        }
        let at = dir.display();
        let monitor = format!("v2:127.0.0.1:{monitor_port}");
        let settings = format!(
            "[global]\n\
             fsid = {CLUSTER_ID}\n\
             mon_initial_members = a\n\
             mon_host = {monitor}\n\
             public_network = 127.0.0.0/8\n\
             ms_bind_msgr1 = false\n\
             keyring = {at}/keyring\n\
             osd_pool_default_size = 1\n\
             osd_pool_default_min_size = 1\n\
             osd_pool_default_pg_num = 8\n\
             osd_crush_chooseleaf_type = 0\n\
             mon_allow_pool_size_one = true\n\
             mon_data_avail_crit = 1\n\
             mon_max_pg_per_osd = 1000\n\
             osd_objectstore = memstore\n\
             memstore_device_bytes = 4294967296\n\
             run_dir = {at}\n\
             admin_socket = {at}/$name.asok\n\
             log_file = {at}/$name.log\n\
             pid_file = {at}/$name.pid\n\
             mon_data = {at}/mon\n\
             osd_data = {at}/osd\n\
             rgw_data = {at}/rgw\n\
             rgw_frontends = beast endpoint=127.0.0.1:{gateway_port} \
             ssl_endpoint=127.0.0.1:{tls_port} ssl_certificate={at}/server.pem \
             ssl_private_key={at}/server-key.pem\n\
             rgw_crypt_s3_kms_backend = testing\n\
             rgw_crypt_s3_kms_encryption_keys = {KMS_KEY}={KMS_SECRET}\n"
        );
        Certificates::issue(dir, &[]);
        fs::write(dir.join("ceph.conf"), settings).expect("the configuration can be written");

        let all = ["--cap", "mon", "allow *"];
        ceph.tool(
            "ceph-authtool",
            &[
                &["--create-keyring", "keyring", "--gen-key", "-n", "mon."],
                &all[..],
            ]
            .concat(),
        );
        for name in ["client.admin", "client.rgw", "osd.0"] {
            let caps = ["--cap", "osd", "allow *", "--cap", "mgr", "allow *"];
            ceph.tool(
                "ceph-authtool",
                &[&["keyring", "--gen-key", "-n", name], &all[..], &caps].concat(),
            );
        }
        let map = format!("[{monitor}]");
        ceph.tool(
            "monmaptool",
            &[
                "--create", "--addv", "a", &map, "--fsid", CLUSTER_ID, "monmap",
            ],
        );
        ceph
    }

    /// Runs a tool that needs no cluster, to its end.
    fn tool(&self, program: &str, arguments: &[&str]) {
        let mut command = self.command(program);
        succeed(command.args(arguments));
    }

    /// Runs a client of the cluster, to its end.
    fn run(&self, program: &str, arguments: &[&str]) {
        let mut command = self.command(program);
        succeed(command.args(["-c", "ceph.conf"]).args(arguments));
    }

    fn spawn(&self, program: &str, arguments: &[&str]) -> Process {
        let mut command = self.command(program);
        command.args(["-c", "ceph.conf"]).args(arguments);
        Process::spawn(command, &self.dir.join(format!("{program}.out")))
    }

    fn command(&self, program: &str) -> Command {
        let path = Path::new("/usr/bin").join(program);
        assert!(path.exists(), "{program} is not installed: run .ci/install");
        let mut command = Command::new(path);
        command.current_dir(self.dir);
        command
    }
}

/// rclone as a client: the gateway's own tools can neither make a bucket nor list uploads.
fn rclone(endpoint: &str, words: &[&str]) -> String {
    let mut command = Command::new(tools::path("rclone"));
    command
        .env_clear()
        .env("RCLONE_S3_PROVIDER", "Ceph")
        .env("RCLONE_S3_ENDPOINT", endpoint)
        .env("RCLONE_S3_ACCESS_KEY_ID", ACCESS_KEY)
        .env("RCLONE_S3_SECRET_ACCESS_KEY", SECRET_KEY)
        .arg("--config=")
        .args(words)
        .arg(format!(":s3:{BUCKET}"));
    succeed(&mut command)
}

/// Returns what it printed.
fn succeed(command: &mut Command) -> String {
    let output = command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("start {command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?} ends with {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a loopback port is free")
        .port()
}

/// One program, killed with its value.
#[derive(Debug)]
struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    fn spawn(mut command: Command, log: &Path) -> Self {
        let file = File::create(log).expect("a log can be made");
        let both = file.try_clone().expect("a log can be shared");
        let child = command
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(both)
            .spawn()
            .unwrap_or_else(|error| panic!("start {command:?}: {error}"));
        Self {
            child,
            log: log.to_owned(),
        }
    }

    /// Asks again and again until there is an answer, the program has ended, or it took too long.
    async fn until<T>(&mut self, what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + START_LIMIT;
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            let ended = self.child.try_wait().expect("a child can be waited for");
            if ended.is_some() || Instant::now() > deadline {
                let log = fs::read_to_string(&self.log).unwrap_or_default();
                panic!("it never {what}; its log:\n{log}");
            }
            sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
