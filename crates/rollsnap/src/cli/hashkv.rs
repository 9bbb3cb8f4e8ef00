//! The verb that compares a snapshot with what members hold: `hashkv`.

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use super::operand::{OPERAND, operand};
use super::{printing, verb};
use crate::config::options::Group::{Bucket, Directory, Etcd, File, Log, Reading};

pub(super) const NAME: &str = "hashkv";

/// What is to be hashed, and compared with what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HashKv {
    /// The snapshot.
    pub operand: String,
    /// The last revision to hash; the snapshot's last by default.
    pub revision: Option<u64>,
    /// Hashed as by a member that was compacted there; where the snapshot was by default.
    pub compact_revision: Option<u64>,
    /// Whether the members are asked too.
    pub against: bool,
}

pub(super) fn command() -> Command {
    let about = "Hashes a snapshot's keys as HashKV does, and compares it with every member";
    printing(verb(
        NAME,
        about,
        &[File, Directory, Etcd, Bucket, Reading, Log],
    ))
    .arg(operand())
    .arg(revision(
        "rev",
        "The last revision to hash; without it, the snapshot's last.",
    ))
    .arg(
        revision(
            "compact-rev",
            "Hashes as a member does whose history was compacted at this revision; without it, \
             where the snapshot's was.",
        )
        .conflicts_with("against"),
    )
    .arg(
        Arg::new("against")
            .long("against")
            .action(ArgAction::SetTrue)
            .help(
                "Asks every member of the cluster behind --endpoints for its hash at the same \
                 revision. A member applies no write while it reckons, about a second for each \
                 GB. Exit code 4 if one holds something else.",
            ),
    )
}

pub(super) fn parse(matches: &ArgMatches) -> HashKv {
    let number = |id| matches.get_one::<u64>(id).copied();
    let operand = matches.get_one::<String>(OPERAND).cloned();
    HashKv {
        operand: operand.unwrap_or_default(),
        revision: number("rev"),
        compact_revision: number("compact-rev"),
        against: matches.get_flag("against"),
    }
}

fn revision(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .value_name("REVISION")
        .value_parser(value_parser!(u64))
        .help(help)
}
