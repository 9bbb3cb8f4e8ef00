//! What the program that was replaced would do in a directory and a bucket that we wrote: its rules
//! as they were observed, release by release, without its mistakes of the network.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::Path;

use chrono::{DateTime, Utc};
use flate2::read::DeflateDecoder;
use sha2::{Digest, Sha256};

/// What its loop deletes from the directory: every plain file whose name tells a time before the
/// cut-off in front of its first `_`, whatever stands behind.
pub(crate) fn prunes_here(dir: &Path, cut_off: DateTime<Utc>) -> BTreeSet<String> {
    let files = fs::read_dir(dir).unwrap().map(Result::unwrap);
    let plain = files.filter(|file| file.file_type().unwrap().is_file());
    let names = plain.map(|file| file.file_name().into_string().unwrap());
    names.filter(|name| is_before(name, cut_off)).collect()
}

/// What its loop deletes from the bucket: the same, of keys that match `.+_etcd(|.zip)$`.
pub(crate) fn prunes_there(keys: &BTreeSet<String>, cut_off: DateTime<Utc>) -> BTreeSet<String> {
    let ends = |key: &str| key.ends_with("_etcd") || key.ends_with("_etcd.zip");
    let keys = keys.iter().filter(|key| ends(key));
    keys.filter(|key| is_before(key, cut_off))
        .cloned()
        .collect()
}

fn is_before(name: &str, cut_off: DateTime<Utc>) -> bool {
    let time = name.split('_').next().unwrap();
    DateTime::parse_from_rfc3339(time).is_ok_and(|time| time < cut_off)
}

/// What `download --name` takes: keys that begin with the name and are it without their last
/// extension.
pub(crate) fn downloads(keys: &BTreeSet<String>, name: &str) -> Vec<String> {
    let stem = |key: &str| key.rfind('.').map_or(key, |dot| &key[..dot]).to_owned();
    let keys = keys.iter().filter(|key| key.starts_with(name));
    keys.filter(|key| stem(key) == name).cloned().collect()
}

/// What `delete --name` takes from the bucket: every key that begins with the name.
pub(crate) fn deletes(keys: &BTreeSet<String>, name: &str) -> BTreeSet<String> {
    let keys = keys.iter().filter(|key| key.starts_with(name));
    keys.cloned().collect()
}

/// The raw snapshot that it makes of a file: the entry `/backup/<name>` of a zip, which is the
/// first and in older releases must be the only one, or the file itself.
pub(crate) fn raw(file: &Path, name: &str) -> Vec<u8> {
    let bytes = fs::read(file).unwrap();
    if file.extension().is_none_or(|extension| extension != "zip") {
        return bytes;
    }
    assert_eq!(&bytes[..4], b"PK\x03\x04");
    let number = |at: usize| usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
    let data = 30 + number(26) + number(28);
    let entry = &bytes[30..30 + number(26)];
    assert_eq!(entry, format!("/backup/{name}").as_bytes());
    let mut raw = Vec::new();
    DeflateDecoder::new(&bytes[data..])
        .read_to_end(&mut raw)
        .unwrap();
    raw
}

/// Whether `etcdctl snapshot restore` takes it: whole blocks, and behind them their digest.
pub(crate) fn is_restorable(raw: &[u8]) -> bool {
    let Some(end) = raw.len().checked_sub(32) else {
        return false;
    };
    end > 0 && end % 512 == 0 && Sha256::digest(&raw[..end])[..] == raw[end..]
}
