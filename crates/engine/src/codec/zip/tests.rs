//! Archives beyond what 32 bits tell: one frame of zeros, some thousand times, in a sparse file.

use std::io::{Seek, SeekFrom, Write};
use std::process::{Command, Output};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use rollsnap_snapfile::ReadAt;
use tempfile::NamedTempFile;

use super::super::frames::Frame;
use super::super::packing::{Deflate, Pack, store};
use super::super::{FRAME, Seekable};
use super::{Archive, dos};
use crate::SnapshotName;
use crate::image::state_in;

/// Frames past 4 GiB, and some more.
const FRAMES: usize = 4096 + 3;

const STATE: &str = "/etc/kubernetes/n.rkestate";

const HOLE: [u8; 4096] = [0; 4096];

/// Writes with holes where there are zeros.
struct Sparse {
    file: NamedTempFile,
    len: u64,
}

impl Sparse {
    fn push(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(HOLE.len()) {
            if *piece != HOLE[..piece.len()] {
                self.file.seek(SeekFrom::Start(self.len)).unwrap();
                self.file.write_all(piece).unwrap();
            }
            self.len += piece.len() as u64;
        }
    }
}

fn frame(plain: &[u8], is_stored: bool) -> Frame<Deflate> {
    let mut packed = vec![0; Deflate::room()];
    let (mut len, note) = Deflate::new().unwrap().pack(plain, &mut packed).unwrap();
    if is_stored {
        len = store(plain, &mut packed);
    }
    packed.truncate(len);
    Frame {
        bytes: packed.into(),
        plain: plain.len(),
        note,
    }
}

/// A snapshot of so many frames and a state beside it.
fn zip(frames: usize, at_most: u64, is_stored: bool) -> NamedTempFile {
    let mut file = Sparse {
        file: NamedTempFile::new().unwrap(),
        len: 0,
    };
    let time = DateTime::UNIX_EPOCH;
    let mut archive = Archive::default();
    file.push(&archive.snapshot(&SnapshotName::new("n").unwrap(), time, at_most));
    let zeros = frame(&vec![0; FRAME], is_stored);
    for _ in 0..frames {
        file.push(&zeros.bytes);
        archive.keep(&zeros);
    }
    file.push(&archive.end());
    file.push(&archive.begin(STATE.to_owned(), 0o400, time, file.len, 2));
    let state = frame(b"{}", false);
    file.push(&state.bytes);
    archive.keep(&state);
    file.push(&archive.end());
    file.push(&archive.finish(file.len));
    file.file.as_file().set_len(file.len).unwrap();
    file.file
}

fn run(program: &str, arguments: &[&str]) -> Output {
    let output = Command::new(program).args(arguments).output();
    output.unwrap_or_else(|error| panic!("{program}: {error}"))
}

/// Sizes and places, and by a second word all of it for its checksum.
const PYTHON: &str = "import sys, zipfile\n\
    file = zipfile.ZipFile(sys.argv[1])\n\
    assert len(sys.argv) == 2 or file.testzip() is None\n\
    snapshot, state = file.infolist()\n\
    assert file.read(state) == b'{}', state\n\
    print(snapshot.file_size, snapshot.compress_size, state.header_offset)";

fn check(file: &NamedTempFile, plain: u64, more: &[&str]) -> Vec<u64> {
    let path = file.path().to_str().unwrap();
    let read = run("python3", &[&["-c", PYTHON, path], more].concat());
    let said = String::from_utf8(read.stdout).unwrap();
    let problem = String::from_utf8_lossy(&read.stderr);
    let told: Vec<u64> = said
        .split_whitespace()
        .map(|it| it.parse().unwrap())
        .collect();
    assert_eq!(told.first(), Some(&plain), "{problem}");
    assert_eq!(run("unzip", &["-p", path, STATE]).stdout, b"{}");

    let stored = file.reopen().unwrap();
    assert_eq!(&**state_in(&stored).unwrap().unwrap(), b"{}");
    let pages = Seekable::open_zip(Arc::new(stored)).unwrap();
    assert_eq!(pages.size().unwrap(), plain);
    for at in [0, (1 << 32) - 9, plain - 20] {
        let mut page = [1; 20];
        pages.read_at(at, &mut page).unwrap();
        assert_eq!(page, [0; 20], "{at}");
    }
    assert!(pages.read_at(plain - 1, &mut [0; 2]).is_err());
    told
}

#[test]
fn a_database_above_4_gib_is_read_by_everybody() {
    let plain = (FRAMES * FRAME) as u64;
    let told = check(&zip(FRAMES, plain, false), plain, &["all"]);
    assert!(told[1] < 64 << 20, "{told:?}");
}

#[test]
fn so_is_one_whose_zip_is_larger_and_whose_size_was_not_told() {
    let plain = (FRAMES * FRAME) as u64;
    let told = check(&zip(FRAMES, 0, true), plain, &[]);
    assert!(told[2] > 1 << 32, "{told:?}");
}

#[test]
fn sizes_of_64_bits_are_told_where_they_were_only_feared() {
    let mut archive = Archive::default();
    let name = SnapshotName::new("n").unwrap();
    let head = archive.snapshot(&name, DateTime::UNIX_EPOCH, 1 << 40);
    // Version 4.5, and both sizes elsewhere (APPNOTE.TXT, 4.3.7).
    assert_eq!(head[4..6], [45, 0]);
    assert_eq!(head[18..26], [0xFF; 8]);
    archive.keep(&frame(b"little", false));
    // The end of the frames, and a descriptor of 24 bytes (4.3.9.2).
    assert_eq!(archive.end().len(), 2 + 24);
    let directory = archive.finish(100);
    assert_eq!(directory[20..28], [0xFF; 8]);
}

#[test]
fn times_are_told_as_dos_has_them_and_those_it_has_not_as_near_as_can_be() {
    let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
    let told = dos(at("2018-05-04T18:40:16Z"));
    assert_eq!(told, (38 << 9 | 5 << 5 | 4, 18 << 11 | 40 << 5 | 8));
    assert_eq!(dos(at("1970-01-02T00:00:01Z")), (1 << 5 | 2, 0));
    assert_eq!(dos(at("2300-12-31T23:59:59Z")).0, 127 << 9 | 12 << 5 | 31);
}
