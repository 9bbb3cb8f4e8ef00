//! Restores of real snapshots into real directories: what is there at the end, whatever comes in
//! between.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed, wherever it is"
)]

mod answers;
mod crash;
mod drilled;
mod etcdutl;
mod full;
mod history;
mod log_dir;
mod place;
mod server;
mod site;

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use flate2::read::GzDecoder;
use rollsnap_engine::restore::{self, Cluster, Order, RestoreError, Restored, Step, restore};
use rollsnap_snapfile::restore::{Alarms, Changes};

/// A snapshot of 3.5.1, as it was sent.
fn snapshot() -> Vec<u8> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../snapfile/testdata/3.5.1.db.gz"
    );
    let mut bytes = Vec::new();
    let file = fs::File::open(path).unwrap();
    std::io::Read::read_to_end(&mut GzDecoder::new(file), &mut bytes).unwrap();
    bytes
}

fn order(data_dir: &Path) -> Order {
    let members = BTreeMap::from([("m1".to_owned(), vec!["http://127.0.0.1:2380".to_owned()])]);
    let cluster = Cluster::new(&members, "a token").unwrap();
    Order {
        data_dir: data_dir.to_owned(),
        wal_dir: None,
        me: cluster.members()[0].clone(),
        changes: Changes {
            cluster,
            alarms: Alarms::default(),
            expire_leases: false,
            disable_auth: false,
            bump: None,
        },
        skip_hash_check: false,
        held: None,
        at: DateTime::from_timestamp(1_700_000_000, 0).unwrap(),
    }
}

fn run(file: &[u8], order: &Order) -> Result<Restored, RestoreError> {
    restore(&file, order, &mut |_: Step, _, _| ControlFlow::Continue(()))
}

fn roll_back(
    data_dir: &Path,
    at: DateTime<Utc>,
) -> Result<(PathBuf, Option<PathBuf>), RestoreError> {
    restore::roll_back(data_dir, at, &mut |_, _, _| ControlFlow::Continue(()))
}

/// Every file below, with what is in it.
fn tree(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(at) = dirs.pop() {
        for entry in fs::read_dir(&at).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else {
                let bytes = fs::read(&path).unwrap();
                files.insert(path.strip_prefix(dir).unwrap().to_owned(), bytes);
            }
        }
    }
    files
}

/// What is in a directory, by name.
fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// A data directory of another day.
fn make_old(data_dir: &Path) {
    for below in ["member/snap", "member/wal"] {
        fs::create_dir_all(data_dir.join(below)).unwrap();
    }
    fs::write(data_dir.join("member/snap/db"), "old database").unwrap();
    fs::write(data_dir.join("member/wal/0.wal"), "old log").unwrap();
}
