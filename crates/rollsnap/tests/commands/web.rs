//! What the daemon answers over HTTP, compared with `docs/openapi.json`, and to whom.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::select;
use rollsnap_testkit::etcd_real::EtcdReal;
use rollsnap_testkit::plain_http::{Answer, ask};
use rollsnap_testkit::tls::Certificates;
use rustix::process::Signal;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::program::{LIMIT, Program, assert_no_secret};
use crate::running::{Running, field};
use crate::world::{Bucket, etcd_and_dir, snapshots};

const SNAPSHOTS: &str = "/api/v1/snapshots";
const STATUS: &str = "/api/v1/status";

/// Where it says that it answers.
pub(crate) async fn address(daemon: &mut Running) -> SocketAddr {
    let line = daemon.line("Answering over HTTP").await;
    let location = field(&line, "location");
    let (_, address) = location.split_once("://").expect("it is at a port");
    address.parse().unwrap()
}

pub(crate) async fn at(address: SocketAddr, method: &str, path: &str) -> Answer {
    with(address, method, path, &[], "").await
}

async fn with(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let line = TcpStream::connect(address).await.unwrap();
    let asked = timeout(LIMIT, ask(line, method, path, headers, body)).await;
    let answer = asked.expect("it answers in time");
    assert_no_secret("answer", &answer.body);
    answer
}

/// `docs/openapi.json`, and which of its answers were seen.
struct Contract {
    document: Value,
    seen: BTreeSet<(String, String, u16)>,
}

impl Contract {
    fn read() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
        let text = fs::read_to_string(path).unwrap();
        Self {
            document: serde_json::from_str(&text).unwrap(),
            seen: BTreeSet::new(),
        }
    }

    /// The answer has the status that is wanted, and is as the document says of it.
    #[track_caller]
    fn holds(&mut self, method: &str, path: &str, status: u16, answer: &Answer) {
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.body);
        let method = method.to_lowercase();
        let said = &self.document["paths"][path][&method]["responses"][status.to_string()];
        let content = said["content"].as_object();
        let content = content.unwrap_or_else(|| panic!("{method} {path} {status} is not told"));
        let (kind, shape) = content.iter().next().expect("one kind of answer");
        assert_eq!(
            answer.header("content-type"),
            Some(&**kind),
            "{method} {path}"
        );
        if kind == "application/json" {
            let body = serde_json::from_str(&answer.body).expect("it is JSON");
            self.fits(&body, &shape["schema"], &format!("{method} {path}"));
        }
        self.seen.insert((path.to_owned(), method, status));
    }

    /// Of JSON Schema what the document uses; anything else in it fails.
    fn fits(&self, value: &Value, schema: &Value, place: &str) {
        let schema = schema.as_object().expect("a schema");
        if let Some(to) = schema.get("$ref") {
            let to = to.as_str().and_then(|to| to.strip_prefix('#')).unwrap();
            let schema = self.document.pointer(to).expect("it leads somewhere");
            return self.fits(value, schema, place);
        }
        let wanted = schema["type"].as_str().unwrap();
        let is_it = match wanted {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "number" => value.is_number(),
            "integer" => value.is_i64() || value.is_u64(),
            other => panic!("{other} is not known here"),
        };
        assert!(is_it, "{place} is no {wanted}: {value}");
        for (word, said) in schema {
            match word.as_str() {
                "type" => {}
                "enum" => assert!(said.as_array().unwrap().contains(value), "{place}: {value}"),
                "format" => {
                    assert_eq!(said, "date-time");
                    let text = value.as_str().unwrap();
                    let time = chrono::DateTime::parse_from_rfc3339(text);
                    assert!(time.is_ok(), "{place}: {value}");
                }
                "items" => {
                    for (index, item) in value.as_array().unwrap().iter().enumerate() {
                        self.fits(item, said, &format!("{place}[{index}]"));
                    }
                }
                "required" => {
                    for name in said.as_array().unwrap() {
                        let name = name.as_str().unwrap();
                        assert!(value.get(name).is_some(), "{place} lacks {name}: {value}");
                    }
                }
                "properties" => {
                    for (name, value) in value.as_object().unwrap() {
                        if let Some(schema) = said.get(name) {
                            self.fits(value, schema, &format!("{place}.{name}"));
                        }
                    }
                }
                "additionalProperties" => {
                    for name in value.as_object().unwrap().keys() {
                        let is_told = schema["properties"].get(name).is_some();
                        assert!(is_told || *said == Value::Bool(true), "{place}.{name}");
                    }
                }
                other => panic!("{other} is not known here"),
            }
        }
    }

    /// Every answer of these paths that the document tells of was seen, but for `unseen`.
    fn is_whole(&self, unseen: &[(&str, &str, u16)]) {
        let mut missing = BTreeSet::new();
        for (path, methods) in self.document["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                for status in operation["responses"].as_object().unwrap().keys() {
                    let told = (path.clone(), method.clone(), status.parse().unwrap());
                    if !self.seen.contains(&told) {
                        missing.insert(told);
                    }
                }
            }
        }
        let unseen = unseen
            .iter()
            .map(|(path, method, status)| ((*path).to_owned(), (*method).to_owned(), *status));
        assert_eq!(missing, unseen.collect(), "told and never seen");
    }
}

fn token(place: &TempDir) -> std::path::PathBuf {
    let path = place.path().join("token");
    fs::write(&path, "canary-of-the-token\n").unwrap();
    path
}

const RIGHT: (&str, &str) = ("Authorization", "Bearer canary-of-the-token");

#[tokio::test]
async fn every_answer_is_as_the_document_says() {
    let (mut etcd, dir) = etcd_and_dir().await;
    let place = tempfile::tempdir().unwrap();
    let token = token(&place);
    let bucket = Bucket::up().await;
    etcd.pause();
    let mut daemon = Program::new(["run", "--creation", "1h", "--http", "127.0.0.1:0"])
        .arg_path("--http-token-file", &token)
        .etcd(&etcd)
        .dir(dir.path())
        .bucket(&bucket)
        .start();
    let web = address(&mut daemon).await;
    let mut contract = Contract::read();
    contract.holds("GET", "/livez", 200, &at(web, "GET", "/livez").await);
    let answer = at(web, "GET", "/readyz").await;
    contract.holds("GET", "/readyz", 503, &answer);
    assert_eq!(answer.body, "no backup was ever taken\n");
    contract.holds("GET", "/metrics", 200, &at(web, "GET", "/metrics").await);
    contract.holds("GET", "/", 200, &at(web, "GET", "/").await);

    etcd.resume();
    daemon.line("Uploaded backup").await;
    let answer = at(web, "GET", "/readyz").await;
    contract.holds("GET", "/readyz", 200, &answer);
    let listed = timeout(LIMIT, async {
        loop {
            let answer = at(web, "GET", SNAPSHOTS).await;
            contract.holds("GET", SNAPSHOTS, 200, &answer);
            let listed: Value = serde_json::from_str(&answer.body).unwrap();
            // The bucket is read after the first upload, and until then that is told.
            if listed.get("unseen").is_none() {
                return listed;
            }
        }
    });
    let listed = listed.await.expect("the bucket is read");
    assert_eq!(
        listed["snapshots"][0]["stores"],
        serde_json::json!(["local", "remote"])
    );
    contract.holds("GET", STATUS, 200, &at(web, "GET", STATUS).await);

    let post = async |headers: &[(&str, &str)], body: &str| {
        with(web, "POST", SNAPSHOTS, headers, body).await
    };
    contract.holds("POST", SNAPSHOTS, 401, &post(&[], "").await);
    let wrong = ("Authorization", "Bearer another");
    contract.holds("POST", SNAPSHOTS, 403, &post(&[wrong], "").await);
    for body in [
        "{",
        "{\"nam\":\"x\"}",
        "{\"name\":\"a/b\"}",
        "{\"name\":\"latest\"}",
    ] {
        contract.holds("POST", SNAPSHOTS, 400, &post(&[RIGHT], body).await);
    }
    let long = format!("{{\"name\":\"{}\"}}", "x".repeat(5000));
    contract.holds("POST", SNAPSHOTS, 413, &post(&[RIGHT], &long).await);
    let slow = post(&[RIGHT, ("Content-Length", "9")], "").await;
    contract.holds("POST", SNAPSHOTS, 408, &slow);

    let answer = post(&[RIGHT], "{\"name\":\"asked-for\"}").await;
    contract.holds("POST", SNAPSHOTS, 201, &answer);
    let report: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(report["snapshot"]["class"], "one-off");
    assert_eq!(report["snapshot"]["verification"]["result"], "held");
    assert!(bucket.names().contains("asked-for"), "{report}");
    assert!(dir.path().join("asked-for.manifest.json").exists());
    let again = post(&[RIGHT], "{\"name\":\"asked-for\"}").await;
    contract.holds("POST", SNAPSHOTS, 409, &again);

    etcd.kill();
    contract.holds("POST", SNAPSHOTS, 502, &post(&[RIGHT], "").await);
    daemon.line("Backup on request failed").await;
    fs::remove_file(&token).unwrap();
    contract.holds("POST", SNAPSHOTS, 500, &post(&[RIGHT], "").await);
    fs::remove_dir_all(dir.path()).unwrap();
    contract.holds("GET", SNAPSHOTS, 503, &at(web, "GET", SNAPSHOTS).await);
    contract.holds("GET", STATUS, 503, &at(web, "GET", STATUS).await);

    assert_eq!(at(web, "GET", "/nowhere").await.status, 404);
    assert_eq!(at(web, "DELETE", SNAPSHOTS).await.status, 405);
    // Only in the moment between two configurations, or at the end.
    contract.is_whole(&[(SNAPSHOTS, "post", 503)]);
}

#[tokio::test]
async fn one_is_taken_at_a_time_and_only_for_the_socket_without_a_token() {
    let (etcd, dir) = etcd_and_dir().await;
    let place = tempfile::tempdir().unwrap();
    let socket = place.path().join("http.sock");
    // A daemon that was killed left one.
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    let mut daemon = Program::new(["run", "--creation", "1h"])
        .arg_path("--http-socket", &socket)
        .etcd(&etcd)
        .dir(dir.path())
        .env("ROLLSNAP_HTTP", "127.0.0.1:0")
        .start();
    let first = daemon.line("Answering over HTTP").await;
    let second = daemon.line("Answering over HTTP").await;
    let places = [field(&first, "location"), field(&second, "location")];
    let web = places
        .iter()
        .find_map(|place| place.strip_prefix("http://"));
    let web = web.unwrap().parse().unwrap();
    daemon.line("Verified snapshot").await;
    assert_eq!(
        fs::metadata(&socket).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let refused = with(web, "POST", SNAPSHOTS, &[RIGHT], "").await;
    assert_eq!(refused.status, 403, "{}", refused.body);

    let post = async || {
        let line = UnixStream::connect(&socket).await.unwrap();
        ask(line, "POST", SNAPSHOTS, &[], "").await
    };
    // While etcd says nothing, the first is not done.
    etcd.pause();
    let (one, other) = (std::pin::pin!(post()), std::pin::pin!(post()));
    let first = timeout(LIMIT, select(one, other)).await;
    let (refused, taking) = first.expect("one at a time").factor_first();
    // Whoever comes meanwhile, it is not hung up on.
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(UnixStream::connect(&socket).await.unwrap());
    }
    let line = UnixStream::connect(&socket).await.unwrap();
    assert_eq!(ask(line, "GET", "/livez", &[], "").await.status, 200);
    etcd.resume();
    let taken = taking.await;
    assert_eq!((refused.status, taken.status), (409, 201), "{}", taken.body);
    assert_eq!(snapshots(dir.path()).len(), 2);
    daemon.stop().await.count("Created backup");
    assert!(!socket.exists(), "it is left behind");
}

#[tokio::test]
async fn a_port_that_is_taken_holds_up_nothing_and_is_tried_again() {
    let (etcd, dir) = etcd_and_dir().await;
    let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let taken = other.local_addr().unwrap().to_string();
    let mut daemon = Program::new(["run", "--creation", "1h", "--http", &taken])
        .etcd(&etcd)
        .dir(dir.path())
        .start();
    let line = daemon
        .line("Cannot answer over HTTP; backups go on without")
        .await;
    assert_eq!(field(&line, "location"), taken);
    assert!(line.contains(" level=error "), "{line}");
    daemon.line("Verified snapshot").await;
    drop(other);
    assert_eq!(address(&mut daemon).await.to_string(), taken);
    assert_eq!(daemon.stop().await.code, Some(0));
}

#[tokio::test]
async fn a_reload_moves_the_port_or_leaves_it_and_the_counters_alone() {
    let (etcd, dir) = etcd_and_dir().await;
    let config = dir.path().join("rollsnap.yml");
    let write = |more: &str| {
        let endpoint = etcd.endpoint();
        fs::write(&config, format!("endpoints: {endpoint}\n{more}")).unwrap();
    };
    write("creation: 1h\n");
    let mut daemon = Program::new(["run", "--http", "127.0.0.1:0"])
        .arg_path("--config", &config)
        .dir(&dir.path().join("snapshots"))
        .start();
    let web = address(&mut daemon).await;
    daemon.line("Verified snapshot").await;
    write("creation: 2h\n");
    daemon.signal(Signal::HUP);
    let line = daemon.line("Initializing Rolling Backups").await;
    assert_eq!(field(&line, "creation"), "2h0m0s");
    daemon.line("Next backup is not due yet").await;
    let answer = at(web, "GET", "/metrics").await;
    for line in [
        "rollsnap_interval_seconds 7200",
        "rollsnap_saves_total{result=\"saved\"} 1",
        "rollsnap_saves_total{result=\"failed\"} 0",
    ] {
        assert!(
            answer.body.lines().any(|it| it == line),
            "{line}:\n{}",
            answer.body
        );
    }
    assert_eq!(daemon.stop().await.count("Answering over HTTP"), 1);

    // From the file, it can move.
    let free = async || {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    let (one, other) = (free().await, free().await);
    write(&format!("creation: 1h\nhttp: {one}\n"));
    let mut daemon = Program::new(["run"])
        .env("ROLLSNAP_HTTP", "")
        .arg_path("--config", &config)
        .dir(&dir.path().join("snapshots"))
        .start();
    assert_eq!(address(&mut daemon).await, one);
    write(&format!("creation: 1h\nhttp: {other}\n"));
    daemon.signal(Signal::HUP);
    assert_eq!(address(&mut daemon).await, other);
    assert!(
        TcpStream::connect(one).await.is_err(),
        "the old port is open"
    );
    assert_eq!(at(other, "GET", "/livez").await.status, 200);
    assert_eq!(daemon.stop().await.code, Some(0));
}

#[tokio::test]
async fn after_a_reload_the_bucket_is_not_down_because_it_was() {
    let (etcd, dir) = etcd_and_dir().await;
    let mut bucket = Bucket::down().await;
    let mut daemon = Program::new(["run", "--creation", "1h", "--http", "127.0.0.1:0"])
        .etcd(&etcd)
        .dir(dir.path())
        .bucket(&bucket)
        .start();
    let web = address(&mut daemon).await;
    let is_up = async || {
        let metrics = at(web, "GET", "/metrics").await.body;
        metrics.contains("\nrollsnap_remote_up 1\n")
    };
    daemon.line("Uploads fail").await;
    assert!(!is_up().await);
    bucket.start().await;
    // Before it is tried again.
    daemon.signal(Signal::HUP);
    daemon.line("Uploaded backup").await;
    assert!(is_up().await);
    daemon.stop().await;
}

#[tokio::test]
async fn those_who_say_nothing_or_too_much_keep_nobody_out() {
    let (etcd, dir) = etcd_and_dir().await;
    let mut daemon = Program::new(["run", "--creation", "1h", "--http", "127.0.0.1:0"])
        .etcd(&etcd)
        .dir(dir.path())
        .start();
    let web = address(&mut daemon).await;
    let mut silent = Vec::new();
    for _ in 0..300 {
        let mut line = TcpStream::connect(web).await.unwrap();
        let _ = line.write_all(b"GET /livez HTTP/1.1\r\nHo").await;
        silent.push(line);
        assert!(silent.len() % 100 != 0 || at(web, "GET", "/livez").await.status == 200);
    }
    let long = "x".repeat(64 << 10);
    let line = TcpStream::connect(web).await.unwrap();
    let answer = ask(line, "GET", "/livez", &[("Long", &long)], "").await;
    assert_eq!(answer.status, 431);
    // And the last of them is hung up on too, without anybody else having come.
    let mut last = silent.pop().unwrap();
    let mut rest = Vec::new();
    let read = timeout(LIMIT, last.read_to_end(&mut rest)).await;
    assert!(read.is_ok(), "it is let sit there");
    assert_eq!(daemon.stop().await.code, Some(0));
}

#[tokio::test]
async fn over_tls_a_renewed_certificate_is_shown_to_the_next_caller() {
    let etcd = EtcdReal::builder().start().await;
    let dir = tempfile::tempdir().unwrap();
    let place = tempfile::tempdir().unwrap();
    let certificates = Certificates::issue(place.path(), &[]);
    let mut daemon = Program::new(["run", "--creation", "1h", "--http", "127.0.0.1:0"])
        .arg_path("--http-cert", &certificates.server())
        .arg_path("--http-key", &certificates.server_key())
        .etcd(&etcd)
        .dir(dir.path())
        .start();
    let web = address(&mut daemon).await;
    assert_eq!(secretly(web, &certificates).await.unwrap().status, 200);
    certificates.reissue();
    assert_eq!(secretly(web, &certificates).await.unwrap().status, 200);
    // One that is broken is told, and the last one is still shown.
    fs::write(certificates.server(), "no certificate").unwrap();
    assert_eq!(secretly(web, &certificates).await.unwrap().status, 200);
    daemon
        .line("Cannot read the certificate for HTTP anew; the old one stays in force")
        .await;
    assert_eq!(daemon.stop().await.code, Some(0));
}

/// Asks over TLS, trusting the authority of these certificates alone.
async fn secretly(web: SocketAddr, certificates: &Certificates) -> std::io::Result<Answer> {
    let mut roots = RootCertStore::empty();
    for authority in CertificateDer::pem_file_iter(certificates.ca()).unwrap() {
        roots.add(authority.unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let line = TcpStream::connect(web).await?;
    let line = TlsConnector::from(Arc::new(config))
        .connect(name, line)
        .await?;
    let limit = Duration::from_secs(30);
    Ok(timeout(limit, ask(line, "GET", "/livez", &[], "")).await?)
}
