//! A command line as Go's `flag` package reads it: `-x v`, `--x v`, `-x=v`, `--x=v`; a switch
//! stands alone or with `=`; `--` ends the flags.
//!
//! One thing is as the releases since v0.1.83 have it: words between flags are passed over, where
//! the older ones stopped reading without a word.

use std::ffi::OsString;
use std::ops::Range;

use super::flags::{Flag, Kind};

/// A flag as it was given.
#[derive(Debug)]
pub(super) struct Said<'a> {
    pub(super) flag: &'static Flag,
    pub(super) value: &'a str,
    /// The arguments that say it.
    pub(super) at: Range<usize>,
}

/// The flags among the arguments, in their order. `known` finds a flag by its name.
///
/// # Errors
/// What is wrong with the first that cannot be read, in Go's words.
pub(super) fn read(
    args: &[OsString],
    known: impl Fn(&str) -> Option<&'static Flag>,
) -> Result<Vec<Said<'_>>, String> {
    let mut said = Vec::new();
    let mut at = 0;
    while let Some(arg) = args.get(at) {
        let begin = at;
        at += 1;
        let arg = text(arg)?;
        if arg == "--" {
            break;
        }
        let Some(word) = arg.strip_prefix('-').filter(|word| !word.is_empty()) else {
            continue;
        };
        let word = word.strip_prefix('-').unwrap_or(word);
        if word.starts_with(['-', '=']) {
            return Err(format!("bad flag syntax: {arg}"));
        }
        let (name, given) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word, None),
        };
        let Some(flag) = known(name) else {
            return Err(format!("flag provided but not defined: -{name}"));
        };
        let value = match given {
            Some(value) => value,
            None if flag.kind == Kind::Switch => "true",
            None => {
                let value = args.get(at);
                let value = value.ok_or_else(|| format!("flag needs an argument: -{name}"))?;
                at += 1;
                text(value)?
            }
        };
        said.push(Said {
            flag,
            value,
            at: begin..at,
        });
    }
    Ok(said)
}

/// Whether help is asked for. A word that is a flag's value asks for nothing, whatever it looks like.
pub(super) fn asks_for_help(
    args: &[OsString],
    known: impl Fn(&str) -> Option<&'static Flag>,
) -> bool {
    let mut args = args.iter().take_while(|arg| *arg != "--");
    while let Some(arg) = args.next() {
        let word = arg.to_str().and_then(|arg| arg.strip_prefix('-'));
        let Some(word) = word.map(|word| word.strip_prefix('-').unwrap_or(word)) else {
            continue;
        };
        if word == "h" || word == "help" {
            return true;
        }
        if known(word).is_some_and(|flag| flag.kind != Kind::Switch) {
            args.next();
        }
    }
    false
}

/// Go's words for the two truths (`strconv.ParseBool`).
pub(super) fn truth(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

fn text(arg: &OsString) -> Result<&str, String> {
    arg.to_str()
        .ok_or_else(|| format!("an argument is no text: {}", arg.to_string_lossy()))
}
