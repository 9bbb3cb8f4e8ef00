//! `serve` on one node and `download` on the others, as RKE starts them for a restore.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;

use rollsnap_testkit::tls::Certificates;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::node::{Node, reason, to};
use crate::program::{Outcome, Program};
use crate::running::Running;
use crate::world::{self, Bucket};

/// The archive that rke-tools v0.1.111 made, and what is in it.
const ARCHIVE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../engine/testdata/rke/v0.1.111.mysnapshot.zip"
);

/// A server that shows what is in its directory, as the old program's does, broken or not.
const ORIGINAL: &str = r#"
import http.server, ssl, sys
ca, cert, key, port = sys.argv[1:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.verify_mode = ssl.CERT_REQUIRED
context.load_verify_locations(ca)
context.load_cert_chain(cert, key)
server = http.server.HTTPServer(("127.0.0.1", int(port)), http.server.SimpleHTTPRequestHandler)
server.socket = context.wrap_socket(server.socket, server_side=True)
print("ready", flush=True)
server.serve_forever()
"#;

/// Nodes of one cluster: certificates, and a directory each.
struct Nodes {
    certificates: Certificates,
    _ssl: TempDir,
    serving: TempDir,
    other: TempDir,
    port: u16,
}

impl Nodes {
    fn new() -> Self {
        let ssl = tempfile::tempdir().unwrap();
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        Self {
            certificates: Certificates::issue(ssl.path(), &[]),
            _ssl: ssl,
            serving: tempfile::tempdir().unwrap(),
            other: tempfile::tempdir().unwrap(),
            port: free.local_addr().unwrap().port(),
        }
    }

    fn call(&self, dir: &Path, line: &str) -> Program {
        Program::new(line.split_whitespace())
            .dir(dir)
            .env("ROLLSNAP_PEER_PORT", self.port.to_string())
            .arg_path("--cacert", &self.certificates.ca())
            .arg_path("--cert", &self.certificates.client())
            .arg_path("--key", &self.certificates.client_key())
    }

    /// The node that serves, once its port is open.
    async fn serve(&self, name: &str) -> Running {
        let line = format!("etcd-backup serve --name {name}");
        let mut running = self.call(self.serving.path(), &line).start();
        running.line("Serving a snapshot").await;
        running
    }

    async fn download(&self, name: &str) -> Outcome {
        let line = format!("etcd-backup download --name {name} --local-endpoint 127.0.0.1");
        self.call(self.other.path(), &line).run().await
    }

    /// The old program on the node that serves.
    async fn original(&self) -> Child {
        let mut child = Command::new("python3")
            .args(["-c", ORIGINAL])
            .args([self.certificates.ca(), self.certificates.client()])
            .arg(self.certificates.client_key())
            .arg(self.port.to_string())
            .current_dir(self.serving.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("ready"));
        child
    }

    async fn download_stored(&self, dir: &Path, bucket: &Bucket, name: &str) -> Outcome {
        let line = format!("etcd-backup download --name {name}");
        self.call(dir, &line).args(to(bucket)).run().await
    }
}

fn put(bucket: &Bucket, key: &str, bytes: &[u8]) {
    let path = bucket.object(key);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// What is in the archive of the old program.
fn plain() -> Vec<u8> {
    let unzip = "import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); \
                 sys.stdout.buffer.write(z.read('/backup/mysnapshot'))";
    let output = std::process::Command::new("python3")
        .args(["-c", unzip, ARCHIVE])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    output.stdout
}

#[tokio::test]
async fn an_archive_of_the_old_program_reaches_every_node_as_the_same_bytes() {
    let nodes = Nodes::new();
    fs::copy(ARCHIVE, nodes.serving.path().join("mysnapshot.zip")).unwrap();
    let mut serving = nodes.serve("mysnapshot").await;
    let outcome = nodes.download("mysnapshot").await;
    assert_eq!(outcome.code, Some(0), "{}", outcome.err);
    serving.line("Gave the snapshot to a node").await;
    assert!(
        serving
            .seen
            .iter()
            .any(|line| line.contains("Extracted from "))
    );
    let end = serving.stop().await;
    assert_eq!(end.code, Some(0), "{:?}", end.log);

    for dir in [&nodes.serving, &nodes.other] {
        let path = dir.path().join("mysnapshot");
        assert!(fs::read(&path).unwrap() == plain());
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    assert!(nodes.serving.path().join("mysnapshot.zip").exists());
    assert_eq!(world::snapshots(nodes.other.path()), ["mysnapshot"]);
}

#[tokio::test]
async fn a_plain_snapshot_is_served_as_it_is() {
    let nodes = Nodes::new();
    fs::write(
        nodes.serving.path().join("2018-05-04T18:40:16Z_etcd"),
        plain(),
    )
    .unwrap();
    let serving = nodes.serve("2018-05-04T18:40:16Z_etcd").await;
    nodes.download("2018-05-04T18:40:16Z_etcd").await.ok();
    let path = nodes.other.path().join("2018-05-04T18:40:16Z_etcd");
    assert!(fs::read(path).unwrap() == plain());
    serving.stop().await;
}

/// Defect 14: what was there was cut to nothing before the server was asked, and stayed short when
/// it broke off.
#[tokio::test]
async fn defect_14_a_good_copy_outlives_a_download_that_fails() {
    let nodes = Nodes::new();
    let mine = nodes.other.path().join("mysnapshot");
    fs::write(&mine, plain()).unwrap();
    // The serving node has the one byte that makes it another.
    let mut broken = plain();
    broken[5000] ^= 1;
    fs::write(nodes.serving.path().join("other"), plain()).unwrap();
    let serving = nodes.serve("other").await;
    let outcome = nodes.download("mysnapshot").await;
    assert!(reason(&outcome).contains("404"), "{}", outcome.err);
    assert!(fs::read(&mine).unwrap() == plain());
    serving.stop().await;

    fs::write(nodes.serving.path().join("mysnapshot"), &broken).unwrap();
    let server = nodes.original().await;
    let outcome = nodes.download("mysnapshot").await;
    assert!(
        reason(&outcome).contains("digest mismatch"),
        "{}",
        outcome.err
    );
    assert!(fs::read(&mine).unwrap() == plain());
    assert_eq!(world::snapshots(nodes.other.path()), ["mysnapshot"]);
    let spool = nodes.other.path().join(".rollsnap/spool");
    assert!(world::names(&spool).is_empty());
    drop(server);
}

#[tokio::test]
async fn a_broken_snapshot_is_not_served() {
    let nodes = Nodes::new();
    let mut broken = plain();
    broken[5000] ^= 1;
    for (file, bytes, words) in [
        ("broken", &broken[..], "digest mismatch"),
        ("cut", &broken[..10_000], "the stream was cut"),
        (
            "cut2.zip",
            &fs::read(ARCHIVE).unwrap()[..900],
            "the zip is cut or broken",
        ),
    ] {
        fs::write(nodes.serving.path().join(file), bytes).unwrap();
        let name = file.trim_end_matches(".zip");
        let line = format!("etcd-backup serve --name {name}");
        let outcome = nodes.call(nodes.serving.path(), &line).run().await;
        assert!(reason(&outcome).contains(words), "{}", outcome.err);
    }
}

#[tokio::test]
async fn a_whole_copy_is_served_where_the_archive_beside_it_is_broken() {
    let nodes = Nodes::new();
    let dir = nodes.serving.path();
    fs::write(
        dir.join("mysnapshot.zip"),
        &fs::read(ARCHIVE).unwrap()[..900],
    )
    .unwrap();
    fs::write(dir.join("mysnapshot"), plain()).unwrap();
    let mut serving = nodes.serve("mysnapshot").await;
    let outcome = nodes.download("mysnapshot").await;
    assert_eq!(outcome.code, Some(0), "{}", outcome.err);
    serving.line("The archive is broken").await;
    serving.stop().await;
    assert!(fs::read(nodes.other.path().join("mysnapshot")).unwrap() == plain());

    // A broken copy beside it does not help.
    fs::write(dir.join("mysnapshot"), &plain()[..5000]).unwrap();
    let line = "etcd-backup serve --name mysnapshot";
    let outcome = nodes.call(dir, line).run().await;
    assert!(
        reason(&outcome).contains("the zip is cut or broken"),
        "{}",
        outcome.err
    );
}

#[tokio::test]
async fn what_is_missing_is_told_in_the_last_line() {
    let nodes = Nodes::new();
    let line = "etcd-backup serve --name nothing";
    let outcome = nodes.call(nodes.serving.path(), line).run().await;
    assert!(
        reason(&outcome).contains("no such object"),
        "{}",
        outcome.err
    );
    for verb in ["serve", "download --local-endpoint 127.0.0.1"] {
        let line = format!("etcd-backup {verb} --name mysnapshot.zip");
        let outcome = nodes.call(nodes.serving.path(), &line).run().await;
        let words = "is that of a file, not of a snapshot";
        assert!(reason(&outcome).contains(words), "{}", outcome.err);
    }
}

#[tokio::test]
async fn a_port_in_use_is_told_in_the_last_line() {
    let nodes = Nodes::new();
    let _taken = TcpListener::bind(("0.0.0.0", nodes.port)).unwrap();
    fs::write(nodes.serving.path().join("mysnapshot"), plain()).unwrap();
    let line = "etcd-backup serve --name mysnapshot";
    let outcome = nodes.call(nodes.serving.path(), line).run().await;
    let words = format!("listen on port {}: address already in use", nodes.port);
    assert!(reason(&outcome).contains(&words), "{}", outcome.err);
}

#[tokio::test]
async fn every_node_takes_the_copy_of_the_bucket() {
    let nodes = Nodes::new();
    let bucket = Bucket::up().await;
    let archive = fs::read(ARCHIVE).unwrap();
    // What is called alike is another's.
    put(&bucket, "mysnapshot-prod.zip", b"another");
    for key in ["mysnapshot.zip", "mysnapshot.gz"] {
        put(&bucket, key, &archive);
        let dir = tempfile::tempdir().unwrap();
        nodes
            .download_stored(dir.path(), &bucket, "mysnapshot")
            .await
            .ok();
        assert!(fs::read(dir.path().join("mysnapshot")).unwrap() == plain());
        assert_eq!(fs::read(dir.path().join(key)).unwrap(), archive);
        fs::remove_file(bucket.object(key)).unwrap();
    }
    put(&bucket, "mysnapshot", &plain());
    let dir = tempfile::tempdir().unwrap();
    nodes
        .download_stored(dir.path(), &bucket, "mysnapshot")
        .await
        .ok();
    assert!(fs::read(dir.path().join("mysnapshot")).unwrap() == plain());

    let outcome = nodes.download_stored(dir.path(), &bucket, "my").await;
    assert!(
        reason(&outcome).contains("no snapshot my is in s3://"),
        "{}",
        outcome.err
    );
}

#[tokio::test]
async fn a_broken_copy_in_the_bucket_replaces_nothing() {
    let nodes = Nodes::new();
    let bucket = Bucket::up().await;
    let archive = fs::read(ARCHIVE).unwrap();
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("mysnapshot.zip"), &archive).unwrap();
    fs::write(dir.path().join("mysnapshot"), plain()).unwrap();
    put(&bucket, "mysnapshot.zip", &archive[..900]);
    let outcome = nodes
        .download_stored(dir.path(), &bucket, "mysnapshot")
        .await;
    assert!(
        reason(&outcome).contains("the zip is cut or broken"),
        "{}",
        outcome.err
    );
    assert_eq!(
        fs::read(dir.path().join("mysnapshot.zip")).unwrap(),
        archive
    );
    assert!(fs::read(dir.path().join("mysnapshot")).unwrap() == plain());
}

#[tokio::test]
async fn what_a_manifest_tells_of_comes_whole_with_it_or_not_at_all() {
    let (node, bucket, nodes) = (Node::up().await, Bucket::up().await, Nodes::new());
    let once = "etcd-backup save --once --name mysnapshot";
    // A node has an older one of the name, which the bucket's then replaces.
    node.call(once).run().await.ok();
    let older = tempfile::tempdir().unwrap();
    for file in world::names(node.backup()) {
        fs::copy(node.file(&file), older.path().join(&file)).unwrap();
    }
    node.etcd.put("/registry/namespaces/other", "n").await;
    node.call(once).args(to(&bucket)).run().await.ok();

    let fetched = nodes
        .download_stored(older.path(), &bucket, "mysnapshot")
        .await;
    assert_eq!(fetched.code, Some(0), "{}", fetched.err);
    for file in ["mysnapshot.zip", "mysnapshot.manifest.json"] {
        let there = fs::read(bucket.object(file)).unwrap();
        assert!(
            fs::read(older.path().join(file)).unwrap() == there,
            "{file}"
        );
    }
    // The index was the older one's.
    assert!(!older.path().join("mysnapshot.keys.index").exists());
    let status = |dir: &Path, file: &str| {
        Program::new(["status", "-o", "json"])
            .arg_path("--", &dir.join(file))
            .run()
    };
    let plain = status(older.path(), "mysnapshot").await.json();
    assert_eq!(
        plain["hash"],
        status(node.backup(), "mysnapshot.zip").await.json()["hash"]
    );

    let before: Vec<_> = world::names(older.path()).into_iter().collect();
    let mut altered = fs::read(bucket.object("mysnapshot.zip")).unwrap();
    let middle = altered.len() / 2;
    altered[middle] ^= 1;
    put(&bucket, "mysnapshot.zip", &altered);
    let outcome = nodes
        .download_stored(older.path(), &bucket, "mysnapshot")
        .await;
    assert!(reason(&outcome).contains("is not what its manifest tells of"));
    assert_eq!(Vec::from_iter(world::names(older.path())), before);
    assert!(fs::read(older.path().join("mysnapshot.zip")).unwrap() != altered);
}
