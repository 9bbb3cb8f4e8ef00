//! Any bytes as the index of a sound snapshot: as they are, and as entries whose seals are made anew.
#![no_main]

use std::io;
use std::ops::ControlFlow;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use libfuzzer_sys::fuzz_target;
use rollsnap_fuzz::forge::forge;
use rollsnap_fuzz::seeds;
use rollsnap_snapfile::index::{IndexError, KeyIndex, get_by_index};
use rollsnap_snapfile::mvcc;
use rollsnap_snapfile::{ReadAt, verify_and_index};

/// A snapshot, its own index, and its keys.
struct Sound {
    snapshot: Vec<u8>,
    index: Vec<u8>,
    keys: Vec<Vec<u8>>,
}

static SOUND: LazyLock<Sound> = LazyLock::new(|| {
    let snapshot = forge(&seeds::all(), &[2]).expect("a seed");
    let mut index = Vec::new();
    let mut heed = |_| ControlFlow::Continue(());
    let report = verify_and_index(&snapshot, &mut heed, &mut |piece| {
        index.extend_from_slice(piece);
    });
    assert!(report.expect("memory can be read").indexed);
    let mut keys = vec![b"no such key".to_vec()];
    mvcc::live(&snapshot, None, b"", &mut |key| {
        keys.push(key.record.key.to_vec());
        ControlFlow::Continue(())
    })
    .expect("it is sound");
    Sound {
        snapshot,
        index,
        keys,
    }
});

/// Bytes that count how often they are read.
struct Counted<'a>(&'a [u8], AtomicU32);

impl ReadAt for Counted<'_> {
    fn size(&self) -> io::Result<u64> {
        self.0.size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.read_at(offset, buf)
    }
}

fn ask(sound: &Sound, index: &[u8]) {
    for key in &sound.keys {
        let index = Counted(index, AtomicU32::new(0));
        match get_by_index(&sound.snapshot, &index, key) {
            Ok(found) => assert!(found.is_none_or(|found| found.key == *key)),
            Err(IndexError::Unfit(_)) => {}
            Err(error) => panic!("{error:?}"),
        }
        assert!(index.1.into_inner() <= 80);
    }
}

/// The index that has these entries.
fn sealed(sound: &Sound, entries: &[u8]) -> Vec<u8> {
    let own = KeyIndex::open(&sound.index).expect("it is sound");
    let database = own.database().0;
    let sum = |pieces: &[&[u8]]| {
        let sum = |sum, piece: &&[u8]| crc32c::crc32c_append(sum, piece);
        pieces.iter().fold(0, sum).to_le_bytes()
    };
    let mut index = Vec::new();
    for (number, block) in entries.chunks(255 * 16).enumerate() {
        let checksum = sum(&[&database, &(number as u64).to_le_bytes(), block]);
        index.extend_from_slice(block);
        index.extend_from_slice(&checksum);
    }
    let count = (entries.len() as u64 / 16).to_le_bytes();
    let version = 1_u32.to_le_bytes();
    index.extend_from_slice(&database);
    index.extend_from_slice(&count);
    index.extend_from_slice(&sum(&[&database, &count, &version]));
    index.extend_from_slice(&version);
    index.extend_from_slice(b"ROLLKEYS");
    index
}

fuzz_target!(|data: &[u8]| {
    let sound = &*SOUND;
    ask(sound, data);
    // Two bytes say which of the sound one's the third changes.
    let mut changed = sound.index.clone();
    for change in data.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % changed.len();
        changed[at] ^= change[2];
    }
    ask(sound, &changed);
    // Entries that lie as unevenly as the bytes say, in an order that is believed.
    let mut entries: Vec<[u8; 16]> = Vec::new();
    let mut last: u64 = 0;
    for step in data {
        last = last.saturating_add(1 << (step & 63));
        let mut entry = [0; 16];
        entry[..8].copy_from_slice(&last.to_le_bytes());
        entry[8] = *step;
        entries.push(entry);
    }
    entries.dedup_by_key(|entry| entry[..8].to_vec());
    ask(sound, &sealed(sound, entries.as_flattened()));
});
