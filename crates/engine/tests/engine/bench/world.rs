//! Everything a roller needs, kept over its restarts, and what must hold of it at any moment.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Read};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rollsnap_engine::catalog::Reader;
use rollsnap_engine::debt::Namesakes;
use rollsnap_engine::drills::Rehearsals;
use rollsnap_engine::enclosure::Enclosure;
use rollsnap_engine::examine::Examiner;
use rollsnap_engine::gentle::Hearer;
use rollsnap_engine::manifest::{Class, Content, Method};
use rollsnap_engine::name::{Part, TimeStyle};
use rollsnap_engine::pipeline::{Order, Pipeline, Saved};
use rollsnap_engine::proof::Proof;
use rollsnap_engine::quarantine::KEPT;
use rollsnap_engine::retention::{PruneForeign, Retention};
use rollsnap_engine::roller::Roller;
use rollsnap_engine::schedule::{Schedule, Timetable};
use rollsnap_engine::{Catalog, Clock, Codec, Manifest, SnapshotName};
use rollsnap_snapfile::{Digest, TrailerHasher};
use rollsnap_store::memory::Memory;
use rollsnap_store::wrap::{Faults, Faulty};
use rollsnap_store::{ObjectInfo, ObjectName, Store, Terms};
use sha2::{Digest as _, Sha256};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{
    Bucket, Cluster, Diary, Gate, Gated, Member, Script, StoreDrafts, StoreQuarantine, WallClock,
    Ways, index_of,
};

pub(crate) struct World {
    pub(crate) member: Arc<Member>,
    pub(crate) clock: Arc<WallClock>,
    pub(crate) diary: Arc<Diary>,
    pub(crate) local: Memory,
    pub(crate) drafts: Memory,
    pub(crate) remote: Memory,
    pub(crate) aside: Memory,
    pub(crate) examiner: Arc<Script>,
    /// The members that are asked, where snapshots are compared.
    pub(crate) peers: Option<Arc<Cluster>>,
    /// How deep what is saved is verified.
    pub(crate) verify: Method,
    pub(crate) remote_ways: Ways,
    pub(crate) local_gate: Gate,
    pub(crate) remote_gate: Gate,
    pub(crate) enclosure: Option<Arc<dyn Enclosure>>,
    pub(crate) codec: Codec,
    pub(crate) interval: Duration,
    /// Times of the day, which count over the interval.
    pub(crate) timetable: Option<Timetable>,
    pub(crate) retention: Retention,
    pub(crate) prune_foreign: PruneForeign,
    pub(crate) namesakes: Namesakes,
    /// The time in which copies are read back, where they are.
    pub(crate) verify_remote: Option<Duration>,
    /// The rehearsals of restores, where they are wanted.
    pub(crate) drills: Option<Rehearsals>,
    /// What a test put there, which must stay as it is.
    planted: BTreeMap<(String, ObjectName), Bytes>,
}

impl World {
    /// A member that answers, empty stores, an hour's interval, three kept.
    pub(crate) fn new() -> Self {
        let clock = Arc::new(WallClock::new());
        let time = Arc::clone(&clock);
        // The smallest snapshot has several pieces, so that there is something to cut.
        let remote = Memory::new("there").in_pieces_of(1024);
        Self {
            member: Arc::new(Member::new()),
            clock,
            diary: Arc::default(),
            local: Memory::new("here"),
            drafts: Memory::new("drafts"),
            remote: remote.telling_time_by(move || time.now()),
            aside: Memory::new("aside"),
            examiner: Arc::new(Script::new()),
            peers: None,
            verify: Method::Deep,
            remote_ways: Ways::default(),
            local_gate: Gate::open(),
            remote_gate: Gate::open(),
            codec: Codec::None,
            enclosure: None,
            interval: Duration::from_secs(3600),
            timetable: None,
            retention: Retention::Count(3),
            prune_foreign: PruneForeign::Never,
            namesakes: Namesakes::FirstStays,
            verify_remote: None,
            drills: None,
            planted: BTreeMap::new(),
        }
    }

    /// A pipeline over the stores as they are now, with `faults` in front of both sides.
    pub(crate) fn pipeline(&self, here: &Faults, there: &Faults) -> Pipeline {
        let local = Gated::new(self.local.clone(), self.local_gate.clone());
        let drafts = Gated::new(self.drafts.clone(), self.local_gate.clone());
        let remote = Bucket::new(self.remote.clone(), self.remote_ways.clone());
        let remote = Gated::new(remote, self.remote_gate.clone());
        let local = Faulty::new(local, here.clone());
        let aside = Gated::new(self.aside.clone(), self.local_gate.clone());
        let examiner = Arc::clone(&self.examiner) as Arc<dyn Examiner>;
        Pipeline {
            source: Arc::clone(&self.member) as _,
            local: Arc::new(local.clone()),
            drafts: Arc::new(StoreDrafts {
                drafts: Faulty::new(drafts, here.clone()),
                objects: local.clone(),
            }),
            quarantine: Arc::new(StoreQuarantine {
                room: Faulty::new(aside, here.clone()),
                objects: local,
            }),
            examiner: (self.verify == Method::Deep).then_some(examiner),
            peers: self.peers.clone().map(|peers| peers as _),
            remote: Some(Arc::new(Faulty::new(remote, there.clone()))),
            codec: self.codec,
            enclosure: self.enclosure.clone(),
            clock: Arc::clone(&self.clock) as _,
            limit: None,
            max_rate: None,
            hearer: Hearer::default(),
            tool: "rollsnap test".to_owned(),
        }
    }

    pub(crate) fn good_pipeline(&self) -> Pipeline {
        self.pipeline(&Faults::none(), &Faults::none())
    }

    pub(crate) fn roller(&self, pipeline: Pipeline) -> Roller {
        Roller {
            pipeline,
            schedule: match &self.timetable {
                Some(timetable) => Schedule::At(timetable.clone()),
                None => Schedule::Every(self.interval),
            },
            retention: self.retention,
            prune_foreign: self.prune_foreign,
            namesakes: self.namesakes,
            verify_remote: self.verify_remote,
            drills: self.drills.clone(),
            style: TimeStyle::Rfc3339,
            observer: Arc::clone(&self.diary) as _,
        }
    }

    /// Runs the daemon for so long, then kills it: everything is dropped where it is.
    pub(crate) async fn run(&self, time: Duration) {
        self.run_with(&Faults::none(), &Faults::none(), time).await;
    }

    pub(crate) async fn run_with(&self, here: &Faults, there: &Faults, time: Duration) {
        self.daemon(self.pipeline(here, there), sleep(time)).await;
    }

    /// Runs the daemon while `script` runs, then kills it.
    pub(crate) async fn during<T>(&self, script: impl Future<Output = T>) -> T {
        self.daemon(self.good_pipeline(), script).await
    }

    async fn daemon<T>(&self, pipeline: Pipeline, script: impl Future<Output = T>) -> T {
        let (roller, never) = (self.roller(pipeline), CancellationToken::new());
        let done = tokio::select! {
            () = roller.run(&never, &never) => {
                unreachable!("it ends only when told to")
            }
            done = script => done,
        };
        quiet().await;
        done
    }

    /// Puts an object somewhere that nobody may ever change.
    pub(crate) async fn plant(&mut self, store: &Memory, name: &str, bytes: &[u8]) {
        let name = ObjectName::new(name).expect("a name");
        write(store, &name, bytes).await;
        let place = (store.location().to_string(), name);
        self.planted.insert(place, Bytes::copy_from_slice(bytes));
    }

    /// Asserts what must hold at any moment, after any crash.
    pub(crate) async fn promises(&self) {
        for store in [&self.local, &self.remote] {
            self.only_whole_snapshots(store).await;
        }
        for ((place, name), bytes) in &self.planted {
            let store = match place.as_str() {
                "here" => &self.local,
                _ => &self.remote,
            };
            assert_eq!(store.get(name).as_ref(), Some(bytes), "{place}/{name}");
        }
        if self.verify == Method::Deep {
            self.nothing_unproved_is_there().await;
        }
        let mut saved = self.diary.saved();
        saved.retain(|manifest| {
            let digest = manifest.stored.content.digest.to_string();
            !self.examiner.has_broken(&digest)
        });
        if let Some(newest) = saved.last() {
            let here = catalog(&self.local).await;
            let entry = here.find(&newest.name);
            let standing = entry.map(|entry| &entry.standing);
            assert!(
                entry.is_some_and(|entry| entry.proved().is_some()),
                "the newest, {}: {standing:?}",
                newest.name
            );
        }
    }

    /// What is visible in the bucket was examined before, and held.
    async fn nothing_unproved_is_there(&self) {
        for entry in catalog(&self.remote).await.entries {
            let place = (self.remote.location().to_string(), entry.object());
            let bytes = self.remote.get(&entry.object()).expect("listed");
            let digest = content(&bytes).digest.to_string();
            assert!(
                self.planted.contains_key(&place) || self.examiner.has_held(&digest),
                "there/{} was never proved",
                entry.name
            );
        }
    }

    /// Every visible snapshot is whole and true, and every manifest beside one fits it.
    async fn only_whole_snapshots(&self, store: &Memory) {
        let place = store.location();
        for info in store.list("").await.expect("memory") {
            let bytes = store.get(&info.name).expect("listed");
            if self
                .planted
                .contains_key(&(place.to_string(), info.name.clone()))
            {
                continue;
            }
            match Part::of(&info.name).expect("nothing else is written") {
                Part::Stored(name, codec) => {
                    let plain = decode(&bytes, codec);
                    let mut hasher = TrailerHasher::default();
                    hasher.push(&plain);
                    let proof = hasher.finish().unwrap_or_else(|error| {
                        panic!("{place}/{name} is visible and half-made: {error}")
                    });
                    if let Some(manifest) = store.get(&name.manifest()) {
                        let manifest = Manifest::read(&name, &manifest).expect("a manifest");
                        if manifest.stored.codec != codec {
                            // Its successor's, which has it deleted.
                            continue;
                        }
                        assert_eq!(manifest.stored.content, content(&bytes), "{place}/{name}");
                        assert_eq!(manifest.database.digest, proof.database);
                        assert_eq!(manifest.database.size + 32, proof.size);
                    }
                }
                Part::Manifest(name) => {
                    Manifest::read(&name, &bytes).expect("a whole manifest");
                }
                Part::Bundle => assert_eq!(
                    store.location().to_string(),
                    "there",
                    "{name} was not planted",
                    name = info.name
                ),
                Part::Index(name) => {
                    let manifest = store.get(&name.manifest()).expect("what it lies beside");
                    let manifest = Manifest::read(&name, &manifest).expect("a manifest");
                    let digest = manifest.stored.content.digest.to_string();
                    assert_eq!(bytes, index_of(&digest).concat(), "{place}/{name}");
                }
            }
        }
    }

    /// Asserts that nothing is owed or left over: both sides hold the same, all of it proved.
    pub(crate) async fn healed(&self) {
        self.promises().await;
        let drafts = self.drafts.list("").await.expect("memory");
        assert!(drafts.is_empty(), "drafts: {drafts:?}");
        let aside = catalog(&self.aside).await;
        assert!(aside.entries.len() <= KEPT && aside.orphans.is_empty());
        let (mut sides, mut indexes) = (Vec::new(), Vec::new());
        for store in [&self.local, &self.remote] {
            let place = store.location().to_string();
            let catalog = catalog(store).await;
            assert!(catalog.orphans.is_empty(), "{place}: {:?}", catalog.orphans);
            let ours = catalog.entries.iter().filter(|entry| {
                let planted = (place.clone(), entry.object());
                !self.planted.contains_key(&planted)
            });
            let held: Vec<_> = ours
                .map(|entry| {
                    let manifest = entry.proved();
                    let manifest =
                        manifest.unwrap_or_else(|| panic!("{place}/{}: not proved", entry.name));
                    assert!(manifest.is_verified(self.verify), "{place}/{}", entry.name);
                    (entry.name.to_string(), manifest.stored.content.digest)
                })
                .collect();
            let names: BTreeSet<_> = catalog.entries.into_iter().map(|it| it.name).collect();
            let stray: Vec<_> = catalog.indexed.difference(&names).collect();
            assert!(stray.is_empty(), "{place}: indexes of nothing: {stray:?}");
            indexes.push(catalog.indexed);
            sides.push(held);
        }
        assert_eq!(sides[0], sides[1], "the bucket is in step");
        assert!(indexes[0].is_subset(&indexes[1]), "with its indexes");
    }

    /// How many uploads somebody pays for that nobody ended.
    pub(crate) fn unfinished(&self) -> usize {
        self.remote.unfinished().len()
    }

    /// How many uploads a later run could go on with.
    pub(crate) async fn tickets(&self) -> usize {
        let drafts = self.drafts.list("").await.expect("memory");
        let is_ticket = |info: &&ObjectInfo| info.name.as_str().ends_with(".upload");
        drafts.iter().filter(is_ticket).count()
    }

    /// The names of all proved snapshots of a store.
    pub(crate) async fn proved(&self, store: &Memory) -> Vec<String> {
        let catalog = catalog(store).await;
        let names = catalog.proved().map(|manifest| manifest.name.to_string());
        names.collect()
    }

    pub(crate) fn now(&self) -> chrono::DateTime<chrono::Utc> {
        self.clock.now()
    }
}

/// Lets everything that can still move come to rest.
pub(crate) async fn quiet() {
    sleep(Duration::from_millis(1)).await;
}

/// An order for a rolling snapshot, the first of its store.
pub(crate) fn order(name: &str) -> Order {
    Order {
        name: name_of(name),
        class: Class::Rolling,
        after: 0,
        shrunk: None,
        replaces: false,
    }
}

/// What follows a save by hand: its proof, and then its upload.
pub(crate) async fn copied(pipeline: &Pipeline, saved: Saved) -> Manifest {
    let Saved {
        manifest,
        upload,
        proof,
        ..
    } = saved;
    let proof = if let Some(proof) = proof {
        proof
    } else {
        let proof = pipeline.prove(manifest, Arc::new(|_, _| {})).await;
        proof.expect("it can be examined")
    };
    let Proof::Kept { manifest, .. } = proof else {
        panic!("it is broken, or gone");
    };
    let upload = upload.expect("there is a bucket");
    upload.commit(&manifest).await.expect("memory");
    *manifest
}

pub(crate) fn name_of(text: &str) -> SnapshotName {
    SnapshotName::new(text).expect("a name")
}

pub(crate) async fn write(store: &Memory, name: &ObjectName, bytes: &[u8]) {
    let mut upload = store.begin(name, Terms::replacing()).await.expect("memory");
    upload
        .write(Bytes::copy_from_slice(bytes))
        .await
        .expect("memory");
    upload.commit().await.expect("memory");
}

pub(crate) async fn catalog(store: &Memory) -> Catalog {
    Reader::default().read(store).await.expect("memory")
}

pub(crate) fn content(bytes: &[u8]) -> Content {
    Content {
        digest: Digest(Sha256::digest(bytes).into()),
        size: bytes.len() as u64,
    }
}

/// What the stored bytes stand for, by a plain decoder that knows no table.
pub(crate) fn decode(stored: &[u8], codec: Codec) -> Vec<u8> {
    match codec {
        Codec::None => stored.to_vec(),
        Codec::Zstd => {
            let mut plain = Vec::new();
            zstd::stream::read::Decoder::new(stored)
                .and_then(|mut decoder| decoder.read_to_end(&mut plain))
                .expect("a zstd file");
            plain
        }
        Codec::Zip => {
            let mut archive = zip::ZipArchive::new(Cursor::new(stored)).expect("a zip");
            let mut entry = archive.by_index(0).expect("an entry");
            let mut plain = Vec::new();
            entry.read_to_end(&mut plain).expect("a sound entry");
            plain
        }
    }
}
