//! Damaged snapshots end with exit code 4, whatever the damage; a stop is heard at once.

use std::fs;
use std::path::Path;

use rollsnap_engine::Kind;
use rustix::process::Signal;

use super::cluster::golden;
use crate::program::Program;

/// Every verb, on one file.
fn verbs(path: &Path) -> [Vec<String>; 5] {
    let path = path.display().to_string();
    let words = |words: &[&str]| words.iter().map(ToString::to_string).collect();
    [
        words(&["ls", &path]),
        words(&["get", &path, "/registry/configmaps/big"]),
        words(&["get", &path, "/registry/pods/ns0/pod-100", "--history"]),
        words(&["diff", &path, &path, "--full"]),
        words(&["du", &path]),
    ]
}

/// The plain bytes of a golden snapshot.
fn bytes() -> Vec<u8> {
    let mut bytes = Vec::new();
    let file = fs::File::open(golden("3.5.1.db.gz")).unwrap();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(file), &mut bytes).unwrap();
    bytes
}

#[tokio::test]
async fn a_cut_file_is_corrupt_for_every_verb() {
    let dir = tempfile::tempdir().unwrap();
    let whole = bytes();
    for len in [
        0,
        1,
        4096,
        8192,
        8193,
        whole.len() / 2,
        whole.len() - 4096 - 32,
    ] {
        let path = dir.path().join(format!("cut-{len}"));
        fs::write(&path, &whole[..len]).unwrap();
        for words in verbs(&path) {
            let said = Program::new(&words).run().await;
            said.fails(Kind::Corrupt, &["rollsnap: ", &path.display().to_string()]);
        }
    }
}

#[tokio::test]
async fn damage_anywhere_is_an_answer_or_corrupt_and_never_a_panic() {
    let dir = tempfile::tempdir().unwrap();
    let whole = bytes();
    let mut corrupt = 0;
    for page in (2..whole.len() / 4096).filter(|page| is_of_a_tree(&whole, *page)) {
        let mut broken = whole.clone();
        let start = page * 4096;
        for byte in &mut broken[start + 8..start + 64] {
            *byte = byte.wrapping_mul(31).wrapping_add(97);
        }
        let path = dir.path().join(format!("broken-{page}"));
        fs::write(&path, &broken).unwrap();
        for words in verbs(&path) {
            let said = Program::new(&words).run().await;
            // 2: the key that is asked for may be what is gone.
            assert!(
                matches!(said.code, Some(0 | 2 | 4)),
                "{words:?}: {}",
                said.err
            );
            assert!(!said.err.contains("panicked"), "{}", said.err);
            corrupt += usize::from(said.code == Some(4));
        }
    }
    assert!(corrupt >= 50, "{corrupt} times");
}

/// Whether a page is or was a branch or a leaf, and not some value's bytes.
fn is_of_a_tree(bytes: &[u8], page: usize) -> bool {
    let header = &bytes[page * 4096..][..16];
    header[..8] == (page as u64).to_le_bytes() && matches!(header[8], 1 | 2)
}

#[tokio::test]
async fn a_stop_is_heard_while_a_snapshot_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    for verb in ["ls", "du"] {
        let running = Program::new([verb]).args([&pipe]).start();
        let end = pipe.clone();
        // Opens once the other end is open too: then it is being waited for.
        let held = tokio::task::spawn_blocking(move || fs::File::options().write(true).open(end));
        let held = held.await.unwrap().unwrap();
        running.signal(Signal::INT);
        let end = running.end().await;
        assert_eq!(
            end.code,
            Some(Kind::Canceled.exit_code().into()),
            "{:?}",
            end.log
        );
        drop(held);
    }
}
