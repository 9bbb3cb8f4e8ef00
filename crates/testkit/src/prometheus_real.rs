//! Debian's Prometheus, reading one target each second.

#![expect(
    clippy::missing_panics_doc,
    reason = "a test server that cannot do its part fails the test, wherever it is"
)]

use std::fmt::Write as _;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use crate::plain_http::{Answer, ask};
use crate::tools;

/// Longest wait for it to answer.
const START_LIMIT: Duration = Duration::from_secs(60);

/// A running Prometheus. It is killed with the value.
#[derive(Debug)]
pub struct Prometheus {
    child: Child,
    address: SocketAddr,
    _dir: TempDir,
}

impl Prometheus {
    /// Reads `target` as the job `rollsnap`.
    pub async fn reading(target: SocketAddr) -> Self {
        let dir = TempDir::with_prefix("rollsnap-prometheus-").expect("a temporary directory");
        let config = dir.path().join("prometheus.yml");
        let text = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\n\
             scrape_configs:\n- job_name: rollsnap\n  static_configs:\n  - targets: ['{target}']\n"
        );
        fs::write(&config, text).expect("a file can be written");
        let log = dir.path().join("prometheus.log");
        let file = File::create(&log).expect("a log can be made");
        let child = Command::new(tools::path("prometheus"))
            .arg("--config.file")
            .arg(&config)
            .arg("--storage.tsdb.path")
            .arg(dir.path().join("data"))
            .args(["--web.listen-address", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file)
            .spawn()
            .expect("prometheus can be started");
        let mut prometheus = Self {
            child,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            _dir: dir,
        };
        let deadline = Instant::now() + START_LIMIT;
        loop {
            // It chooses the port and tells it: `msg="Listening on" address=127.0.0.1:43899`.
            let said = fs::read_to_string(&log).unwrap_or_default();
            let at = said.split_once("msg=\"Listening on\" address=");
            let at = at.and_then(|(_, rest)| rest.split_whitespace().next()?.parse().ok());
            if let Some(address) = at {
                prometheus.address = address;
                if prometheus.get("/-/ready").await.status == 200 {
                    return prometheus;
                }
            }
            assert!(Instant::now() < deadline, "it does not answer:\n{said}");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// What an expression comes to now, as Prometheus' API tells it.
    pub async fn query(&self, expression: &str) -> Answer {
        let mut path = String::from("/api/v1/query?query=");
        for byte in expression.bytes() {
            // Writing to a text cannot fail.
            let _ = write!(path, "%{byte:02X}");
        }
        self.get(&path).await
    }

    async fn get(&self, path: &str) -> Answer {
        let line = TcpStream::connect(self.address).await;
        ask(line.expect("it listens"), "GET", path, &[], "").await
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
