//! The command line of `restore`: etcdutl's words where it has them.

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::operand::{OPERAND, operand};
use super::{printing, verb};
use crate::config::options::Group::{Bucket, Directory, Etcd, File, Log, Reading};

/// The verb's name.
pub(super) const NAME: &str = "restore";

/// What is to be restored, and how, as it was typed.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Restore {
    /// The snapshot: as for other verbs, or `latest`, or `latest-proved`. None for a rollback, or
    /// where [`until`](Self::until) says which.
    pub snapshot: Option<String>,
    /// The newest snapshot that is not after this moment.
    pub until: Option<String>,
    /// Whether only the bucket is looked at.
    pub from_s3: bool,
    /// The member's data directory.
    pub data_dir: String,
    /// Where its log goes, if not into it.
    pub wal_dir: Option<String>,
    /// The digest that the snapshot must have.
    pub digest: Option<String>,
    /// The member's name.
    pub name: String,
    /// All members of the cluster, with their peer URLs.
    pub initial_cluster: Option<String>,
    /// What makes the ids of this cluster different from those of others.
    pub initial_cluster_token: Option<String>,
    /// The member's own peer URLs.
    pub initial_advertise_peer_urls: Option<String>,
    /// By how much the revision goes up.
    pub bump_revision: String,
    /// Whether a digest is not asked for.
    pub skip_hash_check: bool,
    /// Whether all alarms go.
    pub drop_alarms: bool,
    /// Whether all alarms stay.
    pub keep_alarms: bool,
    /// Whether leases end, and their keys with them.
    pub expire_leases: bool,
    /// Whether authentication is switched off.
    pub disable_auth: bool,
    /// Whether no live member is asked, nor a snapshot of it taken.
    pub no_safety: bool,
    /// Whether what is there may be of a cluster that is none of the snapshot's.
    pub other_cluster: bool,
    /// Whether only the plan is printed.
    pub plan: bool,
    /// Whether the old directory comes back.
    pub rollback: bool,
}

/// The verb, for the whole command line.
pub(super) fn command() -> Command {
    printing(verb(
        NAME,
        "Makes a member's data directory from a snapshot, beside the old one, and exchanges them",
        &[File, Directory, Bucket, Reading, Etcd, Log],
    ))
    .args(which())
    .args(whereto())
    .args(as_whom())
    .args(with_what_changed())
    .args(beside_what_is_there())
    .arg(switch(
        "plan",
        "Prints what would be done, and does nothing.",
    ))
    .arg(
        switch(
            "rollback",
            "Puts the directory back that the last restore kept, and keeps the one that is there.",
        )
        .conflicts_with_all([OPERAND, "at", "plan"]),
    )
}

fn text(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).help(help)
}

fn switch(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .action(ArgAction::SetTrue)
        .help(help)
}

fn which() -> [Arg; 5] {
    [
        operand()
            .required(false)
            .required_unless_present_any(["at", "rollback"])
            .help(
                "The snapshot: latest, latest-proved, a name, a file, s3://BUCKET/KEY, or - for \
                 standard input.",
            ),
        text(
            "at",
            "TIME",
            "The newest snapshot that was not taken after this moment, such as 2026-05-01T12:00Z.",
        )
        .conflicts_with(OPERAND),
        switch("from-s3", "Looks for the snapshot in the bucket alone."),
        text(
            "digest",
            "SHA256",
            "The digest that the snapshot must have, as the plan prints it: what is restored on \
             several members must be the same bytes.",
        ),
        switch(
            "skip-hash-check",
            "Takes a snapshot without a digest, or with a wrong one. Its structure is checked all \
             the same.",
        ),
    ]
}

fn whereto() -> [Arg; 2] {
    [
        text(
            "data-dir",
            "DIR",
            "The member's data directory. An old one is kept as DIR.before-TIME.",
        )
        .required(true),
        text(
            "wal-dir",
            "DIR",
            "The directory of the log, where etcd's --wal-dir gives it one of its own. It becomes \
             a link through the data directory.",
        ),
    ]
}

fn beside_what_is_there() -> [Arg; 2] {
    [
        switch(
            "no-safety",
            "Asks no live member, and takes no snapshot of it; else one that --endpoints or the \
             like names, and that answers, is saved as before-restore-TIME first.",
        ),
        switch(
            "other-cluster",
            "Goes on where what is there has nothing in common with the snapshot.",
        ),
    ]
}

fn as_whom() -> [Arg; 4] {
    [
        text("name", "NAME", "The member's name.").default_value("default"),
        text(
            "initial-cluster",
            "NAME=URL,…",
            "Every member with its peer URLs; without it this member alone.",
        ),
        text(
            "initial-cluster-token",
            "TOKEN",
            "The same for all members of this restore, and of no other cluster; without it a \
             random one, for a member alone.",
        ),
        text(
            "initial-advertise-peer-urls",
            "URL,…",
            "This member's peer URLs; without it those of --initial-cluster, or \
             http://localhost:2380.",
        ),
    ]
}

fn with_what_changed() -> [Arg; 6] {
    [
        text(
            "bump-revision",
            "N",
            "By how much the revision goes up, so that no client sees it go back: auto, a number, \
             or 0. What lies before counts as compacted.",
        )
        .default_value("auto"),
        switch(
            "mark-compacted",
            "Understood for etcdutl's sake: whenever the revision goes up, what lies before is \
             compacted.",
        ),
        switch(
            "drop-alarms",
            "Leaves all alarms out, and not only those of a full database.",
        ),
        switch(
            "keep-alarms",
            "Keeps all alarms. One stops all writes until it is disarmed.",
        )
        .conflicts_with("drop-alarms"),
        switch(
            "expire-leases",
            "Ends all leases, and deletes their keys; else they come back with the whole of their \
             time.",
        ),
        switch(
            "disable-auth",
            "Switches authentication off: the way in when the root password is lost.",
        ),
    ]
}

/// What was typed.
pub(super) fn parse(matches: &ArgMatches) -> Restore {
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    Restore {
        snapshot: text(OPERAND),
        until: text("at"),
        from_s3: matches.get_flag("from-s3"),
        data_dir: text("data-dir").unwrap_or_default(),
        wal_dir: text("wal-dir"),
        digest: text("digest"),
        name: text("name").unwrap_or_default(),
        initial_cluster: text("initial-cluster"),
        initial_cluster_token: text("initial-cluster-token"),
        initial_advertise_peer_urls: text("initial-advertise-peer-urls"),
        bump_revision: text("bump-revision").unwrap_or_default(),
        skip_hash_check: matches.get_flag("skip-hash-check"),
        drop_alarms: matches.get_flag("drop-alarms"),
        keep_alarms: matches.get_flag("keep-alarms"),
        expire_leases: matches.get_flag("expire-leases"),
        disable_auth: matches.get_flag("disable-auth"),
        no_safety: matches.get_flag("no-safety"),
        other_cluster: matches.get_flag("other-cluster"),
        plan: matches.get_flag("plan"),
        rollback: matches.get_flag("rollback"),
    }
}
