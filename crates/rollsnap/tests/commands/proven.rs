//! `status` and `verify`: etcdutl's numbers without etcdutl, and every damage told.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use rollsnap_engine::Kind;
use rollsnap_testkit::etcd_real::{EtcdReal, EtcdVersion};
use rollsnap_testkit::tools;
use rustix::fs::{CWD, FileType, Mode};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::program::Program;
use crate::world::Bucket;

/// etcdutl's fields.
const FIELDS: [&str; 5] = ["hash", "revision", "totalKey", "totalSize", "version"];

/// The snapshots of four versions of etcd, with etcdutl's answers.
fn testdata(name: &str) -> PathBuf {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    crates.join("snapfile/testdata").join(name)
}

fn answer(name: &str) -> Value {
    serde_json::from_slice(&fs::read(testdata(name)).unwrap()).unwrap()
}

fn program(verb: &str, operand: &Path) -> Program {
    Program::new([verb]).args([operand]).args(["-o", "json"])
}

/// What one of etcd's own tools prints of a file.
fn by(tool: &str, path: &Path) -> Value {
    let mut command = Command::new(tools::path(tool));
    command.env("ETCDCTL_API", "3");
    command.args(["snapshot", "status", "-w", "json"]).arg(path);
    serde_json::from_slice(&command.output().unwrap().stdout).unwrap()
}

#[tokio::test]
async fn status_is_what_etcdutl_says_of_every_version() {
    for version in ["3.4.23", "3.5.1", "3.6.14", "3.7.1"] {
        // The golden files are kept in gzip, which is read like any other form.
        let path = testdata(&format!("{version}.db.gz"));
        let said = program("status", &path).run().await.json();
        let expected = answer(&format!("{version}.status-by-3.6.14.json"));
        for field in FIELDS {
            assert_eq!(said[field], expected[field], "{version}: {field}");
        }
        let before = answer(&format!("{version}.status-by-3.5.1.json"));
        assert_eq!(said["entries"], before["totalKey"], "{version}");
        assert_eq!(said["digest"]["state"], "held", "{version}");
        assert_eq!(
            said["members"].as_array().map(Vec::len),
            Some(1),
            "{version}"
        );
    }
}

#[tokio::test]
async fn a_zip_of_the_old_program_is_read_like_a_snapshot() {
    for release in ["v0.1.44", "v0.1.56", "v0.1.62", "v0.1.83", "v0.1.111"] {
        let zip = format!("../../engine/testdata/rke/{release}.mysnapshot.zip");
        let said = program("status", &testdata(&zip)).run().await.json();
        assert_eq!(said["form"], "zip", "{release}");
        let expected = answer("3.5.1.status-by-3.6.14.json");
        for field in FIELDS {
            assert_eq!(said[field], expected[field], "{release}: {field}");
        }
    }
}

/// A line is read on a terminal of 80 columns; only what somebody else named may be longer.
#[tokio::test]
async fn status_fits_a_terminal_and_says_who_counts_how() {
    let path = testdata("3.5.1.db.gz");
    let said = Program::new(["status"]).args([&path]).run().await.ok();
    let hash = answer("3.5.1.status-by-3.5.1.json")["hash"]
        .as_u64()
        .unwrap();
    for words in [
        format!("hash            {hash:x}\n"),
        "total keys      96 alive (etcdutl 3.6 and later)\n".to_owned(),
        "                204 entries (etcdctl and etcdutl before 3.6)\n".to_owned(),
        "digest          held".to_owned(),
        "kept as         gzip\n".to_owned(),
    ] {
        assert!(said.contains(&words), "{words:?} in:\n{said}");
    }
    for line in said.lines().filter(|line| !line.starts_with("in ")) {
        assert!(line.len() <= 80, "{line}");
    }
}

#[tokio::test]
async fn status_of_a_snapshot_just_saved_is_what_etcdutl_says() {
    for version in [EtcdVersion::V3_4, EtcdVersion::V3_5] {
        let etcd = EtcdReal::builder().version(version).start().await;
        etcd.put("a", "first").await;
        etcd.put("a", "second").await;
        let dir = tempfile::tempdir().unwrap();
        for (name, compression) in [("plain", "none"), ("packed", "zstd")] {
            let save = ["save", "--name", name, "--compression", compression];
            Program::new(save)
                .dir(dir.path())
                .etcd(&etcd)
                .run()
                .await
                .ok();
        }
        let by_name = |name| Program::new(["status", name, "-o", "json"]).dir(dir.path());
        for (name, tool) in [
            ("plain", "etcdutl-3.5"),
            ("packed", "etcdutl-3.5"),
            ("plain", "etcdctl-3.4"),
        ] {
            let expected = by(tool, &dir.path().join("plain"));
            let said = by_name(name).run().await.json();
            for field in ["hash", "revision", "totalSize"] {
                assert_eq!(said[field], expected[field], "{tool}: {field}");
            }
            assert_eq!(said["entries"], expected["totalKey"], "{tool}");
            assert_eq!(
                (&said["totalKey"], &said["records"]),
                (&json!(1), &json!(2))
            );
            assert_eq!(said["cluster_id_by"], "manifest", "{name}");
        }
    }
}

/// A golden snapshot, changed.
fn damaged(dir: &Path, name: &str, change: impl FnOnce(&mut Vec<u8>)) -> PathBuf {
    let gunzip = Command::new("gzip")
        .arg("-dc")
        .arg(testdata("3.5.1.db.gz"))
        .output();
    let mut bytes = gunzip.unwrap().stdout;
    change(&mut bytes);
    let path = dir.join(name);
    fs::write(&path, bytes).unwrap();
    path
}

#[tokio::test]
async fn damage_is_told_with_its_place_and_stops_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    let whole = damaged(path, "whole", |_| {});
    let flipped = damaged(path, "flipped", |bytes| bytes[500_000] ^= 1);
    let cut = damaged(path, "cut", |bytes| bytes.truncate(900_000));
    // Page 5's own number: the walk finds it wherever the page is in use.
    let strange = damaged(path, "strange", |bytes| {
        for page in 2..bytes.len() / 4096 {
            bytes[page * 4096] ^= 1;
        }
    });
    let empty = damaged(path, "empty", Vec::clear);
    let short = damaged(path, "short", |bytes| bytes.truncate(bytes.len() - 5));
    let files = [&flipped, &whole, &cut, &strange, &empty];
    let verify = Program::new(["verify"]).args(files).args(["-o", "json"]);
    let outcome = verify.run().await;
    outcome.fails_with_result(Kind::Corrupt, &["4 of 5 snapshots corrupt", "hint: "]);
    let printed: Value = serde_json::from_str(&outcome.out).unwrap();
    let result = |index: usize| printed["snapshots"][index]["result"].as_str();
    let results: Vec<_> = (0..5).map(result).collect();
    let corrupt = Some("corrupt");
    assert_eq!(results, [corrupt, Some("held"), corrupt, corrupt, corrupt]);
    let first = |index: usize| printed["snapshots"][index]["findings"][0]["text"].to_string();
    assert!(first(0).contains("digest mismatch"), "{}", first(0));
    assert!(first(2).contains("it was cut"), "{}", first(2));
    let pages = printed["snapshots"][3]["findings"].as_array().unwrap();
    assert!(
        pages.iter().any(|finding| finding["page"].is_u64()),
        "{pages:?}"
    );

    let digest_only = Program::new(["verify", "--digest"])
        .args([&flipped])
        .run()
        .await;
    digest_only.fails_with_result(Kind::Corrupt, &["1 of 1"]);
    assert!(
        digest_only.out.contains("digest mismatch"),
        "{}",
        digest_only.out
    );
    let status = Program::new(["status"]).args([&strange]).run().await;
    status.fails(
        Kind::Corrupt,
        &["page ", "another page's number", "rollsnap verify"],
    );
    let status = Program::new(["status"]).args([&flipped]).run().await;
    status.fails_with_result(Kind::Corrupt, &["not that of its bytes"]);
    assert!(status.out.contains("WRONG"), "{}", status.out);
    let status = Program::new(["status"]).args([&short]).run().await;
    status.fails_with_result(Kind::Corrupt, &["it was cut"]);
}

#[tokio::test]
async fn verify_all_tells_of_every_snapshot_of_the_directory() {
    let etcd = EtcdReal::builder().start().await;
    etcd.put("a", "b").await;
    let dir = tempfile::tempdir().unwrap();
    let none = Program::new(["verify", "--all"]).dir(dir.path()).run();
    none.await
        .fails(Kind::Usage, &["there are no snapshots", "hint: "]);
    fs::write(dir.path().join("README"), "snapshots go here").unwrap();
    let stray = Program::new(["verify", "--all"]).dir(dir.path()).run();
    let nothing = ["there are no snapshots"];
    stray.await.fails_with_result(Kind::Usage, &nothing);
    fs::remove_file(dir.path().join("README")).unwrap();
    for name in ["one", "two"] {
        let save = Program::new(["save", "--name", name]);
        save.dir(dir.path()).etcd(&etcd).run().await.ok();
    }
    let all = || Program::new(["verify", "--all"]).dir(dir.path()).run();
    let told = all().await.ok();
    assert!(
        told.contains("held       one: revision 2, 1 keys"),
        "{told}"
    );
    assert!(told.contains("held       two"), "{told}");

    // What is nobody's snapshot is told and does not count; what has the name of one does.
    fs::write(dir.path().join("notes"), "of the last upgrade").unwrap();
    let told = all().await.ok();
    assert!(told.contains("foreign    notes: is no database"), "{told}");
    let cut = dir.path().join("2026-01-01T00:00:00Z_etcd");
    fs::write(&cut, "").unwrap();
    let outcome = all().await;
    outcome.fails_with_result(Kind::Corrupt, &["1 of 3 snapshots corrupt"]);
    fs::remove_file(cut).unwrap();

    // A snapshot put in the place of another is whole, and still not what its manifest tells.
    etcd.put("a", "c").await;
    let save = Program::new(["save", "--name", "three"]);
    save.dir(dir.path()).etcd(&etcd).run().await.ok();
    fs::copy(dir.path().join("three"), dir.path().join("two")).unwrap();
    let outcome = all().await;
    outcome.fails_with_result(Kind::Corrupt, &["1 of 3"]);
    assert!(
        outcome.out.contains("its manifest tells of"),
        "{}",
        outcome.out
    );
}

fn manifest(dir: &Path, name: &str) -> Value {
    let file = dir.join(format!("{name}.manifest.json"));
    serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
}

/// A snapshot `n` of the directory, compressed.
async fn packed(dir: &Path) -> PathBuf {
    let etcd = EtcdReal::builder().start().await;
    etcd.put("a", "b").await;
    let save = ["save", "--name", "n", "--compression", "zstd", "--verify"];
    let save = Program::new(save).args(["digest"]).dir(dir).etcd(&etcd);
    save.run().await.ok();
    dir.join("n.zst")
}

#[tokio::test]
async fn what_is_found_of_a_snapshot_of_the_directory_is_written_into_its_manifest() {
    let dir = tempfile::tempdir().unwrap();
    let file = packed(dir.path()).await;
    assert_eq!(
        manifest(dir.path(), "n")["verification"]["method"],
        "digest"
    );
    let before = manifest(dir.path(), "n");
    let verify = |words: &[&str]| {
        let verify = Program::new(["verify", "-o", "json"]).args(words);
        verify.dir(dir.path()).run()
    };

    // Digests alone say nothing new, and a file elsewhere has a manifest of its own.
    verify(&["n", "--digest"]).await.ok();
    let elsewhere = tempfile::tempdir().unwrap();
    for name in ["n.zst", "n.manifest.json"] {
        fs::copy(dir.path().join(name), elsewhere.path().join(name)).unwrap();
    }
    let copy = elsewhere.path().join("n.zst");
    let said = verify(&[copy.to_str().unwrap()]).await.json();
    assert_eq!(said["snapshots"][0]["recorded"], false);
    assert_eq!(manifest(dir.path(), "n"), before);
    assert_eq!(manifest(elsewhere.path(), "n"), before);

    let said = verify(&["n"]).await.json();
    assert_eq!(said["snapshots"][0]["recorded"], true);
    let after = manifest(dir.path(), "n");
    assert_eq!(after["verification"]["method"], "deep");
    assert_eq!(after["verification"]["result"], "held");
    assert_eq!(after["contents"]["hash"], said["snapshots"][0]["hash"]);
    assert_eq!(after["stored"], before["stored"]);

    // A bit of the table of frames: everything still unpacks to what etcd sent.
    let mut bytes = fs::read(&file).unwrap();
    let last = bytes.len() - 12;
    bytes[last] ^= 1;
    fs::write(&file, &bytes).unwrap();
    for words in [&["n", "--digest"][..], &[file.to_str().unwrap()]] {
        let outcome = verify(words).await;
        outcome.fails_with_result(Kind::Corrupt, &["1 of 1"]);
        assert!(outcome.out.contains("the file's digest is "), "{outcome:?}");
    }
    let after = manifest(dir.path(), "n");
    assert_eq!(after["verification"]["result"], "corrupt");
    assert_eq!(after["verification"]["method"], "digest");

    // A frame: nothing unpacks any more.
    bytes[100] ^= 1;
    fs::write(&file, &bytes).unwrap();
    let outcome = verify(&["--all"]).await;
    outcome.fails_with_result(Kind::Corrupt, &["1 of 1"]);
    assert!(outcome.out.contains("do not unpack"), "{outcome:?}");
}

#[tokio::test]
async fn a_manifest_that_cannot_be_written_is_told_and_changes_nothing_of_the_answer() {
    let dir = tempfile::tempdir().unwrap();
    packed(dir.path()).await;
    let spool = dir.path().join(".rollsnap/spool");
    fs::remove_dir_all(&spool).unwrap();
    fs::write(&spool, "in the way").unwrap();
    let outcome = Program::new(["verify", "n"]).dir(dir.path()).run().await;
    assert!(
        outcome.err.contains("n is not written into its manifest: "),
        "{}",
        outcome.err
    );
    assert!(outcome.ok().starts_with("held       n.zst: revision 2, "));
}

#[tokio::test]
async fn verify_all_from_the_bucket_reads_what_is_there() {
    let (dir, mut bucket) = (tempfile::tempdir().unwrap(), Bucket::up().await);
    packed(dir.path()).await;
    let run = |words: &[&str]| Program::new(words).dir(dir.path());
    run(&["upload", "n"]).bucket(&bucket).run().await.ok();
    let all = |side| run(&["verify", "--all", "--from", side]);
    let said = all("everywhere").bucket(&bucket).run().await.ok();
    for place in [dir.path().to_str().unwrap(), "s3://snapshots/cluster-a"] {
        assert!(
            said.contains(&format!("held       {place}/n.zst: ")),
            "{said}"
        );
    }
    let nowhere = all("everywhere").run().await;
    nowhere.fails(Kind::Config, &["no bucket is configured"]);
    fs::write(
        bucket.object("n.zst"),
        fs::read(testdata("3.5.1.db.gz")).unwrap(),
    )
    .unwrap();
    let outcome = all("remote").bucket(&bucket).run().await;
    outcome.fails_with_result(Kind::Corrupt, &["1 of 1"]);
    assert!(outcome.out.contains("its manifest tells of"), "{outcome:?}");
    let nowhere = all("remote").run().await;
    nowhere.fails(Kind::Config, &["no bucket is configured"]);
    bucket.stop();
    let down = all("remote").bucket(&bucket).run().await;
    down.fails(Kind::Store, &["s3://snapshots/cluster-a"]);
}

#[tokio::test]
async fn what_has_no_digest_is_whole_by_its_pages_alone() {
    let dir = tempfile::tempdir().unwrap();
    let bare = damaged(dir.path(), "bare", |bytes| {
        bytes.truncate(bytes.len() - 32);
    });
    let said = program("status", &bare).run().await.json();
    assert_eq!(said["digest"]["state"], "absent");
    let verify = |words: &[&str]| Program::new(["verify"]).args(words).args([&bare]).run();
    let held = verify(&[]).await.ok();
    assert!(held.ends_with(", no digest at its end\n"), "{held}");
    let outcome = verify(&["--digest"]).await;
    let words = ["there is no digest at its end", "hint: ", "--digest"];
    outcome.fails_with_result(Kind::Usage, &words);
    assert!(outcome.out.starts_with("unreadable "), "{}", outcome.out);
}

/// Everything that a file may be, and nothing that it may do to the program.
#[tokio::test]
async fn no_damage_ends_in_anything_but_an_answer() {
    let dir = tempfile::tempdir().unwrap();
    let mut files = vec![
        damaged(dir.path(), "nothing", Vec::clear),
        damaged(dir.path(), "words", |bytes| {
            *bytes = b"this is no database\n".repeat(1000);
        }),
        damaged(dir.path(), "zeros", |bytes| bytes.fill(0)),
        damaged(dir.path(), "ones", |bytes| bytes.fill(0xFF)),
    ];
    for cut in [1, 31, 511, 512, 4096, 8192, 100_000] {
        let name = format!("cut-{cut}");
        files.push(damaged(dir.path(), &name, |bytes| bytes.truncate(cut)));
    }
    for place in [
        8, 16, 20, 32, 64, 4104, 4112, 4160, 8192, 8200, 8202, 12_304,
    ] {
        let name = format!("flip-{place}");
        files.push(damaged(dir.path(), &name, |bytes| bytes[place] ^= 0x41));
    }
    let status_of = files.clone();
    // What a database holds is known of one whose digest alone was cut.
    files.push(damaged(dir.path(), "cut-in-digest", |bytes| {
        bytes.truncate(bytes.len() - 1);
    }));
    let count = files.len();
    for words in [&["verify"][..], &["verify", "--digest"]] {
        let verify = Program::new(words).args(&files).args(["-o", "json"]);
        let outcome = verify.run().await;
        let told: Value = serde_json::from_str(&outcome.out).unwrap();
        let rows = told["snapshots"].as_array().unwrap();
        let corrupt = rows.iter().filter(|row| row["result"] == "corrupt");
        // What was cut at the end of a page, and words of a lucky length, have no digest.
        let blind = rows.iter().filter(|row| row["result"] == "unreadable");
        let (corrupt, blind) = (corrupt.count(), blind.count());
        assert_eq!(corrupt + blind, count, "{words:?}: {told:#}");
        assert_eq!(blind, if words.len() == 1 { 0 } else { 2 }, "{told:#}");
        let kind = [&format!("{corrupt} of {count} snapshots corrupt")[..]];
        outcome.fails_with_result(Kind::Corrupt, &kind);
    }
    for file in &status_of {
        let outcome = Program::new(["status"]).args([file]).run().await;
        outcome.fails_with_result(Kind::Corrupt, &["hint: rollsnap verify"]);
    }
}

#[tokio::test]
async fn a_stop_ends_a_verification_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe");
    rustix::fs::mknodat(CWD, &pipe, FileType::Fifo, Mode::RWXU, 0).unwrap();
    let verify = Program::new(["verify", "whole"]).args([&pipe]);
    let whole = damaged(dir.path(), "whole", |_| {});
    let mut verify = verify.dir(dir.path()).start();
    // Whoever writes comes through once it is opened for reading; more never comes.
    let opened = tokio::task::spawn_blocking(move || {
        let mut writer = fs::File::options().write(true).open(&pipe).unwrap();
        writer.write_all(&fs::read(whole).unwrap()[..4096]).unwrap();
        writer
    });
    let _writer = opened.await.unwrap();
    verify.signal(Signal::INT);
    let last = verify.line("stopped before the end").await;
    assert!(last.starts_with("rollsnap: "), "{last}");
    assert_eq!(verify.end().await.code, Some(9));
}
