//! Compressed snapshots: any decoder gives the bytes back, any page is found without the rest,
//! and damage is an error.

use std::sync::Arc;

use bytes::Bytes;
use chrono::DateTime;
use proptest::prelude::*;
use rollsnap_engine::Codec;
use rollsnap_engine::codec::{Subject, Writer, pages};
use rollsnap_engine::enclosure::MOST_ENCLOSED;
use rollsnap_engine::manifest::Content;
use rollsnap_snapfile::ReadAt;
use rollsnap_store::memory::Memory;
use rollsnap_store::{ObjectName, ReadBack, SpoolStore, Terms};
use sha2::{Digest as _, Sha256};

use crate::bench::database::golden;
use crate::bench::{content, decode, name_of};

const FRAME: usize = 1 << 20;

/// Bytes that are there already.
pub(crate) struct Held(pub(crate) Vec<u8>);

impl ReadBack for Held {
    fn size(&self) -> std::io::Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> std::io::Result<()> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let end = start.saturating_add(buf.len());
        let part = self.0.get(start..end);
        buf.copy_from_slice(part.ok_or(std::io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// Pushes `plain` in pieces of this size and gives back what is kept.
fn encode(plain: &[u8], codec: Codec, piece: usize) -> Vec<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("memory");
    runtime.block_on(async {
        let memory = Memory::default();
        let name = ObjectName::new("x").expect("memory");
        let spool = memory.spool(&name, Terms::default()).await.expect("memory");
        let subject = Subject {
            name: &name_of("n"),
            begun: DateTime::UNIX_EPOCH,
            size: plain.len() as u64,
        };
        let mut writer = Writer::begin(spool, codec, subject).await.expect("memory");
        for piece in plain.chunks(piece) {
            writer
                .push(Bytes::copy_from_slice(piece))
                .await
                .expect("memory");
        }
        // What went in does not matter to what is kept.
        let stored: Content = writer.seal(content(b""), None).await.expect("memory");
        writer.into_spool().commit().await.expect("memory");
        let bytes = memory.get(&name).expect("memory").to_vec();
        assert_eq!(stored, content(&bytes));
        bytes
    })
}

fn open(stored: &[u8], codec: Codec) -> std::io::Result<Arc<dyn ReadAt>> {
    pages(Box::new(Held(stored.to_vec())), codec)
}

/// Pages that compress well and differ from each other.
fn text(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut word = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let mut bytes = Vec::with_capacity(len + 64);
    while bytes.len() < len {
        bytes.extend(word());
        bytes.extend([b'-'; 56]);
    }
    bytes.truncate(len);
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_page_is_what_went_in_and_any_decoder_reads_the_whole(
        len in prop_oneof![0..2000_usize, FRAME - 2..FRAME + 2, 0..3 * FRAME],
        piece in 1000..2 * FRAME,
        seed: u64,
        places in prop::collection::vec((any::<prop::sample::Index>(), 0..70_000_usize), 20),
    ) {
        let plain = text(len, seed);
        for codec in [Codec::Zstd, Codec::Zip] {
            let stored = encode(&plain, codec, piece);
            prop_assert!(stored == encode(&plain, codec, FRAME), "{codec:?} in other pieces");
            prop_assert!(decode(&stored, codec) == plain);

            let pages = open(&stored, codec).unwrap();
            prop_assert_eq!(pages.size().unwrap(), len as u64);
            for (place, size) in &places {
                let start = place.index(len + 1);
                let end = (start + size).min(len);
                let mut page = vec![0; end - start];
                pages.read_at(start as u64, &mut page).unwrap();
                prop_assert!(page == plain[start..end]);
            }
            // Past the end there is nothing.
            prop_assert!(pages.read_at(len as u64, &mut [0]).is_err());
            prop_assert!(pages.read_at(u64::MAX, &mut [0]).is_err());
        }
    }

    #[test]
    fn a_table_of_nonsense_is_an_error_or_is_read_and_never_a_panic(
        mut tail in prop::collection::vec(any::<u8>(), 0..200), frames in 0_u32..20,
    ) {
        // With the right footer, so that the table itself is looked at.
        tail.extend(frames.to_le_bytes());
        tail.push(0);
        tail.extend(0x8F92_EAB1_u32.to_le_bytes());
        if let Ok(pages) = open(&tail, Codec::Zstd) {
            let size = usize::try_from(pages.size().unwrap().min(1 << 20)).unwrap();
            let _ = pages.read_at(0, &mut vec![0; size]);
        }
    }
}

#[test]
fn stored_bytes_never_exceed_the_bound_that_a_bucket_is_told() {
    // What cannot be compressed is what grows.
    let blocks = (0..FRAME as u64 / 8).flat_map(|i| Sha256::digest(i.to_le_bytes()));
    let noise: Vec<u8> = blocks.take(2 * FRAME + 5).collect();
    for len in [0, 1, FRAME - 1, FRAME, FRAME + 1, noise.len()] {
        for (codec, beside) in [(Codec::Zstd, 0), (Codec::Zip, MOST_ENCLOSED + (1 << 20))] {
            let stored = encode(&noise[..len], codec, FRAME).len() as u64;
            let bound = codec.at_most(len as u64);
            // At most the rest of a frame too much, and 1 % of it all.
            let most = stored + (beside + FRAME + (32 << 10)) as u64;
            let what = format!("{codec:?} {len}: {stored} {bound}");
            assert!((stored..most).contains(&bound), "{what}");
        }
        assert_eq!(Codec::None.at_most(len as u64), len as u64);
    }
}

#[test]
fn a_damaged_snapshot_gives_an_error_or_the_truth() {
    let plain = text(2 * FRAME + 5000, 7);
    let stored = encode(&plain, Codec::Zstd, 32 << 10);
    let table = stored.len() - 8 - 3 * 8 - 9;
    let mut told = 0;
    for at in (0..table).step_by(10_007).chain(table..stored.len()) {
        for bit in [0x01, 0x80] {
            let mut damaged = stored.clone();
            damaged[at] ^= bit;
            let mut read = vec![0; plain.len()];
            match open(&damaged, Codec::Zstd).and_then(|pages| pages.read_at(0, &mut read)) {
                Ok(()) => assert!(read == plain, "byte {at}"),
                Err(_) => told += 1,
            }
        }
    }
    assert!(told > 60, "{told}");
}

#[test]
fn a_cut_snapshot_is_an_error() {
    let stored = encode(&golden(), Codec::Zstd, 32 << 10);
    let ends = (0..40).map(|lost| stored.len() - 1 - lost);
    for end in ends.chain((0..stored.len()).step_by(4099)) {
        assert!(open(&stored[..end], Codec::Zstd).is_err(), "{end}");
    }
}

#[test]
fn a_snapshot_that_lacks_a_frame_is_an_error() {
    let stored = encode(&text(2 * FRAME + 5000, 7), Codec::Zstd, 32 << 10);
    assert!(open(&stored[1..], Codec::Zstd).is_err());
    let first = u32::from_le_bytes(stored[stored.len() - 33..][..4].try_into().unwrap());
    assert!(open(&stored[first as usize..], Codec::Zstd).is_err());
}
