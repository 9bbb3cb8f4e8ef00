//! `docs/cli.md`, made from the command line itself.

use std::fmt::Write as _;

use clap::{Arg, Command};
use rollsnap_engine::Kind;

use crate::config::options::{Group, OPTIONS};

const HEAD: &str = "\
# Command line

<!-- Made from crates/rollsnap/src/cli/: `just bless` writes it anew. -->

`rollsnap VERB [OPTIONS]`. Results go to standard output, as text or with `-o json` in the shapes
of [json.md](json.md); errors and the log go to standard error. The options are the same for every
verb that takes them; [config.md](config.md) has them all, with their variables and keys.
";

/// The reference page.
pub fn page() -> String {
    let mut page = String::from(HEAD);
    for verb in super::command().get_subcommands() {
        section(&mut page, "rollsnap", verb);
    }
    page.push_str("\n## Exit codes\n\n| code | kind | means |\n|---|---|---|\n| 0 | | done |\n");
    page.push_str("| 1 | | `diff --exit-code`: something differs |\n");
    for kind in Kind::ALL {
        // Writing to a text cannot fail.
        let _ = writeln!(
            page,
            "| {} | {} | {} |",
            kind.exit_code(),
            kind.label(),
            kind.meaning()
        );
    }
    page
}

fn section(page: &mut String, before: &str, command: &Command) {
    let name = format!("{before} {}", command.get_name());
    let about = command
        .get_about()
        .map(ToString::to_string)
        .unwrap_or_default();
    let nested: Vec<_> = command.get_subcommands().collect();
    if !nested.is_empty() {
        for nested in nested {
            section(page, &name, nested);
        }
        return;
    }
    let _ = writeln!(page, "\n## {name}\n\n{about}.");
    let is_shared = |arg: &&Arg| {
        OPTIONS
            .iter()
            .any(|spec| spec.name == arg.get_id().as_str())
    };
    let own: Vec<_> = command
        .get_arguments()
        .filter(|arg| !is_shared(arg) && arg.get_id() != "help")
        .collect();
    if !own.is_empty() {
        page.push_str("\n| argument | means |\n|---|---|\n");
        for arg in own {
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(page, "| `{}` | {help}{} |", shape(arg), words(arg));
        }
    }
    let takes = |group: &Group| {
        let options = OPTIONS.iter().filter(|spec| spec.group == *group);
        options
            .into_iter()
            .any(|spec| command.get_arguments().any(|arg| arg.get_id() == spec.name))
    };
    let groups: Vec<_> = Group::ALL.into_iter().filter(takes).map(link).collect();
    if !groups.is_empty() {
        let _ = writeln!(page, "\nOptions: {}.", groups.join(", "));
    }
}

/// A group's heading in the page of the configuration.
fn link(group: Group) -> String {
    let title = group.title();
    format!(
        "[{title}](config.md#{})",
        title.to_lowercase().replace(' ', "-")
    )
}

/// What an argument may be, where that is one of a few words, and what it is unless it is said.
fn words(arg: &Arg) -> String {
    let values = arg.get_possible_values();
    if values.is_empty() || !arg.get_action().takes_values() {
        return String::new();
    }
    let default = arg.get_default_values().first();
    let words: Vec<_> = values
        .iter()
        .map(|value| match default {
            Some(default) if value.matches(&default.to_string_lossy(), false) => {
                format!("`{}` (default)", value.get_name())
            }
            _ => format!("`{}`", value.get_name()),
        })
        .collect();
    format!(" {}.", words.join(", "))
}

/// An argument as it is written: `-o, --output FORMAT`, `NAME`.
fn shape(arg: &Arg) -> String {
    let value = arg
        .get_value_names()
        .and_then(|names| names.first())
        .map(ToString::to_string);
    let takes_value = arg.get_action().takes_values();
    let value = value.filter(|_| takes_value).unwrap_or_default();
    let Some(long) = arg.get_long() else {
        return value;
    };
    let short = arg
        .get_short()
        .map(|short| format!("-{short}, "))
        .unwrap_or_default();
    format!("{short}--{long} {value}").trim_end().to_owned()
}
