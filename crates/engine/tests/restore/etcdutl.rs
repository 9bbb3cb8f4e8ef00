//! etcd's own restore of the same file, and what clients see of either.

use std::fs;
use std::path::Path;
use std::process::Command;

use etcd_client::{Client, WatchOptions};
use rollsnap_engine::restore::{Alarms, bump};
use rollsnap_testkit::etcd_real::{EtcdReal, EtcdVersion, Seat};
use rollsnap_testkit::tools;

use crate::answers::{alarms, answers, members, root};
use crate::history::{cluster, lived, saved};
use crate::{order, run};

/// Who restores.
#[derive(Debug, Clone, Copy)]
enum By {
    /// We, with the revision raised by so many.
    Us(Option<u64>),
    /// The tool that came with the server.
    Etcd(EtcdVersion),
}

impl By {
    fn restore(self, file: &[u8], seat: &Seat) {
        let cluster = cluster(std::slice::from_ref(seat));
        match self {
            Self::Us(bump) => {
                let mut order = order(&seat.data_dir);
                order.me = cluster.members()[0].clone();
                order.changes.cluster = cluster;
                order.changes.alarms = Alarms::Keep;
                order.changes.bump = bump;
                run(file, &order).unwrap();
            }
            Self::Etcd(version) => {
                let snapshot = tempfile::NamedTempFile::new().unwrap();
                fs::write(snapshot.path(), file).unwrap();
                restore_by_etcd(version, snapshot.path(), seat, cluster.token());
            }
        }
    }
}

fn restore_by_etcd(version: EtcdVersion, snapshot: &Path, seat: &Seat, token: &str) {
    let tool = match version {
        EtcdVersion::V3_4 => "etcdctl-3.4",
        EtcdVersion::V3_5 => "etcdutl-3.5",
    };
    let made = Command::new(tools::path(tool))
        .env("ETCDCTL_API", "3")
        .args(["snapshot", "restore", "--name", &seat.name])
        .args(["--initial-cluster-token", token])
        .arg("--initial-cluster")
        .arg(format!("{}={}", seat.name, seat.peer_url))
        .args(["--initial-advertise-peer-urls", &seat.peer_url])
        .arg("--data-dir")
        .args([&seat.data_dir, snapshot])
        .output()
        .unwrap();
    let complaint = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success(), "{complaint}");
}

/// The place of a server that runs.
async fn seat_of(etcd: &EtcdReal) -> Seat {
    let (_, known) = members(&mut etcd.client().await).await;
    let [(_, name, urls, _)] = &known[..] else {
        panic!("{known:?}");
    };
    Seat {
        name: name.clone(),
        peer_url: urls[0].clone(),
        data_dir: etcd.data_dir(),
    }
}

/// The server goes on with what `by` makes of the file, where it was.
async fn restart_from(etcd: &mut EtcdReal, seat: &Seat, file: &[u8], by: By) {
    etcd.kill();
    fs::remove_dir_all(&seat.data_dir).unwrap();
    by.restore(file, seat);
    etcd.restart().await;
}

#[tokio::test]
async fn the_same_questions_have_the_same_answers_as_after_etcds_own_restore() {
    for version in EtcdVersion::ALL {
        let (file, _) = lived(version).await;
        let mut etcd = EtcdReal::builder().version(version).start().await;
        let seat = seat_of(&etcd).await;
        let mut told = Vec::new();
        for by in [By::Etcd(version), By::Us(None)] {
            restart_from(&mut etcd, &seat, &file, by).await;
            let mut client = root(&etcd).await;
            told.push((
                answers(&mut client).await,
                members(&mut client).await,
                alarms(&mut client).await,
            ));
        }
        assert_eq!(told[0], told[1], "{version:?}");
        assert_eq!(told[1].2, 1, "the alarm is kept by both");
    }
}

/// What keeps up with a server as controllers do: it lists, watches on from there, and lists anew
/// where the server no longer has what came between.
struct Controller {
    client: Client,
    /// The highest revision that it was told of.
    seen: i64,
    keys: Vec<(String, String)>,
    lists: u32,
}

/// What a watch brought.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    /// That it is watched, at this revision of the store.
    Watching(i64),
    Event {
        revision: i64,
        key: String,
    },
    Compacted(i64),
}

impl Controller {
    async fn of(etcd: &EtcdReal) -> Self {
        let mut new = Self {
            client: etcd.client().await,
            seen: 0,
            keys: Vec::new(),
            lists: 0,
        };
        new.list().await;
        new
    }

    async fn list(&mut self) {
        let options = etcd_client::GetOptions::new().with_prefix();
        let said = self.client.get("pods/", Some(options)).await.unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let pairs = said.kvs().iter();
        self.keys = pairs
            .map(|pair| (text(pair.key()), text(pair.value())))
            .collect();
        self.seen = said.header().unwrap().revision();
        self.lists += 1;
    }

    /// Watches what comes after what it has seen, until `enough`.
    async fn watch(&mut self, enough: impl Fn(&Told) -> bool) -> Vec<Told> {
        let options = WatchOptions::new().with_prefix();
        let options = options.with_start_revision(self.seen + 1);
        let mut stream = self.client.watch("pods/", Some(options)).await.unwrap();
        let mut all = Vec::new();
        loop {
            let message = stream.message().await.unwrap().unwrap();
            let events = message.events().iter().filter_map(|event| event.kv());
            let mut told: Vec<_> = events
                .map(|pair| Told::Event {
                    revision: pair.mod_revision(),
                    key: pair.key_str().unwrap().to_owned(),
                })
                .collect();
            if message.canceled() {
                told.push(Told::Compacted(message.compact_revision()));
            } else if message.created() {
                told.push(Told::Watching(message.header().unwrap().revision()));
            }
            for told in told {
                let was_enough = enough(&told);
                all.push(told);
                if was_enough {
                    return all;
                }
            }
        }
    }
}

/// A server, a snapshot of it, and somebody who saw 20 changes that came after it.
async fn watched(version: EtcdVersion) -> (EtcdReal, Vec<u8>, Controller) {
    let etcd = EtcdReal::builder().version(version).start().await;
    for n in 0..30 {
        etcd.put(&format!("pods/{n:02}"), "early").await;
    }
    let file = saved(&mut etcd.client().await).await;
    let mut controller = Controller::of(&etcd).await;
    for n in 0..20 {
        etcd.put(&format!("pods/{n:02}"), "late").await;
    }
    let last = controller.seen + 20;
    let is_last = |told: &Told| matches!(told, Told::Event { revision, .. } if *revision == last);
    assert_eq!(controller.watch(is_last).await.len(), 1 + 20);
    controller.seen = last;
    (etcd, file, controller)
}

#[tokio::test]
async fn without_a_bump_a_controller_misses_what_it_misses_after_etcds_own_restore() {
    for version in EtcdVersion::ALL {
        let (mut etcd, file, controller) = Box::pin(watched(version)).await;
        let seat = seat_of(&etcd).await;
        let mut told = Vec::new();
        for by in [By::Etcd(version), By::Us(None)] {
            restart_from(&mut etcd, &seat, &file, by).await;
            let mut controller = Controller {
                client: etcd.client().await,
                keys: controller.keys.clone(),
                ..controller
            };
            // As many changes again, and one: only that one has a revision that it waits for.
            for n in 0..21 {
                etcd.put(&format!("pods/{n:02}"), "other").await;
            }
            let any = |told: &Told| matches!(told, Told::Event { .. } | Told::Compacted(_));
            told.push(controller.watch(any).await);
        }
        assert_eq!(told[0], told[1], "{version:?}");
        let first = Told::Event {
            revision: controller.seen + 1,
            key: "pods/20".to_owned(),
        };
        assert_eq!(told[1].last(), Some(&first));
    }
}

#[tokio::test]
async fn with_a_bump_a_controller_is_told_at_once_reads_anew_and_never_goes_back() {
    for version in EtcdVersion::ALL {
        let (mut etcd, file, mut controller) = Box::pin(watched(version)).await;
        let seat = seat_of(&etcd).await;
        let at = order(&seat.data_dir).at;
        let by = bump([], controller.seen.unsigned_abs() - 20, None, Some(at), at);
        restart_from(&mut etcd, &seat, &file, By::Us(Some(by))).await;
        controller.client = etcd.client().await;
        // Nobody wrote yet.
        let ends = |told: &Told| matches!(told, Told::Event { .. } | Told::Compacted(_));
        let told = controller.watch(ends).await;
        let [.., Told::Compacted(compacted)] = told[..] else {
            panic!("{told:?}");
        };
        let before = controller.seen;
        controller.list().await;
        assert!(compacted > before && controller.seen >= compacted);
        assert_eq!(controller.lists, 2);
        assert_eq!(controller.keys.len(), 30);
        assert!(controller.keys.iter().all(|(_, value)| value == "early"));

        etcd.put("pods/00", "other").await;
        let told = controller.watch(ends).await;
        let next = Told::Event {
            revision: controller.seen + 1,
            key: "pods/00".to_owned(),
        };
        assert_eq!(told.last(), Some(&next), "{version:?}");
    }
}
