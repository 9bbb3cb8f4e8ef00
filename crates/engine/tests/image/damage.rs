//! Stored bytes that were cut or changed: an error or the truth, never anything else.

use rollsnap_engine::Kind;
use rollsnap_engine::image::{Access, Form, ImageError};

use crate::kit::{NAME, STATE, database, frames, gzip, open, stream, whole, zip, zipped, zstd};

/// What is opened and read to the end. In a zip there is one checksum of all, which reading here
/// and there passes over: the digest at the database's end is what tells then.
fn read(stored: &[u8]) -> Vec<Result<Vec<u8>, ImageError>> {
    let few = open(stored, Access::Few);
    let few = few.map(|image| (image.form() != Form::SeekableZip).then_some(image));
    let images = [
        few.transpose(),
        Some(open(stored, Access::All)),
        Some(stream(stored)),
    ];
    let images = images.into_iter().flatten();
    images
        .map(|image| whole(&image?).map_err(ImageError::Read))
        .collect()
}

fn forms(plain: &[u8]) -> [(&'static str, Vec<u8>); 7] {
    [
        ("frames", frames(plain)),
        ("zstd", zstd(plain)),
        ("gzip", gzip(plain)),
        ("zip", zip(&[(NAME, plain)])),
        ("zip", zip(&[(NAME, plain), (STATE, b"{}")])),
        ("zip", zipped(plain, None)),
        ("zip", zipped(plain, Some(b"{}"))),
    ]
}

fn is_damage(error: &ImageError) -> bool {
    matches!(error.kind(), Kind::Corrupt | Kind::Usage)
}

#[test]
fn every_cut_is_an_error_or_costs_nothing() {
    let plain = database(4000, 3);
    for (form, stored) in forms(&plain) {
        let mut whole = 0;
        // Of three bytes and fewer nobody can tell what they were.
        for end in 4..stored.len() {
            for read in read(&stored[..end]) {
                match read {
                    Ok(read) => {
                        assert!(read == plain, "{form} cut at {end}");
                        whole += 1;
                    }
                    Err(error) => assert!(is_damage(&error), "{form} cut at {end}: {error}"),
                }
            }
        }
        // Frames without a byte of their table are plain zstd.
        assert_eq!(whole, if form == "frames" { 3 } else { 0 }, "{form}");
    }
}

#[test]
fn every_flipped_bit_is_an_error_or_costs_nothing() {
    let plain = database(3000, 3);
    for (form, stored) in forms(&plain) {
        let (mut told, mut all) = (0, 0);
        for at in 0..stored.len() {
            // Every bit where everything has a meaning, elsewhere one of each byte.
            let is_edge = at < 64 || stored.len() - at <= 200;
            for bit in (0..8).filter(|bit| is_edge || at % 8 == *bit) {
                let mut damaged = stored.clone();
                damaged[at] ^= 1 << bit;
                // A first byte that is no form's is a database's, for the reader to judge.
                if at < 4 && !matches!(damaged[..2], [0x28, 0xB5] | [b'P', b'K'] | [0x1F, 0x8B]) {
                    continue;
                }
                for read in read(&damaged) {
                    all += 1;
                    match read {
                        Ok(read) => {
                            assert!(
                                read == plain || read == damaged,
                                "{form} byte {at} bit {bit}"
                            );
                        }
                        Err(error) => {
                            assert!(is_damage(&error), "{form} byte {at} bit {bit}: {error}");
                            told += 1;
                        }
                    }
                }
            }
        }
        assert!(told * 2 > all, "{form}: {told} of {all}");
    }
}

#[test]
fn bytes_that_follow_are_an_error() {
    let plain = database(9000, 3);
    for (form, mut stored) in forms(&plain) {
        if form != "zip" {
            stored.extend(b"more");
            for read in read(&stored) {
                assert!(is_damage(&read.unwrap_err()), "{form}");
            }
        }
    }
}
