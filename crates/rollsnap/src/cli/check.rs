//! The verb that tries out the set-up: `check`.

use clap::{Arg, ArgAction, ArgMatches, Command};
use rollsnap_store::Effort;

use super::{Verb, printing, verb};
use crate::config::options::Group::{Bucket, Directory, Etcd, File, Log};

pub(super) const NAME: &str = "check";

const HARMLESS: &str = "harmless";

pub(super) fn command() -> Command {
    let about = "Tries out etcd, the directory and the bucket, and tells what does not hold";
    printing(verb(NAME, about, &[File, Directory, Etcd, Bucket, Log])).arg(
        Arg::new(HARMLESS)
            .long(HARMLESS)
            .action(ArgAction::SetTrue)
            .help("Only reads: writes no probe and begins no snapshot, as the daemon's own look."),
    )
}

pub(super) fn parse(matches: &ArgMatches) -> Verb {
    Verb::Check(if matches.get_flag(HARMLESS) {
        Effort::Harmless
    } else {
        Effort::Full
    })
}
