use std::fs::{self, File};
use std::io::Write;
use std::sync::{Once, OnceLock};

use rollsnap_engine::SystemClock;
use rollsnap_engine::image::{Form, ReadAt};
use rollsnap_testkit::s3_peer::{ACCESS_KEY, S3Peer, SECRET_KEY};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use tempfile::TempDir;
use tokio::task::spawn_blocking;

use super::*;
use crate::config::{Environment, Flags};
use crate::output::Format;
use crate::signals::Orders;

const BUCKET: &str = "snapshots";

/// A directory, perhaps a bucket, and a verb that reads from them.
struct World {
    dir: TempDir,
    peer: Option<S3Peer>,
    context: Context,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut flags = Flags::default();
        flags.set(Id::Dir, dir.path().to_str().unwrap());
        Self {
            dir,
            peer: None,
            context: Context {
                flags,
                // Nor does anybody ask an instance that is not there.
                environment: Environment::from_iter([("AWS_EC2_METADATA_DISABLED", "true")]),
                format: Format::Text,
                clock: Arc::new(SystemClock),
                orders: Orders::default(),
                tended: OnceLock::new(),
                warned: Once::new(),
                last_word: tokio::sync::Mutex::default(),
            },
        }
    }

    async fn with_bucket() -> Self {
        let mut world = Self::new();
        let peer = S3Peer::start(BUCKET).await;
        fs::create_dir(peer.dir().join(BUCKET).join("east")).unwrap();
        for (id, value) in [
            (Id::S3Endpoint, peer.endpoint().as_str()),
            (Id::Region, "us-east-1"),
            (Id::BucketName, BUCKET),
            (Id::Folder, "east"),
            (Id::AccessKey, ACCESS_KEY),
            (Id::SecretKey, SECRET_KEY),
        ] {
            world.context.flags.set(id, value);
        }
        world.peer = Some(peer);
        world
    }

    /// Puts a file into the directory.
    fn keep(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.dir.path().join(name), bytes).unwrap();
    }

    /// Puts an object into a bucket.
    fn upload(&self, key: &str, bytes: impl AsRef<[u8]>) {
        let peer = self.peer.as_ref().unwrap();
        let file = peer.dir().join(key);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, bytes).unwrap();
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    async fn open(&self, text: &str) -> Result<Opened, Failure> {
        Operand::open(&self.context, text, Access::Few).await
    }

    #[track_caller]
    fn refused(failure: &Failure, kind: Kind, words: &[&str]) {
        assert_eq!(failure.kind, kind, "{failure}");
        for word in words {
            assert!(failure.to_string().contains(word), "{word} in {failure}");
        }
    }
}

/// Bytes that begin as a database does.
fn database(fill: u8) -> Vec<u8> {
    let mut bytes = vec![fill; 9000];
    bytes[..16].fill(0);
    bytes[16..20].copy_from_slice(&0xED0C_DAED_u32.to_le_bytes());
    bytes
}

fn manifest(name: &str, size: usize) -> String {
    let digest = "0".repeat(64);
    format!(
        r#"{{"format":1,"name":"{name}","class":"one-off","order":1,"cluster_id":"a",
        "member_id":"b","etcd_version":"3.5.1","revision":7,"raft_term":1,
        "raft_applied_index":1,"database":{{"digest":"{digest}","size":1}},
        "stored":{{"codec":"none","digest":"{digest}","size":{size}}},
        "started_at":"2026-05-01T12:00:00Z","finished_at":"2026-05-01T12:00:00Z","tool":"t"}}"#
    )
}

async fn bytes(opened: Opened) -> Vec<u8> {
    let read = move || {
        let image = &opened.image;
        let mut bytes = vec![0; usize::try_from(image.len()).unwrap()];
        image.read_at(0, &mut bytes).unwrap();
        bytes
    };
    spawn_blocking(read).await.unwrap()
}

#[test]
fn what_is_written_is_told_apart() {
    let name = |text: &str| ObjectName::new(text).unwrap();
    let object = |folder, text| Operand::Object {
        bucket: "b",
        folder,
        name: name(text),
    };
    for (text, operand) in [
        ("-", Operand::Stdin),
        ("n", Operand::Name("n")),
        ("n.zip", Operand::Name("n.zip")),
        (
            "2018-05-04T18:40:16Z_etcd",
            Operand::Name("2018-05-04T18:40:16Z_etcd"),
        ),
        ("./n", Operand::File(Path::new("./n"))),
        ("..", Operand::File(Path::new(".."))),
        ("a/n", Operand::File(Path::new("a/n"))),
        ("/a/n", Operand::File(Path::new("/a/n"))),
        ("s3://b/n", object("", "n")),
        ("s3://b/a/c/n", object("a/c", "n")),
    ] {
        assert_eq!(Operand::parse(text), Ok(operand));
    }
    for text in [
        "s3://",
        "s3://b",
        "s3://b/",
        "s3:///n",
        "s3://b/a/",
        "s3://b/..",
    ] {
        let failure = Operand::parse(text).unwrap_err();
        World::refused(
            &failure,
            Kind::Usage,
            &[text, "hint: write s3://BUCKET/KEY"],
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_found_in_the_directory_with_what_its_manifest_tells() {
    let world = World::new();
    world.keep("n", database(1));
    world.keep("n.manifest.json", manifest("n", 9000));
    let opened = world.open("n").await.unwrap();
    assert_eq!(opened.manifest.as_ref().map(|it| it.revision), Some(7));
    assert_eq!((opened.name.as_str(), opened.doubt.as_deref()), ("n", None));
    assert_eq!(opened.location, world.path("n"));
    assert_eq!(bytes(opened).await, database(1));
    // The same by its path.
    let opened = world.open(&world.path("n")).await.unwrap();
    assert_eq!(opened.manifest.map(|it| it.revision), Some(7));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_extension_may_be_left_out_and_the_manifest_decides_between_two() {
    let world = World::new();
    world.keep("m.zst", zstd::encode_all(&database(1)[..], 1).unwrap());
    let opened = world.open("m").await.unwrap();
    assert_eq!(
        (opened.name.as_str(), opened.image.form()),
        ("m.zst", Form::Zstd)
    );
    assert_eq!(bytes(opened).await, database(1));

    world.keep("n", database(2));
    world.keep("n.zst", zstd::encode_all(&database(1)[..], 1).unwrap());
    let size = fs::metadata(world.path("n.zst")).unwrap().len();
    let told = manifest("n", usize::try_from(size).unwrap()).replace("none", "zstd");
    world.keep("n.manifest.json", told);
    assert_eq!(world.open("n").await.unwrap().name, "n.zst");
    // Whoever writes the whole name gets that.
    assert_eq!(world.open("n.zst").await.unwrap().name, "n.zst");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_that_does_not_fit_is_a_doubt_and_no_obstacle() {
    for (told, why) in [
        (
            manifest("n", 1),
            "it has 9000 bytes, its manifest tells of 1",
        ),
        (manifest("other", 9000), "manifest tells of other"),
        ("{".to_owned(), "manifest is not readable"),
    ] {
        let world = World::new();
        world.keep("n", database(1));
        world.keep("n.manifest.json", told);
        let opened = world.open("n").await.unwrap();
        assert!(opened.manifest.is_none());
        assert_eq!(opened.doubt.as_deref(), Some(why));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_needs_no_directory_of_snapshots_and_no_right_settings() {
    let mut world = World::new();
    world.keep("n", database(1));
    world.context.flags.set(Id::Dir, "/nowhere/at/all");
    // A file of that name here: tests run in the folder of their crate.
    assert_eq!(world.open("Cargo.toml").await.unwrap().name, "Cargo.toml");
    world.context.flags.set(Id::Retention, "nonsense");
    let opened = world.open(&world.path("n")).await.unwrap();
    assert_eq!(bytes(opened).await, database(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipe_is_read_as_a_stream() {
    let world = World::new();
    let path = world.path("pipe");
    mknodat(
        CWD,
        path.as_str(),
        FileType::Fifo,
        Mode::RUSR | Mode::WUSR,
        0,
    )
    .unwrap();
    let writer = path.clone();
    let writing = std::thread::spawn(move || {
        let mut pipe = File::options().write(true).open(writer).unwrap();
        pipe.write_all(&database(1)).unwrap();
    });
    let opened = world.open(&path).await.unwrap();
    writing.join().unwrap();
    assert_eq!(bytes(opened).await, database(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bucket_is_asked_after_the_directory() {
    let world = World::with_bucket().await;
    world.upload("snapshots/east/n", database(1));
    world.upload("snapshots/east/n.manifest.json", manifest("n", 9000));
    let opened = world.open("n").await.unwrap();
    assert_eq!(opened.location, "s3://snapshots/east/n");
    assert_eq!(opened.manifest.as_ref().map(|it| it.revision), Some(7));
    assert_eq!(bytes(opened).await, database(1));

    world.keep("n", database(2));
    let opened = world.open("n").await.unwrap();
    assert_eq!(bytes(opened).await, database(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_of_any_bucket_is_read_with_the_configured_keys() {
    let world = World::with_bucket().await;
    world.upload("snapshots/top", database(1));
    world.upload(
        "others/a/b/n",
        zstd::encode_all(&database(2)[..], 1).unwrap(),
    );
    let opened = world.open("s3://snapshots/top").await.unwrap();
    assert_eq!(bytes(opened).await, database(1));
    let opened = world.open("s3://others/a/b/n").await.unwrap();
    assert_eq!(opened.location, "s3://others/a/b/n");
    assert_eq!(bytes(opened).await, database(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_nowhere_is_told_with_the_places_and_the_nearest_name() {
    let world = World::with_bucket().await;
    let dir = world.dir.path().to_str().unwrap();
    let failure = world.open("nonesuch").await.unwrap_err();
    let places =
        format!("open nonesuch: there is no such snapshot in {dir} or s3://snapshots/east");
    World::refused(&failure, Kind::Usage, &[&places, "hint: rollsnap list"]);

    world.upload("snapshots/east/mysnapshot", database(1));
    let failure = world.open("mysnapshto").await.unwrap_err();
    World::refused(&failure, Kind::Usage, &["hint: mysnapshot is there"]);
    let failure = world
        .open("s3://snapshots/east/mysnap-shot")
        .await
        .unwrap_err();
    World::refused(
        &failure,
        Kind::Usage,
        &["s3://snapshots/east", "mysnapshot is there"],
    );
    let failure = world.open("s3://no-such-bucket/n").await.unwrap_err();
    World::refused(&failure, Kind::Config, &["no-such-bucket"]);
    // Nothing of the kind is looked for without a bucket.
    let failure = World::new().open("s3://b-b/n").await.unwrap_err();
    World::refused(&failure, Kind::Config, &["there are no keys"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_snapshot_is_told_as_what_it_is() {
    let world = World::new();
    let dir = world.path("");
    let failure = world.open(&dir).await.unwrap_err();
    World::refused(&failure, Kind::Usage, &["is a directory", "hint: "]);
    let failure = world.open("./nonesuch").await.unwrap_err();
    World::refused(&failure, Kind::Usage, &["open ./nonesuch: no such file"]);

    let mut broken = zstd::encode_all(&database(1)[..], 1).unwrap();
    broken.truncate(broken.len() - 1);
    world.keep("broken", broken);
    let failure = world.open("broken").await.unwrap_err();
    let place = format!(
        "open {}: the stored bytes do not unpack",
        world.path("broken")
    );
    World::refused(&failure, Kind::Corrupt, &[&place]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scratch_directory_that_cannot_be_used_is_named_when_it_is_needed() {
    let mut world = World::new();
    world.context.flags.set(Id::Scratch, "/nowhere/at/all");
    world.keep("raw", database(1));
    world.keep("packed", zstd::encode_all(&database(1)[..], 1).unwrap());
    world.open("raw").await.unwrap();
    let failure = world.open("packed").await.unwrap_err();
    let words = ["unpack into /nowhere/at/all: no such file", "--scratch"];
    World::refused(&failure, Kind::Config, &words);
}
