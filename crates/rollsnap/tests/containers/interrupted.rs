//! What may happen to a container at any moment, and must cost nothing.

use std::collections::BTreeSet;

use crate::etcd::Etcd;
use crate::folder::Folder;
use crate::sidecar::{NONROOT, Setup, Sidecar};
use crate::wait::until;
use crate::world::World;

/// Streams of this size take seconds from a slowed etcd.
const LARGE: usize = 64 << 20;

struct Pair {
    etcd: Etcd,
    sidecar: Sidecar,
    folder: Folder,
    _world: World,
}

impl Pair {
    /// A sidecar that has made its first snapshot of a large database and deletes none.
    async fn start() -> Self {
        let world = World::enter();
        let etcd = Etcd::start(&world.network, LARGE, None).await;
        let folder = Folder::of(NONROOT);
        let sidecar = Setup::plain()
            .every("2s", "1h")
            .start(&world.network, &folder);
        sidecar.has_created(1).await;
        Self {
            etcd,
            sidecar,
            folder,
            _world: world,
        }
    }

    /// Returns in the middle of a save, etcd being slow.
    async fn in_mid_stream(&self) {
        self.etcd.slow_down();
        until(
            "a save under way",
            || {
                (1..LARGE as u64 / 2)
                    .contains(&self.folder.part_size()?)
                    .then_some(())
            },
            || self.sidecar.log(),
        )
        .await;
    }

    /// The promise: whatever was there is there, whole, and nothing half-made beside it.
    fn assert_nothing_is_lost(&self, before: &BTreeSet<String>) {
        let now = self.folder.snapshots();
        let lost: Vec<&String> = before.difference(&now).collect();
        assert!(lost.is_empty(), "lost: {lost:?}\n{}", self.sidecar.log());
        self.folder.assert_every_snapshot_is_whole();
        self.folder.assert_no_parts();
    }

    fn assert_running(&self) {
        assert!(
            self.sidecar.container.is_running(),
            "{}",
            self.sidecar.log()
        );
    }

    /// Goes on for one snapshot more, stops, and takes stock.
    async fn recovers(self, before: &BTreeSet<String>) {
        self.etcd.speed_up();
        self.sidecar.creates_another().await;
        self.sidecar.container.tell(&["stop"]);
        assert_eq!(
            self.sidecar.container.exit_code(),
            0,
            "{}",
            self.sidecar.log()
        );
        self.assert_nothing_is_lost(before);
    }
}

#[tokio::test]
async fn a_restart_in_mid_stream_loses_nothing() {
    let pair = Pair::start().await;
    let before = pair.folder.snapshots();
    pair.in_mid_stream().await;
    pair.sidecar.container.tell(&["restart"]);
    pair.recovers(&before).await;
}

#[tokio::test]
async fn a_stop_in_mid_stream_ends_well_and_leaves_nothing_half_made() {
    let pair = Pair::start().await;
    let before = pair.folder.snapshots();
    pair.in_mid_stream().await;
    pair.sidecar.container.tell(&["stop"]);
    // 137 would be the engine's kill, 10 s after it asked.
    assert_eq!(
        pair.sidecar.container.exit_code(),
        0,
        "{}",
        pair.sidecar.log()
    );
    pair.assert_nothing_is_lost(&before);
    pair.sidecar.container.tell(&["start"]);
    pair.recovers(&before).await;
}

#[tokio::test]
async fn a_killed_sidecar_leaves_no_half_made_file_under_a_final_name() {
    let pair = Pair::start().await;
    let before = pair.folder.snapshots();
    pair.in_mid_stream().await;
    let seen = pair.folder.snapshots();
    pair.sidecar.container.tell(&["kill"]);
    // The save that was cut is not among the final names.
    assert_eq!(pair.folder.snapshots(), seen);
    pair.folder.assert_every_snapshot_is_whole();
    // Its part is the next start's to sweep.
    pair.sidecar.container.tell(&["start"]);
    pair.recovers(&before).await;
}

#[tokio::test]
async fn a_killed_etcd_costs_one_attempt() {
    etcd_goes_and_comes(&["kill"], &["start"]).await;
}

#[tokio::test]
async fn a_stopped_etcd_costs_one_attempt() {
    // In the ten seconds that are the default the stream would come to its end.
    etcd_goes_and_comes(&["stop", "--time=1"], &["start"]).await;
}

#[tokio::test]
async fn a_restarted_etcd_costs_one_attempt() {
    etcd_goes_and_comes(&["restart", "--time=1"], &["start"]).await;
}

async fn etcd_goes_and_comes(goes: &[&str], comes: &[&str]) {
    let pair = Pair::start().await;
    let before = pair.folder.snapshots();
    pair.in_mid_stream().await;
    let mark = pair.sidecar.log().len();
    pair.etcd.container.tell(goes);
    pair.sidecar.says_after(mark, "msg=\"Backup failed\"").await;
    pair.assert_running();
    pair.etcd.container.tell(comes);
    pair.recovers(&before).await;
}

/// A paused etcd neither sends nor closes: only a clock tells, the connection's or the stream's. It is
/// stopped by a signal: the engine's own pause fails while a process waits for the disk.
#[tokio::test]
async fn an_etcd_paused_in_mid_stream_is_noticed_and_survived() {
    let pair = Pair::start().await;
    let before = pair.folder.snapshots();
    pair.in_mid_stream().await;
    let mark = pair.sidecar.log().len();
    pair.etcd.container.tell(&["kill", "--signal=STOP"]);
    pair.sidecar.says_after(mark, "msg=\"Backup failed\"").await;
    pair.assert_running();
    pair.etcd.container.tell(&["kill", "--signal=CONT"]);
    pair.recovers(&before).await;
}
