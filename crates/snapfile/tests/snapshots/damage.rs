//! Broken snapshots: never a panic, and what is broken is told.
//!
//! What is promised, and shown here on the real files:
//! - A snapshot that was cut anywhere, or of which any bit was flipped, is not
//!   [proved](rollsnap_snapfile::Report::is_proved): something is found.
//! - Where the digest holds, because etcd itself sent what was broken on its disk: of all fields of
//!   all pages that can be reached, a changed one is found, or the status hash is another. But for
//!   those that [mean nothing](means_nothing).
//!
//! Not promised: two changes that move bytes between a key and its value, or between neighbours,
//! in buckets whose contents are not parsed (etcd's hash runs over the bytes without delimiting
//! them). In the bucket of records such keys are no revisions, and found.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use rollsnap_snapfile::mvcc::{Status, hash_kv, last_revision, live};
use rollsnap_snapfile::{Report, Trailer, status, verify};

use crate::anatomy::{Anatomy, Field, META, What, number, seal, seal_meta};
use crate::goldens::{self, Golden};

fn go_on<T>(_: T) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// Asks everything that can be asked of a file, and gives the report.
fn ask_all(file: &[u8]) -> Report {
    let _ = status(&file, &mut go_on);
    let _ = last_revision(&file);
    let _ = hash_kv(&file, None, None);
    let _ = live(&file, None, b"", &mut |key| go_on(key));
    verify(&file, &mut go_on).unwrap()
}

fn small() -> impl Iterator<Item = Golden> {
    goldens::all().filter(|golden| golden.bytes.len() < 60_000)
}

fn disorder(seed: usize) -> impl FnMut(usize) -> usize {
    let mut state = (seed as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move |limit| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 24).unwrap() % limit
    }
}

#[test]
fn a_cut_file_is_told_wherever_it_was_cut() {
    for golden in goldens::all().filter(|golden| golden.bytes.len() < 2_000_000) {
        let whole = golden.bytes.len();
        let image = whole - if golden.is_copied() { 0 } else { 32 };
        let pages = (0..image).step_by(4096);
        let cuts = pages.flat_map(|page| [page.saturating_sub(1), page, page + 1, page + 32]);
        let ends = (whole.saturating_sub(40)..whole).chain(0..200);
        for cut in cuts.chain(ends).filter(|cut| *cut < whole) {
            let report = ask_all(&golden.bytes[..cut]);
            assert!(!report.is_proved(), "{} at {cut}", golden.name);
            // All pages without the digest are a database too, as is a server's own file, which
            // may have room at its end.
            let needed = report.status.as_ref().map(|status| status.total_size);
            let is_database = cut % 512 == 0 && needed.is_some_and(|needed| needed <= cut as u64);
            assert_eq!(report.is_whole(), is_database, "{} at {cut}", golden.name);
        }
    }
}

#[test]
fn any_flipped_bit_is_found() {
    for golden in goldens::all().filter(|golden| !golden.is_copied()) {
        let mut bytes = golden.bytes;
        let mut pick = disorder(bytes.len());
        // All of both metas, then anywhere, as long as it takes.
        let metas = (0..80).chain(4096..4176);
        let metas = metas.flat_map(|at| (0..8).map(move |bit| (at, bit)));
        let metas = metas.filter(|_| bytes.len() < 60_000);
        let anywhere = (20_000_000 / bytes.len()).clamp(10, 300);
        let anywhere: Vec<_> = (0..anywhere)
            .map(|_| (pick(bytes.len()), pick(8)))
            .collect();
        for (at, bit) in metas.chain(anywhere).collect::<Vec<_>>() {
            let bit = 1 << bit;
            bytes[at] ^= bit;
            let report = verify(&&bytes[..], &mut go_on).unwrap();
            let is_told = matches!(report.trailer, Trailer::Wrong { .. }) && !report.is_whole();
            assert!(is_told, "{}: bit {bit} of byte {at}", golden.name);
            bytes[at] ^= bit;
        }
    }
}

#[test]
fn every_byte_of_a_small_snapshot_may_be_anything() {
    let golden = goldens::named("made/3.5.1.compacted-at-tombstone");
    let mut bytes = golden.bytes;
    for at in 0..bytes.len() {
        let old = bytes[at];
        bytes[at] = [
            old ^ 0xff,
            !0,
            0,
            old ^ (1 << (at % 8)),
            old.wrapping_add(1),
        ][at % 5];
        assert_eq!(ask_all(&bytes).is_proved(), bytes[at] == old, "byte {at}");
        bytes[at] = old;
    }
}

#[test]
fn files_that_are_no_database_are_told() {
    for byte in [0, 0x02, 0xff] {
        for len in [
            0, 1, 31, 32, 33, 79, 80, 511, 512, 544, 4096, 4128, 8192, 8224, 70_000,
        ] {
            let report = ask_all(&vec![byte; len]);
            assert!(report.status.is_none() && !report.is_whole(), "{len}");
        }
    }
}

#[test]
fn a_broken_meta_is_told_and_the_other_one_answers() {
    for golden in small().filter(|golden| !golden.is_copied()) {
        let sound = verify(&&golden.bytes[..], &mut go_on).unwrap().status;
        for (page, start) in [(0, META), (1, 4096 + META)] {
            for at in start..start + 64 {
                let mut bytes = golden.bytes.clone();
                bytes[at] ^= 1 << (at % 8);
                seal(&mut bytes);
                let report = ask_all(&bytes);
                let told = report.findings.iter().map(ToString::to_string);
                let expected = format!("page {page}: is no valid meta page");
                assert_eq!(
                    told.collect::<Vec<_>>(),
                    [expected],
                    "{} at {at}",
                    golden.name
                );
                assert_eq!(report.status, sound, "{} at {at}", golden.name);
            }
        }
    }
}

/// Both metas say the same untruth, with right checksums and a right digest.
#[test]
fn metas_that_agree_on_an_untruth_are_told_by_the_pages() {
    for golden in small().filter(|golden| !golden.is_copied()) {
        let sound = verify(&&golden.bytes[..], &mut go_on)
            .unwrap()
            .status
            .unwrap();
        let pages = golden.bytes.len() / 4096;
        let root = number(&golden.bytes, META + 16, 8);
        let lies = (0..pages + 3)
            .filter(|page| *page != root)
            .map(|page| (16, page as u64));
        // With a free list everything must be in it that nothing else holds.
        let lists = (0..pages + 3).map(|page| (32, page as u64));
        let sizes = [(8, 1024), (8, 2048), (8, 8192), (8, 1 << 31)];
        let ends = [(40, 0), (40, 2), (40, pages as u64 + 1), (40, u64::MAX - 1)];
        for (field, number) in lies.chain(lists).chain(sizes).chain(ends) {
            let mut bytes = golden.bytes.clone();
            for page in [0, 4096] {
                let at = page + META + field;
                let len = if field == 8 { 4 } else { 8 };
                bytes[at..at + len].copy_from_slice(&number.to_le_bytes()[..len]);
                seal_meta(&mut bytes, page);
            }
            seal(&mut bytes);
            let report = ask_all(&bytes);
            let is_other = report
                .status
                .as_ref()
                .is_none_or(|it| it.hash != sound.hash);
            let is_told = !report.is_whole() || is_other;
            assert!(is_told, "{}: {number} in field {field}", golden.name);
        }
    }
}

/// Changes that no reader of any kind can know: they alter nothing that etcd or bbolt would read.
#[expect(clippy::match_same_arms, reason = "each has a reason of its own")]
fn means_nothing(what: What, sound: &Status, changed: &Status) -> bool {
    match what {
        // etcd never asks for a bucket's sequence; bbolt looks at neither field of an inline page.
        What::BucketSequence | What::InlineId | What::InlineOverflow => true,
        // A branch's key may be any between the last of the child before and the first of its own.
        What::ChildKey | What::ChildPos | What::ChildKeySize => true,
        // What follows the page of an inline bucket is not looked at.
        What::BucketSize => sound == changed,
        // Bits beyond "is a bucket".
        What::Flags => sound == changed,
        // A free page that still holds the same pairs, or none as they do, is as good.
        What::BucketRoot | What::Child => sound.bytes_in_use != changed.bytes_in_use,
        // A free page behind a page may as well belong to it.
        What::Overflow => sound.bytes_in_use < changed.bytes_in_use,
        _ => false,
    }
}

/// What the bytes of a field may be instead.
fn changes(image: &[u8], field: &Field, page_count: usize) -> Vec<Vec<u8>> {
    let old = &image[field.at.clone()];
    let flipped = |at: usize, bit: u8| {
        let mut new = old.to_vec();
        new[at] ^= bit;
        new
    };
    let mut new = Vec::new();
    if let Some(last) = old.len().checked_sub(1) {
        new.extend([0, last / 2, last].map(|at| flipped(at, 1)));
        new.extend([0, last / 2, last].map(|at| flipped(at, 0x80)));
    }
    if !matches!(field.what, What::Key | What::Value | What::ChildKey) {
        let number = number(image, field.at.start, old.len()) as u64;
        let pages = (0..page_count as u64 + 2).step_by(1 + page_count / 16);
        let names_a_page = matches!(field.what, What::Child | What::BucketRoot);
        let pages = pages.filter(|_| names_a_page);
        let others = [
            0,
            u64::MAX,
            number.wrapping_sub(1),
            number + 1,
            number + 16,
            number * 2,
        ];
        new.extend(
            pages
                .chain(others)
                .map(|it| it.to_le_bytes()[..old.len()].to_vec()),
        );
    }
    new.retain(|new| new != old);
    new.sort();
    new.dedup();
    new
}

/// Every field of every page that can be reached, one at a time: of large files a share of them.
#[test]
fn a_changed_field_is_found_or_changes_the_hash_though_the_digest_holds() {
    const BYTES: usize = 60_000_000;
    let mut told = BTreeMap::<What, [u32; 3]>::new();
    for golden in goldens::all().filter(|golden| !golden.is_copied()) {
        let sound = verify(&&golden.bytes[..], &mut go_on)
            .unwrap()
            .status
            .unwrap();
        let anatomy = Anatomy::of(&golden.bytes);
        let page_count = golden.bytes.len() / anatomy.page_size;
        let all = anatomy.fields.iter().flat_map(|field| {
            let changes = changes(&golden.bytes, field, page_count);
            changes.into_iter().map(move |new| (field.clone(), new))
        });
        let all: Vec<_> = all.collect();
        let share = (all.len() * golden.bytes.len()).div_ceil(BYTES);
        let mut pick = disorder(golden.bytes.len());
        for (field, new) in all.iter().filter(|_| pick(share) == 0) {
            let mut bytes = golden.bytes.clone();
            bytes[field.at.clone()].copy_from_slice(new);
            seal(&mut bytes);
            let report = verify(&&bytes[..], &mut go_on).unwrap();
            assert!(matches!(report.trailer, Trailer::Held(_)));
            let counts = told.entry(field.what).or_default();
            let place = || {
                format!(
                    "{}: {:?} at {:?} to {new:?}",
                    golden.name, field.what, field.at
                )
            };
            match report.status {
                _ if !report.findings.is_empty() => counts[0] += 1,
                Some(status) if status.hash != sound.hash => counts[1] += 1,
                Some(status) if means_nothing(field.what, &sound, &status) => counts[2] += 1,
                Some(_) | None => panic!("{} is not told", place()),
            }
        }
    }
    // Both ways to tell are in use, for every kind of field there is.
    for (what, [found, other_hash, _]) in &told {
        let may_be_silent = matches!(
            what,
            What::BucketSequence | What::InlineId | What::InlineOverflow
        );
        assert!(
            found + other_hash > 0 || may_be_silent,
            "{what:?}: {told:?}"
        );
    }
    assert_eq!(told.len(), 19, "{told:?}");
}
