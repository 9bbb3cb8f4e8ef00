//! Days of an ordinary sidecar, in seconds.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;

use rollsnap_testkit::tls::Certificates;
use tempfile::TempDir;

use crate::bucket::{ACCESS_KEY, BUCKET, Bucket, HOST as S3, SECRET_KEY};
use crate::docker::docker;
use crate::etcd::{self, Etcd};
use crate::folder::Folder;
use crate::sidecar::{NONROOT, Setup, Sidecar};
use crate::wait::until;
use crate::world::World;

const MB: usize = 1 << 20;

#[tokio::test]
async fn the_sidecar_saves_rotates_and_uploads_as_documented() {
    let world = World::enter();
    let _etcd = Etcd::start(&world.network, MB, None).await;
    let bucket = Bucket::start(&world.network);
    let folder = Folder::of(NONROOT);
    let keys = key_files(NONROOT);
    let sidecar = Setup::plain()
        .every("2s", "8s")
        .mount(keys.path(), "/run/secrets")
        .options([
            "--env=ROLLSNAP_ACCESS_KEY_FILE=/run/secrets/s3-access-key".to_owned(),
            "--env=ROLLSNAP_SECRET_KEY_FILE=/run/secrets/s3-secret-key".to_owned(),
        ])
        .arguments([
            "--s3".to_owned(),
            format!("--s3-endpoint=http://{S3}:9000"),
            format!("--bucket-name={BUCKET}"),
            "--region=us-east-1".to_owned(),
        ])
        .start(&world.network, &folder);

    let created = sidecar.has_created(8).await;
    assert_documented_lines(&sidecar.log());
    assert_rotated(&sidecar, &folder, &created).await;
    assert_uploaded(&sidecar, &bucket, &folder).await;
    assert_no_secret_shows(&sidecar);

    sidecar.container.tell(&["stop"]);
    assert_eq!(sidecar.container.exit_code(), 0, "{}", sidecar.log());
    folder.assert_every_snapshot_is_whole();
    folder.assert_no_parts();
}

/// RKE's key files are root's and nobody else's: there the image runs as root, still without a
/// single capability, and finds them by itself.
#[tokio::test]
async fn as_root_it_reads_the_key_files_of_rke() {
    let world = World::enter();
    let certificates_dir = TempDir::with_prefix("rollsnap-tls-").expect("a temporary directory");
    let certificates = Certificates::issue(certificates_dir.path(), &[etcd::HOST]);
    let ssl = TempDir::with_prefix("rollsnap-ssl-").expect("a temporary directory");
    for (file, name) in [
        (certificates.ca(), "kube-ca.pem"),
        (certificates.client(), "kube-node.pem"),
        (certificates.client_key(), "kube-node-key.pem"),
    ] {
        let path = ssl.path().join(name);
        fs::copy(file, &path).expect("a certificate can be copied");
        only_for(&path, 0);
    }
    let _etcd = Etcd::start(&world.network, MB, Some(&certificates)).await;
    let folder = Folder::of(0);
    let sidecar = Setup::default()
        .every("2s", "1h")
        .arguments([format!("--endpoints={}:2379", etcd::HOST)])
        .options(["--user=0".to_owned()])
        .mount(ssl.path(), "/etc/kubernetes/ssl")
        .start(&world.network, &folder);

    sidecar.has_created(2).await;
    sidecar.container.tell(&["stop"]);
    assert_eq!(sidecar.container.exit_code(), 0, "{}", sidecar.log());
    folder.assert_every_snapshot_is_whole();
}

fn key_files(user: u32) -> TempDir {
    let dir = TempDir::with_prefix("rollsnap-keys-").expect("a temporary directory");
    chown(dir.path(), Some(user), Some(user)).expect("a directory can be given away");
    for (name, key) in [("s3-access-key", ACCESS_KEY), ("s3-secret-key", SECRET_KEY)] {
        let path = dir.path().join(name);
        fs::write(&path, format!("{key}\n")).expect("a key can be written");
        only_for(&path, user);
    }
    dir
}

fn only_for(path: &Path, user: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("a mode can be set");
    chown(path, Some(user), Some(user)).expect("a file can be given away");
}

/// The lines of RKE's documentation, to the byte but for times, names and run times.
fn assert_documented_lines(log: &str) {
    let lines: Vec<&str> = log.lines().collect();
    let body = |line: &str| -> String {
        let rest = line
            .strip_prefix("time=\"")
            .unwrap_or_else(|| panic!("{line}"));
        let (time, rest) = rest.split_once("\" ").unwrap_or_else(|| panic!("{line}"));
        chrono::DateTime::parse_from_rfc3339(time).unwrap_or_else(|e| panic!("{line}: {e}"));
        rest.to_owned()
    };
    let first = body(lines.first().expect("there is a log"));
    assert!(
        first.starts_with(
            "level=info msg=\"Initializing Rolling Backups\" creation=2s retention=8s"
        ),
        "{first}"
    );
    let created = lines
        .iter()
        .find(|line| line.contains("msg=\"Created backup\""))
        .unwrap_or_else(|| panic!("no Created backup line:\n{log}"));
    let created = body(created);
    let fields = created
        .strip_prefix("level=info msg=\"Created backup\" name=\"")
        .unwrap_or_else(|| panic!("{created}"));
    let (name, rest) = fields
        .split_once("\" runtime=")
        .unwrap_or_else(|| panic!("{created}"));
    let time = name
        .strip_suffix("Z_etcd")
        .unwrap_or_else(|| panic!("{created}"));
    chrono::NaiveDateTime::parse_from_str(time, "%Y-%m-%dT%H:%M:%S")
        .unwrap_or_else(|e| panic!("{created}: {e}"));
    let runtime = rest.split(' ').next().unwrap_or_default();
    assert!(
        runtime.starts_with(|c: char| c.is_ascii_digit()) && runtime.ends_with('s'),
        "{created}"
    );
}

/// What lies there is bounded by age and count, and every name that is gone was logged.
async fn assert_rotated(sidecar: &Sidecar, folder: &Folder, created: &[String]) {
    // A snapshot of 8 s is too old, one is made every 2 s: four are right, a fifth or sixth
    // belongs to the save and the rotation that are under way.
    let kept = until(
        "rotation to a bounded number",
        || Some(folder.snapshots()).filter(|names| (1..=6).contains(&names.len())),
        || format!("{:?}\n{}", folder.snapshots(), sidecar.log()),
    )
    .await;
    let deleted = sidecar.named("Deleted backup");
    let gone: Vec<&String> = created
        .iter()
        .filter(|name| !kept.contains(*name))
        .collect();
    assert!(!gone.is_empty(), "nothing was rotated:\n{}", sidecar.log());
    for name in gone {
        assert!(
            deleted.contains(name),
            "{name} is gone and no line says why"
        );
    }
}

/// The newest snapshots reach the bucket, and are there what they are here.
async fn assert_uploaded(sidecar: &Sidecar, bucket: &Bucket, folder: &Folder) {
    until(
        "a snapshot here that is in the bucket too",
        || {
            let newest = folder.snapshots().pop_last()?;
            let here = fs::read(folder.path().join(&newest)).ok()?;
            let there = bucket.object(&newest)?;
            assert_eq!(here, there, "{newest} differs in the bucket");
            bucket.object(&format!("{newest}.manifest.json"))
        },
        || format!("{:?}\n{}", bucket.keys(), sidecar.log()),
    )
    .await;
    let snapshots = |keys: &[String]| keys.iter().filter(|key| key.ends_with("_etcd")).count();
    until(
        "rotation of the bucket",
        || (snapshots(&bucket.keys()) <= 6).then_some(()),
        || format!("{:?}\n{}", bucket.keys(), sidecar.log()),
    )
    .await;
}

/// Not in the log, the container's record, its processes' command lines or environments.
fn assert_no_secret_shows(sidecar: &Sidecar) {
    let container = &sidecar.container;
    let pid = container.inspect(".State.Pid");
    let read = |file: &str| {
        let bytes = fs::read(format!("/proc/{pid}/{file}")).expect("the process is there");
        String::from_utf8_lossy(&bytes).into_owned()
    };
    for (place, text) in [
        ("log", sidecar.log()),
        ("docker inspect", container.inspect_all()),
        ("docker top", docker(["top", crate::sidecar::NAME])),
        ("command line", read("cmdline")),
        ("environment", read("environ")),
    ] {
        assert!(!text.is_empty(), "{place} is empty");
        for key in [ACCESS_KEY, SECRET_KEY] {
            assert!(!text.contains(key), "{place} shows {key}");
        }
    }
}
