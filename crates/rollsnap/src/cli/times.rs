//! The verbs that look ahead and back in time: `schedule preview` and `coverage`.

use clap::{Arg, ArgMatches, Command, value_parser};

use super::{printing, verb};
use crate::config::options::Group::{Bucket, Directory, File, Log, Schedule};

/// Looks ahead or back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// What schedule and retention come to in so many days.
    Preview {
        /// How many.
        days: u32,
    },
    /// What of the last so many days could be restored.
    Coverage {
        /// How many.
        days: u32,
    },
}

const PREVIEW: &str = "schedule";
const COVERAGE: &str = "coverage";

pub(super) fn commands() -> [Command; 2] {
    let preview = printing(verb(
        "preview",
        "Shows the next snapshots and what will be kept, and warns where that is too little",
        &[File, Directory, Schedule, Log],
    ));
    let coverage = printing(verb(
        COVERAGE,
        "Shows hour by hour what could be restored, from where, and where there are gaps",
        &[File, Directory, Schedule, Bucket, Log],
    ));
    [
        Command::new(PREVIEW)
            .about("Looks ahead")
            .subcommand_required(true)
            .arg_required_else_help(true)
            .subcommand(preview.arg(days("Looks so many days ahead, 1 to 3660."))),
        coverage.arg(days("Looks so many days back, 1 to 3660.")),
    ]
}

fn days(help: &'static str) -> Arg {
    Arg::new("days")
        .long("days")
        .value_name("N")
        .value_parser(value_parser!(u32).range(1..=3660))
        .default_value("30")
        .help(help)
}

pub(super) fn parse<'a>(name: &str, matches: &'a ArgMatches) -> Option<(Times, &'a ArgMatches)> {
    let of = |matches: &ArgMatches| matches.get_one("days").copied().unwrap_or(30);
    match name {
        PREVIEW => {
            let (_, matches) = matches.subcommand()?;
            let days = of(matches);
            Some((Times::Preview { days }, matches))
        }
        COVERAGE => {
            let days = of(matches);
            Some((Times::Coverage { days }, matches))
        }
        _ => None,
    }
}
