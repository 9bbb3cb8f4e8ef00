//! Everything that happens, as values. The engine tells; whoever runs it writes the log.

use std::time::Duration;

use chrono::TimeDelta;
use rollsnap_etcd::SourceError;
use rollsnap_store::{Location, ObjectInfo, ObjectName, Remark, StoreError};

use crate::drill::DrillError;
use crate::gentle::Haste;
use crate::manifest::Manifest;
use crate::proof::ProofError;
use crate::quarantine::Quarantined;
use crate::retention::Reason;
use crate::save_error::SaveError;
use crate::schedule::Schedule;
use crate::{Catalog, Codec, SnapshotName};

/// Hears what happens, in order. Must return at once.
pub trait Observer: Send + Sync {
    /// One thing happened.
    fn tell(&self, event: Event<'_>);
}

/// One thing that happened. Times are what it took, by the monotonic clock.
#[derive(Debug, Clone)]
pub enum Event<'a> {
    /// The daemon begins. Always the first event.
    Started {
        /// When it will save.
        schedule: &'a Schedule,
        /// How long a snapshot stays, as a time: count times interval where a count rules.
        keep: Duration,
    },
    /// What the directory holds is known, and with it when the first save is due.
    Waiting {
        /// How long until then; zero when it is overdue.
        first: Duration,
    },
    /// When the next attempt at a snapshot is due. Told at the start and whenever that changes.
    Next {
        /// How long until then; zero when it is overdue.
        wait: Duration,
    },
    /// Something an earlier run left was put right.
    Recovered(Recovery),
    /// An attempt at the snapshot that is due begins. What comes of it is told of the same name.
    Begins {
        /// The name that it will have.
        name: &'a SnapshotName,
    },
    /// A snapshot is published here, its digest proved.
    Saved {
        /// Everything known of it.
        manifest: &'a Manifest,
        /// From the first question to etcd to the published manifest.
        took: Duration,
    },
    /// A snapshot's content was verified deep, and is whole. Its manifest's verdict tells whether
    /// members of its cluster dispute it.
    Verified {
        /// Everything known of it.
        manifest: &'a Manifest,
        /// From opening it to the rewritten manifest.
        took: Duration,
    },
    /// A snapshot could not be compared with what the members hold. It counts as it would if that
    /// were not wanted.
    NotCompared {
        /// Which.
        name: &'a SnapshotName,
        /// Why.
        error: &'a SourceError,
    },
    /// The index of a snapshot's keys could not be written. It is read through where a key is
    /// wanted.
    NotIndexed {
        /// Which.
        name: &'a SnapshotName,
        /// Why.
        error: &'a StoreError,
    },
    /// A snapshot's content is not what it should be: it was moved aside.
    Quarantined(&'a Quarantined),
    /// A snapshot could not be verified. It stays as it is, and is tried again later; told once
    /// of each.
    ProofFailed {
        /// Which.
        name: &'a SnapshotName,
        /// Why.
        error: &'a ProofError,
    },
    /// A snapshot waits for the end of a defragmentation, ten minutes at most. Told once.
    Defragmenting {
        /// What the member says to whoever asks it.
        error: &'a SourceError,
    },
    /// There is no room for a snapshot as etcd sends it, and none that is known tells what it will
    /// shrink to. It is taken all the same.
    Tight {
        /// Its name.
        name: &'a SnapshotName,
        /// What there is room for.
        error: &'a StoreError,
    },
    /// From here on a snapshot is read at full speed, although a most was set.
    PaceLetGo {
        /// Why.
        haste: Haste,
    },
    /// Whether retention is held, for the cluster has no space left for writes: each change is
    /// told once.
    RetentionHeld(bool),
    /// An attempt at a snapshot left nothing but what may be in quarantine.
    SaveFailed {
        /// The name it would have had.
        name: &'a SnapshotName,
        /// Why.
        error: &'a SaveError,
        /// Attempts so far for this due moment.
        attempt: u32,
        /// The wait before the next.
        retry_in: Duration,
    },
    /// A snapshot is in the bucket, whole, with its manifest.
    Uploaded {
        /// Everything known of it.
        manifest: &'a Manifest,
        /// Where.
        location: &'a Location,
        /// From the first byte to the manifest.
        took: Duration,
        /// The bytes that an earlier upload had sent already.
        resumed: u64,
    },
    /// A copy was read back from the bucket. Its manifest's `read_back` tells what came of it.
    ReadBack {
        /// Everything known of it.
        manifest: &'a Manifest,
        /// Where.
        location: &'a Location,
    },
    /// Copies cannot be read back, or what was read cannot be written down. Tried again soon, and
    /// told once until that succeeds.
    ReadBackFailed {
        /// Where.
        location: &'a Location,
        /// Why.
        error: &'a StoreError,
    },
    /// Restores are rehearsed. Told at the start, where that is wanted.
    Drills {
        /// The time from one to the next.
        every: Duration,
        /// The snapshot of the last, whose manifest tells what came of it; `None` where no manifest
        /// that is left tells of any.
        last: Option<&'a Manifest>,
        /// How long ago that was.
        age: Option<Duration>,
    },
    /// A restore of a snapshot was rehearsed. Its manifest's `drill` tells what came of it.
    Drilled {
        /// Everything known of it.
        manifest: &'a Manifest,
    },
    /// A restore could not be rehearsed, or what came of it not be written down. Tried again soon,
    /// and told once until that succeeds.
    DrillFailed {
        /// Why.
        error: &'a DrillError,
    },
    /// A copy that was no longer what had been uploaded was uploaded anew, in its place.
    Replaced {
        /// Everything known of it.
        manifest: &'a Manifest,
        /// Where.
        location: &'a Location,
    },
    /// The bucket was read whole.
    RemoteListed {
        /// What it holds, before what the round does to it next.
        catalog: &'a Catalog,
    },
    /// Retention of the bucket begins.
    RemoteRotation {
        /// Where.
        location: &'a Location,
    },
    /// The bucket began to fail. Told once, until [`RemoteBack`](Event::RemoteBack).
    RemoteDown {
        /// Where.
        location: &'a Location,
        /// Why.
        error: &'a StoreError,
        /// Snapshots that are here and not there.
        owed: usize,
    },
    /// The bucket answers again.
    RemoteBack {
        /// Where.
        location: &'a Location,
    },
    /// A snapshot was deleted.
    Deleted {
        /// Which.
        name: &'a SnapshotName,
        /// How it was encoded, which its file's extension told.
        codec: Codec,
        /// Where.
        location: &'a Location,
        /// Why.
        reason: Reason,
        /// How long it took.
        took: Duration,
    },
    /// What no rule ever deletes, for another program made it. Told once of each store, where
    /// there is anything.
    LeftAlone {
        /// Where.
        location: &'a Location,
        /// Snapshots without a manifest.
        snapshots: usize,
        /// Objects that are no snapshots.
        others: usize,
        /// All of them.
        names: Vec<ObjectName>,
    },
    /// A snapshot that would go stays for now, for the bucket has neither it nor enough newer ones.
    /// Told once of each.
    HeldBack {
        /// Which.
        name: &'a SnapshotName,
        /// Where it should go.
        location: &'a Location,
    },
    /// A snapshot that would go is under a lock. Tried again later, and told once of each.
    Locked {
        /// Which.
        name: &'a SnapshotName,
        /// Where.
        location: &'a Location,
    },
    /// Something was found out about the bucket while it was used; nothing failed for it.
    Remarked {
        /// Where.
        location: &'a Location,
        /// What, and the cure.
        remark: &'a Remark,
    },
    /// What uploads left in the bucket could not be looked for. Tried again, and told once until
    /// that succeeds.
    SweepFailed {
        /// Where.
        location: &'a Location,
        /// Why.
        error: &'a StoreError,
    },
    /// What an earlier run left could not be looked at now. Tried again soon.
    RecoveryFailed {
        /// Where.
        location: &'a Location,
        /// Why.
        error: &'a StoreError,
    },
    /// The directory cannot be read for what the bucket is owed. Tried again soon, and told once
    /// until that succeeds.
    MirrorBlind {
        /// Where.
        location: &'a Location,
        /// Why.
        error: &'a StoreError,
    },
    /// Retention could not be carried out. Nothing was deleted that should stay. Of the bucket it
    /// is told once until a round there succeeds whole.
    PruneFailed {
        /// Where.
        location: &'a Location,
        /// Why.
        error: &'a StoreError,
    },
    /// A local snapshot was not copied to the bucket and will not be: it is no longer what its
    /// manifest says, or its name is taken there.
    NotCopied {
        /// Which.
        name: &'a SnapshotName,
        /// Why.
        error: &'a StoreError,
    },
    /// Another member saved in the same second, and its snapshot has the name in the bucket: another
    /// is taken a little later, and from then on at that phase.
    SteppedAside {
        /// The one that was not uploaded, which was told.
        name: &'a SnapshotName,
        /// The time until the other.
        wait: Duration,
    },
    /// The certificates that RKE before v0.2.0 keeps beside the snapshots are in the bucket.
    BundleUploaded {
        /// The object.
        object: &'a ObjectInfo,
        /// Where.
        location: &'a Location,
    },
    /// Those certificates cannot be uploaded as they are here. Told once, until they change.
    BundleUnfit {
        /// Why.
        error: &'a StoreError,
    },
    /// The wall clock was set, forward where positive.
    ClockJumped {
        /// By how much.
        by: TimeDelta,
    },
}

/// What an earlier run had left half done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recovery {
    /// A published snapshot got its manifest.
    Completed(SnapshotName),
    /// A snapshot was never published; its draft of a manifest is gone.
    Forgotten(SnapshotName),
    /// The spool of a process that died is gone.
    Swept(String),
    /// A deletion was finished.
    Deleted(SnapshotName),
    /// What an upload that nobody ended had left in the bucket was freed.
    Freed(ObjectName),
}
