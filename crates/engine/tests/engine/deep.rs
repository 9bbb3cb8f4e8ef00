//! The examiner of the product: what it finds in real databases, and how it ends.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use rollsnap_engine::examine::{Deep, ExamineError, Examined, Examiner, Gentle, Progress};
use rollsnap_engine::image::Scratch;
use rollsnap_engine::key_index::Pieces;
use rollsnap_engine::{Codec, Manifest};
use rollsnap_snapfile::Digest;
use rollsnap_store::{ReadBack, Store};
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use crate::bench::database::{GOLDEN_REVISION, golden};
use crate::bench::{World, copied, order};

const PAGE: usize = 4096;

fn deep() -> Deep {
    Deep::new(Arc::new(|| {}), Scratch::new(std::env::temp_dir()))
}

fn silent() -> Progress {
    Arc::new(|_, _| {})
}

/// An index that nobody takes.
fn unheard() -> Pieces {
    mpsc::channel(1).0
}

async fn examine(bytes: impl Into<Bytes>, codec: Codec) -> Examined {
    let stored = Box::new(bytes.into());
    let examined = deep().examine(stored, codec, silent(), unheard()).await;
    examined.expect("memory can be read")
}

/// The same image with another change and the digest of that.
fn changed(change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let mut bytes = golden().to_vec();
    bytes.truncate(bytes.len() - 32);
    change(&mut bytes);
    let digest = Sha256::digest(&bytes);
    bytes.extend_from_slice(&digest);
    bytes
}

#[tokio::test]
async fn a_real_database_holds_and_its_manifest_tells_what_is_in_it() {
    let image = &golden()[..golden().len() - 32];
    for codec in Codec::ALL {
        let mut world = World::new();
        world.codec = codec;
        world.member.holds(golden());
        let mut pipeline = world.good_pipeline();
        pipeline.examiner = Some(Arc::new(deep()));
        let saved = pipeline.save(&order("n"), &|_, _| {}).await.unwrap();
        let told: Manifest = copied(&pipeline, saved).await;
        let contents = told.contents.unwrap();
        assert_eq!(contents.total_size, image.len() as u64);
        assert_eq!(contents.store_revision, GOLDEN_REVISION);
        assert!(contents.live_keys > 0 && contents.live_keys <= contents.records);
        assert!(contents.records < contents.entries);
        assert!(contents.bytes_in_use <= contents.total_size);
        let verification = told.verification.unwrap();
        assert_eq!(verification.findings, [""; 0]);
    }
    let database = examine(golden(), Codec::None).await.database;
    assert_eq!(database, Some(Digest(Sha256::digest(image).into())));
}

#[tokio::test]
async fn what_is_wrong_is_found_whoever_is_to_blame() {
    // The member's disk: the digest is right.
    let pages = golden().len() / PAGE;
    let mut found = 0;
    for page in 2..pages / 3 {
        let bytes = changed(|image| image[page * PAGE + 8] ^= 0x40);
        let examined = examine(bytes, Codec::None).await;
        assert!(examined.database.is_some());
        found += usize::from(!examined.findings.is_empty());
        let named = examined
            .findings
            .iter()
            .any(|it| it.starts_with(&format!("page {page}")));
        assert_eq!(named, !examined.findings.is_empty(), "{examined:?}");
    }
    // What is free, or only another page's tail, has no type of its own.
    assert!(found > 2, "{found} of {pages}");

    // Our own: a bit, the end, everything.
    let mut flipped = golden().to_vec();
    flipped[100_000] ^= 1;
    let mut cut = golden().to_vec();
    cut.truncate(cut.len() - 100);
    let mut bare = golden().to_vec();
    bare.truncate(bare.len() - 32);
    for (bytes, word) in [
        (flipped, "digest mismatch"),
        (cut, "cut"),
        (bare, "no digest at its end"),
        (Vec::new(), ""),
    ] {
        let examined = examine(bytes, Codec::None).await;
        let texts = examined.findings.join("\n");
        assert!(!texts.is_empty() && texts.contains(word), "{texts}");
        assert_eq!(examined.database, None);
    }
}

#[tokio::test]
async fn compressed_bytes_that_do_not_decode_are_a_finding_and_not_a_sick_disk() {
    let mut world = World::new();
    world.codec = Codec::Zstd;
    world.member.holds(golden());
    let pipeline = world.good_pipeline();
    pipeline.save(&order("n"), &|_, _| {}).await.unwrap();
    let object = world.local.list("n.zst").await.unwrap().remove(0).name;
    let stored = world.local.get(&object).unwrap();
    for at in [20, stored.len() / 2, stored.len() - 3] {
        let mut broken = stored.to_vec();
        broken[at] ^= 0xff;
        let examined = examine(broken, Codec::Zstd).await;
        assert!(!examined.findings.is_empty(), "byte {at}");
    }
    let cut = stored.slice(..stored.len() - 100);
    assert!(!examine(cut, Codec::Zstd).await.findings.is_empty());
}

/// Bytes whose every read is told, and waits for its turn.
struct Told {
    bytes: Bytes,
    reads: Sender<usize>,
    turns: Mutex<Receiver<()>>,
}

impl ReadBack for Told {
    fn size(&self) -> io::Result<u64> {
        ReadBack::size(&self.bytes)
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let _ = self.reads.send(buf.len());
        let turns = self.turns.lock().expect("nobody panics");
        // Without anybody who gives turns, all goes on.
        let _ = turns.recv();
        self.bytes.read_at(offset, buf)
    }
}

#[tokio::test]
async fn an_examination_that_is_dropped_ends_soon_and_leaves_no_thread() {
    let (reads, read) = channel();
    let (turn, turns) = channel();
    // Many times what may be read between two looks.
    let bytes = Bytes::from(vec![0; 64 << 20]);
    let stored = Told {
        bytes,
        reads,
        turns: Mutex::new(turns),
    };
    let begun = spawn_blocking(move || (read.recv().is_ok(), read));
    let deep = deep();
    let (is_reading, read) = tokio::select! {
        ended = deep.examine(Box::new(stored), Codec::None, silent(), unheard()) => {
            panic!("nobody gave it a turn: {ended:?}")
        }
        begun = begun => begun.unwrap(),
    };
    assert!(is_reading);
    drop(turn);
    // Ends when the thread has dropped what it read from.
    let more = spawn_blocking(move || read.iter().sum::<usize>());
    let more = more.await.unwrap();
    assert!(more <= 4 << 20, "{more}");
}

#[tokio::test]
async fn its_thread_is_its_own_and_is_made_gentle_before_the_first_read() {
    let (tell, told) = channel();
    let tell = Mutex::new(tell);
    let gentle: Gentle = Arc::new(move || {
        let name = std::thread::current().name().map(str::to_owned);
        let _ = tell.lock().expect("nobody panics").send(name);
    });
    let deep = Deep::new(gentle, Scratch::new(std::env::temp_dir()));
    let steps = Arc::new(Mutex::new(Vec::new()));
    let hears = Arc::clone(&steps);
    let progress: Progress = Arc::new(move |done, total| hears.lock().unwrap().push((done, total)));
    let stored = Box::new(golden());
    deep.examine(stored, Codec::None, progress, unheard())
        .await
        .unwrap();
    assert_eq!(
        told.try_iter().collect::<Vec<_>>(),
        [Some("verify".to_owned())]
    );
    let steps = steps.lock().unwrap();
    assert!(
        steps.len() > 3 && steps.iter().all(|(done, total)| done <= total),
        "{steps:?}"
    );
}

/// A disk that gives nothing.
struct Sick;

impl ReadBack for Sick {
    fn size(&self) -> io::Result<u64> {
        Ok(1 << 20)
    }

    fn read_at(&self, _: u64, _: &mut [u8]) -> io::Result<()> {
        Err(io::Error::other("input/output error"))
    }
}

#[tokio::test]
async fn a_disk_that_cannot_be_read_says_nothing_of_the_bytes() {
    for codec in Codec::ALL {
        let examined = deep()
            .examine(Box::new(Sick), codec, silent(), unheard())
            .await;
        assert!(
            matches!(examined, Err(ExamineError::Read(_))),
            "{examined:?}"
        );
    }
}
