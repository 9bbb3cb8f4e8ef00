//! The zips that rollsnap writes, read by others: RKE's sidecar, Info-ZIP, Python and the crate.

use std::fs;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rollsnap_engine::image::{Access, Form, state_in};
use zip::ZipArchive;

use crate::kit::{NAME, STATE, database, golden, open, whole, zipped};

const STATE_TEXT: &[u8] = b"{\n  \"desiredState\": {}\n}";

/// Bytes of which deflate makes nothing smaller, and others.
fn plain() -> Vec<u8> {
    let mut plain = database(2 << 20, 9);
    let mut state = 9_u64;
    plain.extend((0..200_000).flat_map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    }));
    plain
}

struct Kept {
    dir: tempfile::TempDir,
    path: PathBuf,
}

fn kept(stored: &[u8]) -> Kept {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("mysnapshot.zip");
    fs::write(&path, stored).unwrap();
    Kept { dir, path }
}

fn run(program: &str, arguments: &[&str], path: &Path) -> Output {
    let mut command = Command::new(program);
    let arguments = arguments
        .iter()
        .map(|it| it.replace("ZIP", &path.to_string_lossy()));
    let output = command.args(arguments).output();
    output.unwrap_or_else(|error| panic!("{program}: {error}"))
}

/// The entries' bytes in order, by the crate's own reader, which knows no table.
fn entries(stored: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = ZipArchive::new(Cursor::new(stored)).unwrap();
    let all = 0..archive.len();
    all.map(|index| {
        let mut entry = archive.by_index(index).unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        (entry.name().unwrap().into_owned(), bytes)
    })
    .collect()
}

#[test]
fn what_is_enclosed_comes_out_again_and_so_does_the_snapshot() {
    let plain = plain();
    let stored = zipped(&plain, Some(STATE_TEXT));
    let expected = [
        (NAME.to_owned(), plain.clone()),
        (STATE.to_owned(), STATE_TEXT.to_vec()),
    ];
    assert!(entries(&stored) == expected);
    assert_eq!(&**state_in(&stored).unwrap().unwrap(), STATE_TEXT);
    let image = open(&stored, Access::Few).unwrap();
    assert_eq!(image.form(), Form::SeekableZip);
    assert!(whole(&image).unwrap() == plain);
    assert!(state_in(&zipped(&plain, None)).unwrap().is_none());
    // More than has room is left out; the snapshot is not.
    let large = vec![b' '; (16 << 20) + 1];
    assert_eq!(entries(&zipped(&plain, Some(&large))).len(), 1);
    let largest = zipped(&plain, Some(&large[1..]));
    assert!(**state_in(&largest).unwrap().unwrap() == large[1..]);
}

#[test]
fn unzip_and_python_read_what_is_written() {
    for (plain, state) in [
        (plain(), Some(STATE_TEXT)),
        (golden(), None),
        (Vec::new(), Some(STATE_TEXT)),
    ] {
        let kept = kept(&zipped(&plain, state));
        let test = run("unzip", &["-t", "ZIP"], &kept.path);
        let said = String::from_utf8_lossy(&test.stdout);
        assert!(test.status.success(), "{said}");
        assert!(said.contains("No errors detected"), "{said}");
        let piped = run("unzip", &["-p", "ZIP", NAME], &kept.path);
        assert!(piped.stdout == plain);

        let script = "import sys, zipfile\n\
             file = zipfile.ZipFile(sys.argv[1])\n\
             assert file.testzip() is None\n\
             sys.stdout.buffer.write(file.read(sys.argv[2]))";
        let read = run("python3", &["-c", script, "ZIP", NAME], &kept.path);
        assert!(
            read.stdout == plain,
            "{}",
            String::from_utf8_lossy(&read.stderr)
        );
        drop(kept.dir);
    }
}

/// The fields of an entry in the directory that RKE's readers could look at (APPNOTE.TXT, 4.3.12):
/// made by, needed, flags and method; and the permissions.
fn told(stored: &[u8]) -> Vec<([u8; 8], u32)> {
    let headers = stored
        .windows(46)
        .filter(|head| head.starts_with(b"PK\x01\x02"));
    headers
        .map(|head| {
            let mode = u32::from_le_bytes(head[38..42].try_into().unwrap()) >> 16;
            (head[4..12].try_into().unwrap(), mode)
        })
        .collect()
}

#[test]
fn entries_are_told_as_the_sidecar_tells_them() {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/rke");
    let theirs = fs::read(format!("{dir}/v0.1.111.mysnapshot.zip")).unwrap();
    let plain = entries(&theirs).remove(0).1;
    let ours = zipped(&plain, Some(b"{}"));
    let (theirs, ours) = (told(&theirs), told(&ours));
    assert_eq!((theirs.len(), ours.len()), (2, 2));
    for (theirs, ours) in theirs.iter().zip(&ours) {
        assert_eq!(theirs.0, ours.0);
    }
    // Theirs are those of the files that were put in.
    assert_eq!([theirs[0].1, theirs[1].1], [0o100_600, 0o100_644]);
    assert_eq!([ours[0].1, ours[1].1], [0o100_644, 0o100_400]);
}

/// rke-tools v0.1.62 and later: the entry whose name is exactly the file that is wanted.
fn by_exact_name(stored: &[u8], wanted: &str) -> Option<Vec<u8>> {
    let found = entries(stored).into_iter().find(|(name, _)| name == wanted);
    found.map(|(_, bytes)| bytes)
}

/// rke-tools v0.1.29 to v0.1.61: every entry onto the same file, whatever its name.
fn one_onto_the_other(stored: &[u8]) -> Vec<u8> {
    entries(stored).pop().unwrap().1
}

#[test]
fn the_sidecar_finds_the_snapshot_and_its_state() {
    let plain = plain();
    let alone = zipped(&plain, None);
    let both = zipped(&plain, Some(STATE_TEXT));
    for stored in [&alone, &both] {
        assert!(by_exact_name(stored, "/backup/mysnapshot").unwrap() == plain);
    }
    let state = by_exact_name(&both, "/etc/kubernetes/mysnapshot.rkestate");
    assert_eq!(state.unwrap(), STATE_TEXT);
    assert!(one_onto_the_other(&alone) == plain);
    // Their own zips with a state are as unreadable to those releases.
    assert!(one_onto_the_other(&both) == STATE_TEXT);
}
