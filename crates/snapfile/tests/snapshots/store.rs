//! A model of etcd's store: what it would write, and what it would answer.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message;
use rollsnap_snapfile::mvcc::Revision;

use crate::chance::Chance;
use crate::pairs::{Buckets, Pairs};

/// mvccpb.KeyValue.
#[derive(Clone, PartialEq, Eq, Message)]
pub(crate) struct KeyValue {
    #[prost(bytes, tag = "1")]
    pub(crate) key: Vec<u8>,
    #[prost(int64, tag = "2")]
    pub(crate) create_revision: i64,
    #[prost(int64, tag = "3")]
    pub(crate) mod_revision: i64,
    #[prost(int64, tag = "4")]
    pub(crate) version: i64,
    #[prost(bytes, tag = "5")]
    pub(crate) value: Vec<u8>,
    #[prost(int64, tag = "6")]
    pub(crate) lease: i64,
}

#[derive(Debug, Clone)]
struct Row {
    revision: Revision,
    is_tombstone: bool,
    record: KeyValue,
}

impl Row {
    fn key(&self) -> Vec<u8> {
        let mut key = self.revision.to_bytes().to_vec();
        key.extend(self.is_tombstone.then_some(b't'));
        key
    }
}

/// All that ever happened, and what compactions left of it.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    /// Everything, compacted or not.
    log: Vec<Row>,
    /// Places in the log of what is gone.
    gone: BTreeSet<usize>,
    alive: BTreeMap<Vec<u8>, KeyValue>,
    pub(crate) last: u64,
    pub(crate) compacted: Option<u64>,
    finished: Option<u64>,
    pub(crate) leases: BTreeSet<i64>,
}

impl Store {
    pub(crate) fn new() -> Self {
        Self {
            log: Vec::new(),
            gone: BTreeSet::new(),
            alive: BTreeMap::new(),
            last: 1,
            compacted: None,
            finished: None,
            leases: BTreeSet::new(),
        }
    }

    /// A life of random length.
    pub(crate) fn lived(chance: &mut Chance) -> Self {
        let mut store = Self::new();
        let keys: Vec<_> = (0..=chance.index(50)).map(|n| key(chance, n)).collect();
        let steps = match chance.below(20) {
            0 => 0,
            1..12 => chance.below(60),
            12..19 => chance.below(400),
            _ => 2000,
        };
        for _ in 0..steps {
            if chance.one_in(60) {
                store.compact(chance);
            }
            if chance.one_in(30) {
                store.leases.insert(chance.next().cast_signed() >> 1);
            }
            store.transact(chance, &keys);
        }
        if chance.one_in(4) {
            store.compact(chance);
        }
        store
    }

    /// Some more of it, with its own keys and new ones.
    pub(crate) fn live_on(&mut self, chance: &mut Chance) {
        let new = (0..5).map(|n| key(chance, n)).collect::<Vec<_>>();
        let keys: Vec<_> = self.alive.keys().cloned().chain(new).collect();
        for _ in 0..chance.below(60) {
            self.transact(chance, &keys);
        }
    }

    fn transact(&mut self, chance: &mut Chance, keys: &[Vec<u8>]) {
        let main = self.last + 1;
        let changes = if chance.one_in(6) {
            1 + chance.index(6)
        } else {
            1
        };
        let mut touched = BTreeSet::new();
        for _ in 0..changes {
            let key = &keys[chance.index(keys.len())];
            if touched.insert(key) {
                let revision = Revision {
                    main,
                    sub: touched.len() as u64 - 1,
                };
                let is_tombstone = chance.one_in(4);
                if !self.change(chance, revision, key, is_tombstone) {
                    touched.remove(key);
                }
            }
        }
        // A transaction that changed nothing takes no revision.
        if !touched.is_empty() {
            self.last = main;
        }
    }

    fn change(&mut self, chance: &mut Chance, at: Revision, key: &[u8], delete: bool) -> bool {
        let before = self.alive.remove(key);
        if delete && before.is_none() {
            return false;
        }
        let main = at.main.cast_signed();
        let record = if delete {
            KeyValue {
                key: key.to_vec(),
                ..KeyValue::default()
            }
        } else {
            let lease = self.leases.first().filter(|_| chance.one_in(5));
            KeyValue {
                key: key.to_vec(),
                create_revision: before.as_ref().map_or(main, |old| old.create_revision),
                mod_revision: main,
                version: before.map_or(0, |old| old.version) + 1,
                value: chance.value(),
                lease: lease.copied().unwrap_or(0),
            }
        };
        if !delete {
            self.alive.insert(key.to_vec(), record.clone());
        }
        self.log.push(Row {
            revision: at,
            is_tombstone: delete,
            record,
        });
        true
    }

    /// Compacts somewhere after the last time: wholly, or only as far as to say so, or cut short
    /// by a snapshot half way.
    fn compact(&mut self, chance: &mut Chance) {
        let from = self.compacted.unwrap_or(1);
        let at = from + chance.below(self.last - from + 1);
        if at <= from {
            return;
        }
        self.compacted = Some(at);
        let keep: BTreeSet<_> = self.survivors(at).into_values().collect();
        // Servers up to 3.4.33 and 3.5.15 drop a deletion at the revision itself, later ones not.
        let drops_last_word = chance.one_in(2);
        let mut goes: Vec<_> = (0..self.log.len())
            .filter(|place| self.log[*place].revision.main <= at && !keep.contains(place))
            .filter(|place| {
                let row = &self.log[*place];
                drops_last_word || !(row.is_tombstone && row.revision.main == at)
            })
            .collect();
        match chance.below(5) {
            0 => goes.clear(),
            1 => goes.truncate(goes.len() / 2),
            _ => self.finished = Some(at),
        }
        self.gone.extend(goes);
    }

    /// Where in the log the record of each key lies that is alive at a revision.
    fn survivors(&self, at: u64) -> BTreeMap<&[u8], usize> {
        let mut survivors = BTreeMap::new();
        for (place, row) in self.log.iter().enumerate() {
            if row.revision.main <= at {
                survivors.insert(&*row.record.key, place);
            }
        }
        survivors.retain(|_, place| !self.log[*place].is_tombstone);
        survivors
    }

    /// What a range over all keys at a revision answers.
    pub(crate) fn range(&self, at: u64) -> Vec<KeyValue> {
        let survivors = self.survivors(at).into_values();
        survivors
            .map(|place| self.log[place].record.clone())
            .collect()
    }

    /// etcd's `HashKV`, by its definition, over all that ever happened.
    pub(crate) fn hash_kv(&self, at: u64, compacted: u64) -> u32 {
        let keep: BTreeSet<_> = self.survivors(at).into_values().collect();
        let mut hash = crc32c::crc32c(b"key");
        for (place, row) in self.log.iter().enumerate() {
            let main = row.revision.main;
            let is_gone = main <= compacted && !keep.is_empty() && !keep.contains(&place);
            // The definition is for records that are there: without a survivor none is.
            let was_removed = keep.is_empty() && self.gone.contains(&place);
            let is_last_word = main == compacted && row.is_tombstone;
            if main <= at && !is_gone && !was_removed && !is_last_word {
                hash = crc32c::crc32c_append(hash, &row.key());
                hash = crc32c::crc32c_append(hash, &row.record.encode_to_vec());
            }
        }
        hash
    }

    pub(crate) fn tombstones(&self) -> usize {
        let rows = self.log.iter().enumerate();
        rows.filter(|(place, row)| row.is_tombstone && !self.gone.contains(place))
            .count()
    }

    /// The buckets that etcd would have of it.
    pub(crate) fn buckets(&self, chance: &mut Chance) -> Buckets {
        let text = |name: &str, value: &str| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
        let number =
            |name: &str, value: u64| (name.as_bytes().to_vec(), value.to_be_bytes().into());
        let rows = self.log.iter().enumerate();
        let kept = rows.filter(|(place, _)| !self.gone.contains(place));
        let records = kept.map(|(_, row)| (row.key(), row.record.encode_to_vec()));
        let leases = self
            .leases
            .iter()
            .map(|id| (id.to_be_bytes().to_vec(), vec![8, 1]));

        let mut meta = Pairs::from([number("consistent_index", self.last + chance.below(100))]);
        if chance.one_in(2) {
            meta.extend([
                number("term", 2 + chance.below(9)),
                text(
                    "confState",
                    r#"{"voters":[4702111234474983745],"auto_leave":false}"#,
                ),
            ]);
        }
        if chance.one_in(3) {
            meta.extend([text("storageVersion", "3.6.0")]);
        }
        let compactions = [
            ("scheduledCompactRev", self.compacted),
            ("finishedCompactRev", self.finished),
        ];
        for (name, at) in compactions {
            let at = at.map(|main| Revision { main, sub: 0 }.to_bytes().to_vec());
            meta.extend(at.map(|at| (name.as_bytes().to_vec(), at)));
        }
        let mut members = Pairs::new();
        for n in 0..=chance.below(4) {
            let id = chance.next();
            let member =
                format!(r#"{{"id":{id},"peerURLs":["http://10.0.0.{n}:2380"],"name":"m{n}"}}"#);
            members.insert(format!("{id:x}").into_bytes(), member.into_bytes());
        }
        let contents = [
            ("alarm", Pairs::new()),
            (
                "auth",
                Pairs::from([("authRevision".into(), 1_u64.to_be_bytes().into())]),
            ),
            ("authRoles", Pairs::new()),
            ("authUsers", Pairs::new()),
            ("cluster", Pairs::from([text("clusterVersion", "3.5.0")])),
            ("key", records.collect()),
            ("lease", leases.collect()),
            ("members", members),
            ("members_removed", Pairs::new()),
            ("meta", meta),
        ];
        contents.map(|(name, pairs)| (name.into(), pairs)).into()
    }
}

/// Keys as people and as nobody would have them.
fn key(chance: &mut Chance, n: usize) -> Vec<u8> {
    match chance.below(4) {
        0 => {
            let len = 1 + chance.index(60);
            [chance.bytes(len), n.to_be_bytes().to_vec()].concat()
        }
        _ => format!("/registry/pods/ns-{}/pod-{n}", n % 3).into_bytes(),
    }
}
