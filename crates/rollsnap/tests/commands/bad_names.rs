//! Names that are no single path component, or that would mislead.

use rollsnap_engine::Kind;

use crate::program::Program;
use crate::world::{Bucket, assert_nothing_written, etcd_and_dir, snapshots};

#[tokio::test]
async fn a_bad_name_is_refused_by_every_verb_before_anything_is_done() {
    let (dir, bucket) = (tempfile::tempdir().unwrap(), Bucket::up().await);
    let long = "n".repeat(201);
    for (name, words) in [
        ("a/b", "holds a slash: give a name, not a path"),
        ("/etc/passwd", "holds a slash"),
        ("..", "begins with a dot"),
        (".", "begins with a dot"),
        (".rollsnap", "begins with a dot"),
        ("", "is empty"),
        ("a\nb", "holds a control character"),
        ("a\u{1b}[2Jb", "holds a control character"),
        (
            "n.manifest.json",
            "ends like something that lies beside snapshots",
        ),
        ("n.zst", "ends like something that lies beside snapshots"),
        ("n.zip", "ends like something that lies beside snapshots"),
        (long.as_str(), "name of 201 bytes is too long: at most 200"),
    ] {
        let save = format!("--name={name}");
        for verb in [
            vec!["save", &save, "--endpoints", "127.0.0.1:1"],
            vec!["delete", "--", name],
            vec!["upload", "--", name],
            vec!["download", "--", name],
        ] {
            let run = Program::new(&verb)
                .dir(dir.path())
                .bucket(&bucket)
                .run()
                .await;
            run.fails(Kind::Usage, &["rollsnap: name ", words]);
            let printable = |c: char| c == '\n' || !c.is_control();
            assert!(run.err.chars().all(printable), "{:?}", run.err);
        }
    }
    assert_nothing_written(dir.path());
}

#[tokio::test]
async fn the_longest_name_works() {
    let (etcd, dir) = etcd_and_dir().await;
    let long = "n".repeat(200);
    let save = Program::new(["save", "--name", &long])
        .etcd(&etcd)
        .dir(dir.path());
    save.run().await.ok();
    assert_eq!(snapshots(dir.path()), [long]);
}
