//! What was made to fill memory or a disk.

use std::io::Write;
use std::ops::ControlFlow;
use std::sync::Arc;

use flate2::{Compress, Compression, Crc, FlushCompress};
use rollsnap_engine::Kind;
use rollsnap_engine::image::{Access, Image, ImageError, Scratch};
use rollsnap_testkit::mount::Mount;

use crate::kit::{NAME, database, frames, open, stream, whole, zip, zstd};

const GIB: u64 = 1 << 30;

/// Deflated zeros, and their CRC. A flush makes each piece stand alone, so one serves for all.
fn zeros(head: &[u8], len: u64) -> (Vec<u8>, u32) {
    const PIECE: usize = 1 << 20;
    let mut deflated = Vec::new();
    let mut crc = Crc::new();
    let mut compress = Compress::new(Compression::best(), false);
    deflated.reserve(head.len() + 1024);
    let flush = FlushCompress::Full;
    compress.compress_vec(head, &mut deflated, flush).unwrap();
    crc.update(head);
    let mut piece = Vec::with_capacity(1 << 16);
    let zeros = vec![0; PIECE];
    compress.compress_vec(&zeros, &mut piece, flush).unwrap();
    let mut one = Crc::new();
    one.update(&zeros);
    for _ in 0..len / PIECE as u64 {
        deflated.extend_from_slice(&piece);
        crc.combine(&one);
    }
    // An empty last block (RFC 1951, 3.2.3).
    deflated.extend([3, 0]);
    (deflated, crc.sum())
}

/// A zip of one deflated entry whose header says what it is told to (APPNOTE.TXT, 4.3.7, 4.3.12,
/// 4.3.16 and 4.5.3).
fn zip_of(deflated: &[u8], crc: u32, size: u64) -> Vec<u8> {
    let compressed = deflated.len() as u64;
    let mut extra = Vec::new();
    extra.extend(1_u16.to_le_bytes());
    extra.extend(16_u16.to_le_bytes());
    extra.extend(size.to_le_bytes());
    extra.extend(compressed.to_le_bytes());
    let mut common = Vec::new();
    for number in [45_u16, 0, 8, 0, 33] {
        common.extend(number.to_le_bytes());
    }
    for number in [crc, u32::MAX, u32::MAX] {
        common.extend(number.to_le_bytes());
    }
    for len in [NAME.len(), extra.len()] {
        common.extend(u16::try_from(len).unwrap().to_le_bytes());
    }
    let mut bytes = b"PK\x03\x04".to_vec();
    bytes.extend(&common);
    bytes.extend(NAME.as_bytes());
    bytes.extend(&extra);
    bytes.extend(deflated);
    let directory = bytes.len();
    bytes.extend(b"PK\x01\x02\x2d\x03");
    bytes.extend(&common);
    bytes.extend([0; 14]);
    bytes.extend(NAME.as_bytes());
    bytes.extend(&extra);
    let len = bytes.len() - directory;
    bytes.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    for number in [len, directory] {
        bytes.extend(u32::try_from(number).unwrap().to_le_bytes());
    }
    bytes.extend([0, 0]);
    bytes
}

fn both(stored: &[u8]) -> [Result<Image, ImageError>; 2] {
    [open(stored, Access::All), stream(stored)]
}

#[test]
fn ten_gigabytes_of_zeros_are_refused_at_their_first_pages() {
    let (deflated, crc) = zeros(&[], 10 * GIB);
    let mut gzip = vec![0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3];
    gzip.extend(&deflated);
    let mut frame = Vec::new();
    for _ in 0..100 {
        frame.extend(zstd(&vec![0; 1 << 20]));
    }
    let zip = zip_of(&deflated, crc, 10 * GIB);
    assert!(zip.len() < 20 << 20);
    for stored in [zip, gzip, frame] {
        for opened in both(&stored) {
            let error = opened.unwrap_err();
            assert_eq!(error.kind(), Kind::Corrupt);
            assert!(
                error.to_string().starts_with("holds no etcd database"),
                "{error}"
            );
        }
    }
}

#[test]
fn an_entry_is_never_larger_than_it_says() {
    let head = database(70_000, 1);
    let (deflated, crc) = zeros(&head, 10 * GIB);
    for size in [70_000, 1 << 20] {
        for opened in both(&zip_of(&deflated, crc, size)) {
            assert_eq!(opened.unwrap_err().kind(), Kind::Corrupt);
        }
    }
}

#[test]
fn an_entry_that_says_more_than_there_is_room_for_is_refused_at_once() {
    let head = database(70_000, 1);
    let (deflated, crc) = zeros(&head, 1 << 20);
    for opened in both(&zip_of(&deflated, crc, 1 << 60)) {
        let error = opened.unwrap_err();
        assert_eq!(error.kind(), Kind::Full);
        assert!(
            error
                .to_string()
                .contains("needs 1152921504606846976 bytes"),
            "{error}"
        );
    }
}

#[test]
fn an_entry_that_is_what_it_says_is_unpacked() {
    let head = database(70_000, 1);
    let (deflated, crc) = zeros(&head, 4 << 20);
    for opened in both(&zip_of(&deflated, crc, 70_000 + (4 << 20))) {
        let image = opened.unwrap();
        assert_eq!(whole(&image).unwrap()[..70_000], head);
    }
}

/// On a disk that has room for 40 MiB, of which a twentieth is left to others.
fn on_a_small_disk(stored: &[u8], access: Access) -> (Mount, Result<Image, ImageError>) {
    let disk = Mount::tmpfs("40m");
    let scratch = Scratch::new(disk.path());
    let heed = &mut |_, _| ControlFlow::Continue(());
    let image = Image::open(Arc::new(stored.to_vec()), access, &scratch, heed);
    (disk, image)
}

#[test]
fn what_does_not_tell_its_size_stops_before_the_disk_is_full() {
    let plain = database(64 << 20, 1);
    let (disk, image) = on_a_small_disk(&zstd(&plain), Access::All);
    let error = image.unwrap_err();
    assert_eq!(error.kind(), Kind::Full);
    assert!(error.to_string().contains("no room to unpack"), "{error}");
    assert!(error.hint().unwrap().contains("--scratch"));
    assert_eq!(std::fs::read_dir(disk.path()).unwrap().count(), 0);
    // What was written went with the error.
    let (_disk, image) = (
        disk,
        on_a_small_disk(&zstd(&plain[..1 << 20]), Access::All).1,
    );
    image.unwrap();
}

#[test]
fn without_room_frames_are_read_as_they_are_kept() {
    let plain = database(64 << 20, 1);
    let (disk, image) = on_a_small_disk(&frames(&plain), Access::All);
    assert!(whole(&image.unwrap()).unwrap() == plain);
    drop(disk);
}

#[test]
fn a_scratch_directory_that_is_none_is_named() {
    let stored = zip(&[(NAME, &database(9000, 1))]);
    let heed = &mut |_, _| ControlFlow::Continue(());
    let scratch = Scratch::new("/nowhere/at/all");
    let opened = Image::open(Arc::new(stored), Access::All, &scratch, heed);
    let error = opened.unwrap_err();
    assert_eq!(error.kind(), Kind::Config);
    let words = "unpack into /nowhere/at/all: no such file or directory";
    assert_eq!(error.to_string(), words);
    assert!(error.hint().unwrap().contains("--scratch"));
}

#[test]
fn a_stop_is_heard_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let scratch = Scratch::new(dir.path());
    let stored = zstd(&database(4 << 20, 1));
    let mut told = Vec::new();
    let heed = &mut |done, total| {
        told.push((done, total));
        if told.len() < 3 {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    };
    let opened = Image::open(Arc::new(stored.clone()), Access::All, &scratch, heed);
    assert_eq!(opened.unwrap_err().kind(), Kind::Canceled);
    assert!(told.iter().all(|(_, total)| *total == stored.len() as u64));
    assert!(told.is_sorted() && told.len() == 3);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_table_of_more_frames_than_anybody_writes_costs_no_memory() {
    let rows = 1 << 28_u32;
    let mut stored = zstd(&database(9000, 1));
    let mut footer = Vec::new();
    footer.write_all(&u32::to_le_bytes(rows)).unwrap();
    footer.push(0);
    footer.extend(0x8F92_EAB1_u32.to_le_bytes());
    // A skippable frame, so that any decoder passes over it.
    stored.extend(0x184D_2A5E_u32.to_le_bytes());
    stored.extend(9_u32.to_le_bytes());
    stored.extend(footer);
    let image = open(&stored, Access::Few).unwrap();
    assert_eq!(image.len(), 9000);
}
