//! Every form gives the bytes that etcd sent, at any place.

use proptest::prelude::*;
use rollsnap_engine::Kind;
use rollsnap_engine::image::{Access, Form, Image};
use rollsnap_snapfile::{Digest, ReadAt};
use sha2::{Digest as _, Sha256};
use zip::CompressionMethod;
use zip::write::SimpleFileOptions;

use crate::kit::{
    NAME, STATE, database, frames, golden, gzip, open, stream, whole, zip, zip_with, zipped, zstd,
};

const MIB: usize = 1 << 20;

/// The same bytes in every form that they may be kept as.
fn kept(plain: &[u8]) -> Vec<(Form, Vec<u8>)> {
    let options = SimpleFileOptions::default();
    let stored = options.compression_method(CompressionMethod::Stored);
    let large = options.large_file(true);
    let mut many = zstd(&plain[..plain.len() / 2]);
    many.extend(zstd(&plain[plain.len() / 2..]));
    vec![
        (Form::Raw, plain.to_vec()),
        (Form::Seekable, frames(plain)),
        (Form::Zstd, zstd(plain)),
        (Form::Zstd, many),
        (Form::Gzip, gzip(plain)),
        (Form::Zip, zip(&[(NAME, plain)])),
        (Form::Zip, zip(&[(NAME, plain), (STATE, b"{}")])),
        (Form::Zip, zip(&[(STATE, b"{}"), ("any name", plain)])),
        (Form::Zip, zip_with(&[(NAME, plain)], stored)),
        (Form::Zip, zip_with(&[(NAME, plain)], large)),
        (Form::SeekableZip, zipped(plain, None)),
        (Form::SeekableZip, zipped(plain, Some(b"{}"))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn any_place_of_any_form_is_what_went_in(
        len in prop_oneof![2000..9000_usize, MIB - 2..MIB + 2, MIB..2 * MIB],
        seed: u64,
        places in prop::collection::vec((any::<prop::sample::Index>(), 0..70_000_usize), 12),
    ) {
        let plain = database(len, seed);
        for (form, stored) in kept(&plain) {
            let images = [
                open(&stored, Access::Few).unwrap(),
                open(&stored, Access::All).unwrap(),
                stream(&stored).unwrap(),
            ];
            for image in images {
                prop_assert_eq!(image.form().label(), form.label());
                prop_assert_eq!(image.len(), len as u64);
                prop_assert_eq!(image.stored_size(), stored.len() as u64);
                let digest = Digest(Sha256::digest(&stored).into());
                prop_assert!(image.stored_digest().is_none_or(|it| it == digest));
                check(&image, &plain, &places)?;
            }
        }
    }
}

fn check(
    image: &Image,
    plain: &[u8],
    places: &[(prop::sample::Index, usize)],
) -> Result<(), TestCaseError> {
    for (place, size) in places {
        let start = place.index(plain.len() + 1);
        let end = (start + size).min(plain.len());
        let mut page = vec![0; end - start];
        image.read_at(start as u64, &mut page).unwrap();
        prop_assert!(page == plain[start..end]);
    }
    prop_assert!(image.read_at(plain.len() as u64, &mut [0]).is_err());
    prop_assert!(image.read_at(u64::MAX, &mut [0, 0]).is_err());
    Ok(())
}

#[test]
fn what_every_release_of_the_sidecar_wrote_holds_the_snapshot() {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/rke");
    let mut seen = 0;
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "zip") {
            continue;
        }
        let stored = std::fs::read(&path).unwrap();
        for image in [open(&stored, Access::Few), stream(&stored)] {
            let image = image.unwrap();
            assert_eq!(image.form(), Form::Zip);
            assert!(whole(&image).unwrap() == golden(), "{}", path.display());
        }
        seen += 1;
    }
    assert_eq!(seen, 5);
}

#[test]
fn a_zip_that_leaves_a_choice_is_refused_with_the_names_in_it() {
    let plain = database(9000, 1);
    let plain = plain.as_slice();
    let several = zip(&[("a", plain), ("dir/b\u{1b}[31m", plain), (STATE, b"{}")]);
    let only_state = zip(&[(STATE, b"{}")]);
    let empty = zip(&[]);
    let names: Vec<_> = (0..1001).map(|number| number.to_string()).collect();
    let crowd: Vec<_> = names
        .iter()
        .map(|name| (name.as_str(), &plain[..9]))
        .collect();
    let secret = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let mut encrypted = zip_with(&[(NAME, plain)], secret);
    // The flag of the entry in the central directory (APPNOTE.TXT, 4.4.4).
    let directory = encrypted.windows(4).position(|four| four == b"PK\x01\x02");
    encrypted[directory.unwrap() + 8] |= 1;
    for (stored, words) in [
        (several, "several files: a, dir/b\\u{1b}[31m"),
        (
            only_state,
            "no snapshot, only /etc/kubernetes/mysnapshot.rkestate",
        ),
        (empty, "the zip holds nothing"),
        (zip(&crowd), "the zip has 1001 entries"),
        (encrypted, "the zip cannot be read: "),
    ] {
        for image in [open(&stored, Access::All), stream(&stored)] {
            let error = image.unwrap_err();
            assert!(error.to_string().contains(words), "{error}");
            assert_eq!(error.kind(), Kind::Usage);
            assert!(error.hint().is_some());
        }
    }
}

#[test]
fn of_several_files_the_one_that_is_called_so_is_taken() {
    let [wanted, other] = [1, 2].map(|seed| database(9000, seed));
    for names in [
        ["/backup/mysnapshot", "/elsewhere/mysnapshot"],
        ["backup/mysnapshot", "/backup/mysnapshot.old"],
        ["mysnapshot", "/backup/other"],
    ] {
        for turned in [false, true] {
            let mut entries = vec![(names[0], &*wanted), (names[1], &*other), (STATE, b"{}")];
            if turned {
                entries.reverse();
            }
            let stored = zip(&entries);
            for object in ["mysnapshot.zip", "mysnapshot.gz", "mysnapshot"] {
                let image = open(&stored, Access::All.of(object)).unwrap();
                assert!(whole(&image).unwrap() == wanted, "{names:?} {object}");
            }
            assert!(open(&stored, Access::All).is_err());
            assert!(open(&stored, Access::All.of("another.zip")).is_err());
        }
    }
    // Two with one name leave a choice, and a name that no file has leaves the only one.
    let twice = zip(&[("a/mysnapshot", &*wanted), ("b/mysnapshot", &*other)]);
    assert!(open(&twice, Access::All.of("mysnapshot.zip")).is_err());
    let renamed = zip(&[(NAME, &*wanted), (STATE, b"{}")]);
    let image = open(&renamed, Access::All.of("renamed.zip")).unwrap();
    assert!(whole(&image).unwrap() == wanted);
}

/// A table as other programs write it: frames of their size, or with checksums of their own.
fn foreign(plain: &[u8], flags: u8) -> Vec<u8> {
    let mut stored = zstd(plain);
    let sizes = [stored.len(), plain.len()].map(|size| u32::try_from(size).unwrap());
    let checksum = if flags == 0 { &[][..] } else { &[1, 2, 3, 4] };
    stored.extend(0x184D_2A5E_u32.to_le_bytes());
    stored.extend((8 + u32::try_from(checksum.len()).unwrap() + 9).to_le_bytes());
    stored.extend(sizes.map(u32::to_le_bytes).concat());
    stored.extend(checksum);
    stored.extend(1_u32.to_le_bytes());
    stored.push(flags);
    stored.extend(0x8F92_EAB1_u32.to_le_bytes());
    stored
}

#[test]
fn a_table_of_another_writer_is_passed_over() {
    let plain = database(2 * MIB, 5);
    for flags in [0, 0x80] {
        let stored = foreign(&plain, flags);
        for access in [Access::Few, Access::All] {
            let image = open(&stored, access).unwrap();
            assert!(whole(&image).unwrap() == plain);
        }
    }
}

#[test]
fn nothing_and_little_are_raw() {
    for len in 0..4 {
        let image = open(&vec![0x50; len], Access::All).unwrap();
        assert_eq!((image.form(), image.len()), (Form::Raw, len as u64));
        assert_eq!(image.is_empty(), len == 0);
        stream(&vec![0; len]).unwrap_err();
    }
}

#[test]
fn the_digest_of_stored_bytes_that_were_unpacked_is_known() {
    let plain = golden();
    for stored in [frames(&plain), zstd(&plain), gzip(&plain)] {
        let image = open(&stored, Access::All).unwrap();
        let digest = Digest(Sha256::digest(&stored).into());
        assert_eq!(image.stored_digest(), Some(digest));
    }
    assert_eq!(open(&plain, Access::All).unwrap().stored_digest(), None);
}
