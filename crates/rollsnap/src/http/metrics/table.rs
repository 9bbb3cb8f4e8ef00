//! Every family, once. `docs/metrics.md` is made from this table.

use super::family::{Family, Kind, Label};

const STORE: Label = Label {
    name: "store",
    values: &["local", "s3"],
};

/// What a snapshot is; the last three in the words of [`rollsnap_engine::catalog::Standing`].
pub(super) const STATE: Label = Label {
    name: "state",
    values: &["rolling", "pinned", "corrupt", "foreign", "suspect"],
};

const STAGE: Label = Label {
    name: "stage",
    values: &["save", "verify", "upload", "prune", "read_back", "drill"],
};

/// The labels of [`rollsnap_engine::Kind`]; a test compares them.
const KIND: Label = Label {
    name: "kind",
    values: &[
        "usage", "config", "corrupt", "source", "store", "full", "denied", "canceled", "bug",
    ],
};

const RESULT: Label = Label {
    name: "result",
    values: &["held", "corrupt", "failed"],
};

const CERTIFICATE: Label = Label {
    name: "certificate",
    values: &["etcd_ca", "etcd_client", "etcd_server", "http"],
};

const SECONDS: Kind = Kind::Histogram(&[
    0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0,
]);

const MIB: f64 = 1_048_576.0;

const BYTES: Kind = Kind::Histogram(&[
    MIB,
    16.0 * MIB,
    64.0 * MIB,
    128.0 * MIB,
    256.0 * MIB,
    512.0 * MIB,
    1024.0 * MIB,
    2048.0 * MIB,
    4096.0 * MIB,
    8192.0 * MIB,
]);

macro_rules! families {
    ($($id:ident $name:literal $kind:expr, [$($label:expr),*], $help:literal, $absent:literal;)*) => {
        $(pub(super) static $id: Family = Family {
            name: concat!("rollsnap_", $name),
            kind: $kind,
            labels: &[$($label),*],
            help: $help,
            absent: $absent,
        };)*

        /// Every family, in the order of the reference.
        pub static FAMILIES: &[&Family] = &[$(&$id),*];
    };
}

families! {
    BUILD_INFO "build_info" Kind::Gauge, [Label { name: "version", values: &[] }],
        "1, with the version of the program.", "";
    START "start_timestamp_seconds" Kind::Gauge, [],
        "When the daemon began.", "";
    ACTIVE "active" Kind::Gauge, [],
        "Whether snapshots are taken by the schedule: 0 where they are switched off.", "";
    READY "ready" Kind::Gauge, [],
        "Whether /readyz answers 200.", "";
    INTERVAL "interval_seconds" Kind::Gauge, [],
        "The longest time between two snapshots by the schedule.", "";
    NEXT "next_run_timestamp_seconds" Kind::Gauge, [],
        "When the next snapshot is due, or tried again after a failure.",
        "while snapshots are switched off";
    OVERDUE "overdue_timestamp_seconds" Kind::Gauge, [],
        "From when the newest snapshot of the schedule counts as too old: half of the shortest time between two after the next was due. /readyz goes by it.",
        "while snapshots are switched off, there is none, or the directory cannot be read";
    SUCCESS "last_success_timestamp_seconds" Kind::Gauge, [STORE],
        "When the newest snapshot of a store was complete, its digest proved; broken ones do not count.",
        "while there is none, or the store has not been read";
    PROVED "last_proved_timestamp_seconds" Kind::Gauge, [STORE],
        "When the newest snapshot of a store was complete whose content was verified deep and held.",
        "while there is none, or the store has not been read";
    AGE "last_success_age_seconds" Kind::Gauge, [STORE],
        "How long ago the newest snapshot of a store was complete.",
        "as rollsnap_last_success_timestamp_seconds";
    SNAPSHOTS "snapshots" Kind::Gauge, [STORE, STATE],
        "Snapshots of a store: those that retention keeps for now, one-offs that it never deletes, broken ones, those of other programs, those whose manifest does not fit.",
        "while the store has not been read";
    STORED "stored_bytes" Kind::Gauge, [STORE],
        "The bytes of all snapshots of a store.", "while the store has not been read";
    LISTED "listed_timestamp_seconds" Kind::Gauge, [STORE],
        "When a store was read last: the directory for each answer, the bucket after each upload.",
        "while the store has not been read";
    QUARANTINED "quarantined_snapshots" Kind::Gauge, [],
        "Broken snapshots that were moved aside and are still there.", "while that cannot be read";
    DELETED "deleted_snapshots_total" Kind::Counter, [STORE],
        "Snapshots that retention deleted.", "";
    SAVES "saves_total" Kind::Counter, [Label { name: "result", values: &["saved", "failed"] }],
        "Attempts at a snapshot.", "";
    FAILURES "failures_total" Kind::Counter, [STAGE, KIND],
        "Failures; of the bucket and of drills one for each time that they begin to fail.", "";
    SECONDS_OF "stage_duration_seconds" SECONDS, [STAGE],
        "How long a snapshot took in a stage, where that succeeded.", "";
    BYTES_OF "stage_bytes" BYTES, [STAGE],
        "How many bytes of a snapshot went through a stage, where that succeeded.", "";
    REMOTE_UP "remote_up" Kind::Gauge, [],
        "Whether the bucket answers rightly, as far as it was asked.", "without a bucket";
    DEBT "upload_debt_snapshots" Kind::Gauge, [],
        "Snapshots of this member that are here, verified, and not yet in the bucket.",
        "without a bucket, and until it was read";
    DEBT_BYTES "upload_debt_bytes" Kind::Gauge, [],
        "The bytes of those.", "without a bucket, and until it was read";
    READ_BACK "remote_verification_timestamp_seconds" Kind::Gauge, [],
        "When a copy in the bucket was last read back and compared.",
        "while none was, or the bucket has not been read";
    UNREAD "remote_unverified_snapshots" Kind::Gauge, [],
        "Copies in the bucket that were never read back.",
        "without a bucket, and until it was read";
    DRILL "last_drill_timestamp_seconds" Kind::Gauge, [],
        "When a restore was last rehearsed.", "while none was, as far as manifests tell";
    DRILL_AGE "last_drill_age_seconds" Kind::Gauge, [],
        "How long ago that was.", "as rollsnap_last_drill_timestamp_seconds";
    DRILL_SECONDS "last_drill_duration_seconds" Kind::Gauge, [],
        "How long that restore took.", "as rollsnap_last_drill_timestamp_seconds";
    DRILL_RESULT "last_drill_result" Kind::Gauge, [RESULT],
        "1 for what came of it, 0 for the others.", "as rollsnap_last_drill_timestamp_seconds";
    DRILLS "drills_total" Kind::Counter, [RESULT],
        "Rehearsals of a restore.", "";
    NOTICES "notices_total" Kind::Counter, [Label { name: "to", values: &["ping", "kubernetes"] },
            Label { name: "result", values: &["delivered", "failed"] }],
        "What was told to others, by what came of it: pings, and Events of Kubernetes.", "";
    FREE "directory_free_bytes" Kind::Gauge, [],
        "What is free on the file system of the directory.", "while that cannot be measured";
    ALL "directory_size_bytes" Kind::Gauge, [],
        "All bytes of that file system.", "while that cannot be measured";
    ETCD_UP "etcd_up" Kind::Gauge, [],
        "Whether a member told its status, asked once a minute.", "until it was asked";
    ETCD_SIZE "etcd_database_size_bytes" Kind::Gauge, [],
        "The member's database file.", "while the member does not answer";
    ETCD_IN_USE "etcd_database_in_use_bytes" Kind::Gauge, [],
        "What of it holds data; the rest is free pages.", "while the member does not answer";
    ETCD_REVISION "etcd_revision" Kind::Gauge, [],
        "The member's revision.", "while the member does not answer";
    CERTIFICATE_END "certificate_expiry_timestamp_seconds" Kind::Gauge, [CERTIFICATE],
        "When a certificate ends; of several the first.", "where there is no such certificate";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn labels_are_those_of_the_engine() {
        let kinds = rollsnap_engine::Kind::ALL.map(rollsnap_engine::Kind::label);
        assert_eq!(KIND.values, kinds);
        let stages = super::super::Stage::ALL.map(super::super::Stage::as_str);
        assert_eq!(STAGE.values, stages);
        let whom = crate::herald::Whom::ALL.map(crate::herald::Whom::as_str);
        assert_eq!(NOTICES.labels[0].values, whom);
    }

    #[test]
    fn names_are_as_prometheus_wants_them() {
        let names: BTreeSet<_> = FAMILIES.iter().map(|family| family.name).collect();
        assert_eq!(names.len(), FAMILIES.len());
        for family in FAMILIES {
            let is_total = family.name.ends_with("_total");
            assert_eq!(is_total, matches!(family.kind, Kind::Counter), "{family:?}");
            assert!(family.help.ends_with('.'), "{family:?}");
            // Making it is the test: it panics where a name or a label is not allowed.
            match family.kind {
                Kind::Gauge => drop(family.gauge()),
                Kind::Counter => drop(family.counter()),
                Kind::Histogram(_) => drop(family.histogram()),
            }
        }
    }
}
