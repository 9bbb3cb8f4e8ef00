//! The command line: verbs here, options from the table in [`options`](crate::config::options).

mod check;
pub mod drill;
pub mod hashkv;
pub mod look;
pub mod operand;
mod prove;
pub mod reference;
pub mod restore;
pub mod rke;
pub mod times;

use std::ffi::OsString;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use clap_complete::Shell;
use rollsnap_store::Effort;

use crate::commands::verify;
use crate::config::Flags;
use crate::config::options::{Group, Id, Kind, OPTIONS, OnCommandLine, Spec};
use crate::output::Format;

/// What is to be done, and with which flags.
#[derive(Debug)]
pub struct Invocation {
    /// The verb.
    pub verb: Verb,
    /// The options that were given as flags.
    pub flags: Flags,
    /// How results are printed.
    pub format: Format,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verb {
    /// The daemon.
    Run,
    /// One snapshot now.
    Save {
        /// Its name, if it was given one.
        name: Option<String>,
    },
    /// What there is.
    List,
    /// How the backups stand.
    Board,
    /// Retention now.
    Prune {
        /// Whether it is carried out.
        mode: PruneMode,
    },
    /// One snapshot less.
    Delete {
        /// Its name.
        name: String,
        /// Where.
        from: Side,
    },
    /// A local snapshot to the bucket.
    Upload {
        /// Its name.
        name: String,
    },
    /// A snapshot of the bucket to the directory.
    Download {
        /// Its name.
        name: String,
    },
    /// What a snapshot holds.
    Status {
        /// The snapshot.
        operand: String,
    },
    /// Whether snapshots are whole.
    Verify(verify::Request),
    /// Whether the bucket's copies are what was uploaded.
    VerifyRemote {
        /// Their names; all without any.
        names: Vec<String>,
    },
    /// A snapshot's hash, and the members'.
    HashKv(hashkv::HashKv),
    /// Inside a snapshot.
    Look(look::Look),
    /// Ahead and back in time.
    Times(times::Times),
    /// A data directory from a snapshot.
    Restore(restore::Restore),
    /// A restore rehearsed.
    Drill(drill::Drill),
    /// The certificates of old clusters of RKE.
    RkePki(rke::Pki),
    /// Whether the set-up holds.
    Check(Effort),
    /// Whether the configuration is right.
    ConfigCheck,
    /// What is in force and who said it.
    ConfigShow,
    /// Which program this is.
    Version,
    /// A script for a shell.
    Completion(Shell),
}

/// Whether a plan is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PruneMode {
    /// It is.
    Act,
    /// It is only shown.
    DryRun,
}

/// Which stores are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The directory.
    Local,
    /// The bucket.
    Remote,
    /// Both.
    Everywhere,
}

/// The whole command line, for parsing, completion and the reference page.
pub fn command() -> Command {
    use Group::{Bucket, Directory, Etcd, File, Log, Schedule, Snapshot};
    let name = || {
        Arg::new("snapshot-name")
            .value_name("NAME")
            .required(true)
            .help("The snapshot's name, as list shows it.")
    };
    Command::new("rollsnap")
        .about("Rolling, verified snapshots of etcd")
        .version(env!("CARGO_PKG_VERSION"))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .subcommand(verb(
            "run",
            "Takes, rotates and uploads snapshots by the schedule until stopped",
            &Group::ALL,
        ))
        .subcommand(
            printing(verb(
                "save",
                "Takes one snapshot now, which retention never deletes",
                &[File, Directory, Etcd, Snapshot, Bucket, Log],
            ))
            .arg(
                Arg::new("as").long("name").value_name("NAME").help(
                    "The snapshot's name; without one it is rke_etcd_snapshot_ and the time.",
                ),
            ),
        )
        .subcommand(printing(verb(
            "list",
            "Shows every snapshot of the directory and of the bucket",
            &[File, Directory, Bucket, Log],
        )))
        .subcommand(board())
        .subcommand(
            printing(verb(
                "prune",
                "Carries out the retention of directory and bucket now",
                &[File, Directory, Schedule, Bucket, Log],
            ))
            .arg(
                Arg::new("dry-run")
                    .long("dry-run")
                    .action(ArgAction::SetTrue)
                    .help("Shows what would be deleted and why, and deletes nothing."),
            ),
        )
        .subcommand(
            printing(verb(
                "delete",
                "Deletes one snapshot and its manifest",
                &[File, Directory, Bucket, Log],
            ))
            .arg(name())
            .arg(
                Arg::new("from")
                    .long("from")
                    .value_name("STORE")
                    .value_parser(["local", "remote", "everywhere"])
                    .default_value("everywhere")
                    .help("Where to delete it."),
            ),
        )
        .subcommand(
            printing(verb(
                "upload",
                "Copies a local snapshot to the bucket, proved on the way",
                &[File, Directory, Bucket, Log],
            ))
            .arg(name()),
        )
        .subcommand(
            printing(verb(
                "download",
                "Copies a snapshot of the bucket to the directory, proved on the way",
                &[File, Directory, Bucket, Log],
            ))
            .arg(name()),
        )
        .subcommands(prove::commands())
        .subcommand(hashkv::command())
        .subcommands(look::commands())
        .subcommands(times::commands())
        .subcommands([
            restore::command(),
            rke::command(),
            check::command(),
            config(),
        ])
        .subcommand(printing(verb(
            "version",
            "Tells which program this is",
            &[],
        )))
        .subcommand(completion())
}

fn board() -> Command {
    use Group::{Bucket, Directory, File, Log, Schedule};
    let about = "Tells whether the cluster could be restored now, and what is to be done";
    printing(verb(
        "board",
        about,
        &[File, Directory, Schedule, Bucket, Log],
    ))
}

fn completion() -> Command {
    Command::new("completion")
        .about("Prints a completion script for a shell")
        .arg(
            Arg::new("shell")
                .value_name("SHELL")
                .required(true)
                .value_parser(value_parser!(Shell))
                .help("The shell."),
        )
}

fn config() -> Command {
    Command::new("config")
        .about("Checks or shows the settings that would be in force")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(printing(verb(
            "check",
            "Tells every fault of file, flags and environment, or that there is none",
            &Group::ALL,
        )))
        .subcommand(printing(verb(
            "show",
            "Shows every setting and who said it, without secrets",
            &Group::ALL,
        )))
}

/// A verb with the options of these groups.
fn verb(name: &'static str, about: &'static str, groups: &[Group]) -> Command {
    let options = OPTIONS
        .iter()
        .filter(|spec| groups.contains(&spec.group) && spec.on_command_line == OnCommandLine::Flag);
    Command::new(name).about(about).args(options.map(option))
}

fn printing(command: Command) -> Command {
    command.arg(
        Arg::new("output")
            .short('o')
            .long("output")
            .value_name("FORMAT")
            .value_parser(["text", "json"])
            .default_value("text")
            .help("How the result is printed."),
    )
}

fn option(spec: &'static Spec) -> Arg {
    let arg = Arg::new(spec.name)
        .long(spec.name)
        .value_name(spec.value_name)
        .help_heading(spec.group.title())
        .help(help(spec));
    match spec.kind {
        Kind::Switch => arg
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true"),
        Kind::OneOf(words) => arg.value_parser(words.to_vec()),
        // A wrong number is for the settings to judge, which know what would be right.
        Kind::Hours | Kind::Duration | Kind::Retention | Kind::Number => {
            arg.allow_negative_numbers(true)
        }
        // PEM text begins with dashes.
        _ if spec.id == Id::S3EndpointCa => arg.allow_hyphen_values(true),
        _ => arg,
    }
}

/// What an option means, which variables carry it too, and what is in force without it.
fn help(spec: &Spec) -> String {
    let mut text = spec.help.to_owned();
    if !spec.env.is_empty() {
        text = format!("{text} [env: {}]", spec.env.join(", "));
    }
    if spec.default != "none" {
        text = format!("{text} [default: {}]", spec.default);
    }
    text
}

/// Reads the command line. The error prints itself and knows its exit code; `--help` and
/// `--version` are such errors too.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Invocation, clap::Error> {
    let matches = command().try_get_matches_from(args)?;
    let Some((name, matches)) = matches.subcommand() else {
        unreachable!("clap demands a verb")
    };
    let text = |matches: &ArgMatches, id: &str| matches.get_one::<String>(id).cloned();
    let given = || text(matches, "snapshot-name").unwrap_or_default();
    let (verb, matches) = match name {
        "run" => (Verb::Run, matches),
        "save" => (
            Verb::Save {
                name: text(matches, "as"),
            },
            matches,
        ),
        "list" => (Verb::List, matches),
        "board" => (Verb::Board, matches),
        "prune" if matches.get_flag("dry-run") => (
            Verb::Prune {
                mode: PruneMode::DryRun,
            },
            matches,
        ),
        "prune" => (
            Verb::Prune {
                mode: PruneMode::Act,
            },
            matches,
        ),
        "delete" => {
            let (name, from) = (given(), side(matches));
            (Verb::Delete { name, from }, matches)
        }
        "upload" => (Verb::Upload { name: given() }, matches),
        "download" => (Verb::Download { name: given() }, matches),
        restore::NAME => (Verb::Restore(restore::parse(matches)), matches),
        rke::NAME => {
            let (pki, matches) = rke::parse(matches);
            (Verb::RkePki(pki), matches)
        }
        check::NAME => (check::parse(matches), matches),
        hashkv::NAME => (Verb::HashKv(hashkv::parse(matches)), matches),
        "config" => match matches.subcommand() {
            Some(("show", matches)) => (Verb::ConfigShow, matches),
            Some((_, matches)) => (Verb::ConfigCheck, matches),
            None => unreachable!("clap demands check or show"),
        },
        "completion" => {
            let shell = matches
                .get_one::<Shell>("shell")
                .copied()
                .unwrap_or(Shell::Bash);
            (Verb::Completion(shell), matches)
        }
        name => {
            if let Some((times, matches)) = times::parse(name, matches) {
                return Ok(invocation(Verb::Times(times), matches));
            }
            let look = || look::parse(name, matches).map(Verb::Look);
            let verb = prove::parse(name, matches).or_else(look);
            (verb.unwrap_or(Verb::Version), matches)
        }
    };
    Ok(invocation(verb, matches))
}

fn invocation(verb: Verb, matches: &ArgMatches) -> Invocation {
    let format = match matches.try_get_one::<String>("output") {
        Ok(Some(word)) if word == "json" => Format::Json,
        _ => Format::Text,
    };
    Invocation {
        verb,
        flags: flags(matches),
        format,
    }
}

/// The stores that `--from` names.
fn side(matches: &ArgMatches) -> Side {
    match matches.get_one::<String>("from").map(String::as_str) {
        Some("local") => Side::Local,
        Some("remote") => Side::Remote,
        _ => Side::Everywhere,
    }
}

/// The options that were given on the command line.
fn flags(matches: &ArgMatches) -> Flags {
    let mut flags = Flags::default();
    for spec in &OPTIONS {
        if let Ok(Some(text)) = matches.try_get_one::<String>(spec.name) {
            flags.set(spec.id, text);
        }
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        command().debug_assert();
    }
}
