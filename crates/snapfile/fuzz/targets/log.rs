//! Any bytes as a segment of a member's log, the same as records under right checksums, and as the
//! members of a cluster that is founded.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rollsnap_snapfile::restore::{
    Cluster, Kind, LogRecord, log_segment, raft_snapshot, raft_snapshot_name, read_segment,
};

/// By the numbers that etcd gives them (`server/storage/wal/wal.go`); the one of the checksum, 4, has
/// no data.
const KINDS: [(u8, Kind); 4] = [
    (1, Kind::Metadata),
    (2, Kind::Entry),
    (3, Kind::State),
    (5, Kind::Snapshot),
];

fuzz_target!(|data: &[u8]| {
    if let Ok(records) = read_segment(data) {
        let held: usize = records.iter().map(|record| record.data.len()).sum();
        assert!(held + records.len() * 8 <= data.len(), "out of nothing");
    }
    records(data);
    if let Ok(text) = std::str::from_utf8(data) {
        founded(text);
    }
});

/// Each byte but the first of a piece is data of a record of the kind that the first says. What is
/// framed as etcd frames it is read back, up to any cut.
fn records(data: &[u8]) {
    let pieces: Vec<_> = data.split(|byte| *byte == b'\n').collect();
    let wanted: Vec<_> = pieces
        .iter()
        .filter_map(|piece| {
            let (kind, data) = piece.split_first()?;
            Some((KINDS[usize::from(kind % 4)], data))
        })
        .collect();
    let mut segment = Vec::new();
    frame(&mut segment, 4, 0, None);
    let mut sum = 0;
    for ((number, _), data) in &wanted {
        sum = crc32c::crc32c_append(sum, data);
        frame(&mut segment, *number, sum, Some(data));
    }
    let read = read_segment(&segment).expect("it is framed as etcd does");
    let wanted: Vec<_> = wanted
        .iter()
        .map(|((_, kind), data)| LogRecord { kind: *kind, data })
        .collect();
    assert_eq!(read, wanted);
    let cut = data.len() * 7 % segment.len();
    if let Ok(part) = read_segment(&segment[..cut]) {
        assert!(wanted.starts_with(&part));
    }
}

fn frame(segment: &mut Vec<u8>, kind: u8, sum: u32, data: Option<&[u8]>) {
    let mut record = vec![0x08, kind, 0x10];
    varint(&mut record, sum as usize);
    if let Some(data) = data {
        record.push(0x1a);
        varint(&mut record, data.len());
        record.extend_from_slice(data);
    }
    let padding = record.len().next_multiple_of(8) - record.len();
    let mut length = (record.len() as u64).to_le_bytes();
    if padding > 0 {
        length[7] = 0x80 | padding as u8;
    }
    segment.extend_from_slice(&length);
    segment.extend_from_slice(&record);
    segment.extend(std::iter::repeat_n(0, padding));
}

fn varint(bytes: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// What a restore writes for these members can be read: an entry for each of them, and four records.
fn founded(text: &str) {
    let Ok(members) = Cluster::parse(text) else {
        return;
    };
    let Ok(cluster) = Cluster::new(&members, text) else {
        return;
    };
    for member in cluster.members() {
        let segment = log_segment(&cluster, member);
        let records = read_segment(&segment).expect("it is ours");
        let entries = records.iter().filter(|record| record.kind == Kind::Entry);
        assert_eq!(entries.count(), cluster.members().len());
        assert_eq!(records.len(), cluster.members().len() + 4);
    }
    assert!(!raft_snapshot(&cluster).is_empty());
    assert!(raft_snapshot_name(&cluster).ends_with(".snap"));
}
