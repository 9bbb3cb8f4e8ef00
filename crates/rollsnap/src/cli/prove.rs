//! The verbs that prove: `status`, `verify` and `drill`.

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::operand::{OPERAND, operand};
use super::{Verb, drill, printing, side, verb};
use crate::commands::verify::Request;
use crate::config::options::Group::{Bucket, Directory, File, Log, Reading};

/// The verbs, for the whole command line.
pub(super) fn commands() -> [Command; 3] {
    let groups = [File, Directory, Bucket, Reading, Log];
    [
        printing(verb(
            "status",
            "Shows what a snapshot holds, and whether its digest holds",
            &groups,
        ))
        .arg(operand()),
        printing(verb(
            "verify",
            "Proves snapshots: digest, pages, records and revisions",
            &groups,
        ))
        .arg(
            operand()
                .required(false)
                .num_args(1..)
                .required_unless_present("all"),
        )
        .arg(
            Arg::new("all")
                .long("all")
                .action(ArgAction::SetTrue)
                .conflicts_with(OPERAND)
                .help("Every snapshot of the directory, or of the stores that --from names."),
        )
        .arg(
            Arg::new("from")
                .long("from")
                .value_name("STORE")
                .conflicts_with(OPERAND)
                .value_parser(["local", "remote", "everywhere"])
                .default_value("local")
                .help("Where --all looks."),
        )
        .arg(
            Arg::new("remote")
                .long("remote")
                .action(ArgAction::SetTrue)
                .conflicts_with_all(["from", "digest", "deep"])
                .help(
                    "Reads the bucket's copies back and compares their bytes with what was \
                     uploaded, and writes into their manifests when that was.",
                ),
        )
        .arg(
            Arg::new("digest")
                .long("digest")
                .action(ArgAction::SetTrue)
                .help("Compares digests only: half the work, and blind to what was broken before."),
        )
        .arg(
            Arg::new("deep")
                .long("deep")
                .action(ArgAction::SetTrue)
                .conflicts_with("digest")
                .help("Also walks every page and record; the default."),
        ),
        drill::command(),
    ]
}

/// The verb, if it is one of these.
pub(super) fn parse(name: &str, matches: &ArgMatches) -> Option<Verb> {
    let operands = || matches.get_many::<String>(OPERAND).into_iter().flatten();
    match name {
        "status" => Some(Verb::Status {
            operand: operands().next().cloned().unwrap_or_default(),
        }),
        "verify" if matches.get_flag("remote") => Some(Verb::VerifyRemote {
            names: operands().cloned().collect(),
        }),
        "verify" => Some(Verb::Verify(Request {
            operands: operands().cloned().collect(),
            all: matches.get_flag("all").then(|| side(matches)),
            digest_only: matches.get_flag("digest"),
        })),
        drill::NAME => Some(Verb::Drill(drill::parse(matches))),
        _ => None,
    }
}
