//! The command line of `drill`.

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::operand::{OPERAND, operand};
use super::{printing, verb};
use crate::config::options::Group::{Bucket, Directory, File, Log, Reading};

/// The verb's name.
pub(super) const NAME: &str = "drill";

/// What is to be rehearsed, and how, as it was typed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Drill {
    /// The snapshot: as for other verbs, or `latest`, or `latest-proved`.
    pub snapshot: String,
    /// Whether only the bucket is looked at.
    pub from_s3: bool,
    /// The program of the etcd that is started on what was restored.
    pub boot: Option<String>,
    /// How long it may take.
    pub boot_timeout: String,
    /// Whether a digest is not asked for.
    pub skip_hash_check: bool,
}

/// The verb, for the whole command line.
pub(super) fn command() -> Command {
    let switch = |name, help| {
        Arg::new(name)
            .long(name)
            .action(ArgAction::SetTrue)
            .help(help)
    };
    printing(verb(
        NAME,
        "Rehearses a restore where nobody sees it, and removes it again",
        &[File, Directory, Bucket, Reading, Log],
    ))
    .arg(operand().required(false).default_value("latest").help(
        "The snapshot: latest, latest-proved, a name, a file, s3://BUCKET/KEY, or - for standard \
         input.",
    ))
    .arg(switch(
        "from-s3",
        "Looks for the snapshot in the bucket alone.",
    ))
    .arg(Arg::new("boot").long("boot").value_name("ETCD").help(
        "The program of an etcd, which is started on what was restored, asked whether it \
                 has the same keys, and killed; without it the drill_boot of the configuration, or \
                 none.",
    ))
    .arg(
        Arg::new("boot-timeout")
            .long("boot-timeout")
            .value_name("DURATION")
            .default_value("5m0s")
            .help("How long it may take until it has answered."),
    )
    .arg(switch(
        "skip-hash-check",
        "Takes a snapshot without a digest, or with a wrong one. Its structure is checked all the \
         same.",
    ))
}

/// What was typed.
pub(super) fn parse(matches: &ArgMatches) -> Drill {
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    Drill {
        snapshot: text(OPERAND).unwrap_or_default(),
        from_s3: matches.get_flag("from-s3"),
        boot: text("boot"),
        boot_timeout: text("boot-timeout").unwrap_or_default(),
        skip_hash_check: matches.get_flag("skip-hash-check"),
    }
}
