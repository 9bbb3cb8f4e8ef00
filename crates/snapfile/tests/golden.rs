//! Real snapshots of four etcd versions, with etcd's own answers beside them
//! (`testdata/README.md` tells how they were made).

use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;
use rollsnap_snapfile::mvcc::last_revision;
use rollsnap_snapfile::{TrailerError, TrailerHasher};

const VERSIONS: [&str; 4] = ["3.4.23", "3.5.1", "3.6.14", "3.7.1"];
/// What etcdutl says of all four: they were made by the same recipe.
const REVISION: u64 = 172;

fn snapshot(version: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("testdata/{version}.db.gz"));
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).expect("a golden file");
    GzDecoder::new(file)
        .read_to_end(&mut bytes)
        .expect("a gzip file");
    bytes
}

fn digest_holds(bytes: &[u8]) -> Result<u64, TrailerError> {
    let mut hasher = TrailerHasher::default();
    bytes.chunks(32 * 1024).for_each(|chunk| hasher.push(chunk));
    hasher.finish().map(|proof| proof.size)
}

#[test]
fn the_digest_of_every_version_holds() {
    for version in VERSIONS {
        let bytes = snapshot(version);
        assert_eq!(digest_holds(&bytes), Ok(bytes.len() as u64), "{version}");
    }
}

#[test]
fn the_revision_is_what_etcdutl_says() {
    for version in VERSIONS {
        let revision = last_revision(&snapshot(version)).unwrap().unwrap();
        assert_eq!(revision.main, REVISION, "{version}");
    }
}

#[test]
fn the_revision_is_found_by_the_second_meta_when_the_first_is_broken() {
    let mut bytes = snapshot("3.5.1");
    bytes[16] ^= 0xff;
    assert_eq!(last_revision(&bytes).unwrap().unwrap().main, REVISION);
}

#[test]
fn damaged_files_are_an_error_or_an_answer_and_never_a_panic() {
    let whole = snapshot("3.4.23");
    for cut in (0..whole.len()).step_by(509) {
        let _ = last_revision(&&whole[..cut]);
    }
    // Every byte of the metas, then a byte of each header of every page.
    let headers = (8192..whole.len())
        .step_by(4096)
        .flat_map(|page| page..page + 48);
    for at in (0..8192).chain(headers.filter(|at| *at < whole.len())) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0xff;
        let _ = last_revision(&bytes);
    }
}
