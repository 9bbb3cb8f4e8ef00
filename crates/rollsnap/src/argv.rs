//! Keeps secrets out of the process list.
//!
//! The command line of a process can be read by everybody on the machine, its environment by
//! its own user only. A secret given as a flag is therefore moved into the environment by
//! starting this program anew in the same process, before anything else is done. For the
//! milliseconds before that it could be seen: environment and file are the better ways.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::config::options::{Id, Kind, OPTIONS, Spec};
use crate::config::{Environment, Flags};

/// Begins the names under which secrets travel to the second start.
const PREFIX: &str = "ROLLSNAP_FLAG_";

/// Command-line arguments without secrets, and the secrets.
#[derive(Debug, Default, PartialEq, Eq)]
struct Split {
    clean: Vec<OsString>,
    secrets: Vec<(Id, OsString)>,
}

/// Starts anew if the arguments hold a secret; returns otherwise, or with why it could not.
pub fn hide_secrets(args: &[OsString]) -> Result<(), io::Error> {
    let Split { clean, secrets } = split(args);
    if secrets.is_empty() {
        return Ok(());
    }
    let mut again = Command::new("/proc/self/exe");
    if let Some((name, rest)) = clean.split_first() {
        again.arg0(name).args(rest);
    }
    for (id, secret) in secrets {
        again.env(variable(id.spec()), secret);
    }
    Err(again.exec())
}

/// Notes the secrets of the first start as the flags that they were.
pub fn restore_secrets(environment: &Environment, flags: &mut Flags) {
    for spec in OPTIONS.iter().filter(|spec| spec.kind == Kind::Secret) {
        if let Some(secret) = environment.get(&variable(spec)) {
            flags.set(spec.id, secret);
        }
    }
}

fn variable(spec: &Spec) -> String {
    format!("{PREFIX}{}", spec.name.to_uppercase().replace('-', "_"))
}

fn split(args: &[OsString]) -> Split {
    let mut split = Split::default();
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        if arg == "--" {
            split.clean.push(arg.clone());
            split.clean.extend(rest.cloned());
            break;
        }
        match secret_flag(arg) {
            // A flag without a value stays, for clap to complain of.
            Some((id, None)) => match rest.next() {
                Some(value) => split.secrets.push((id, value.clone())),
                None => split.clean.push(arg.clone()),
            },
            Some((id, Some(value))) => split.secrets.push((id, value.to_owned())),
            None => split.clean.push(arg.clone()),
        }
    }
    split
}

/// Whether an argument is the flag of a secret, and the value behind its `=`.
fn secret_flag(arg: &OsStr) -> Option<(Id, Option<&OsStr>)> {
    let name = arg.as_bytes().strip_prefix(b"--")?;
    OPTIONS
        .iter()
        .filter(|spec| spec.kind == Kind::Secret)
        .find_map(|spec| {
            let rest = name.strip_prefix(spec.name.as_bytes())?;
            match rest.split_first() {
                None => Some((spec.id, None)),
                Some((b'=', value)) => Some((spec.id, Some(OsStr::from_bytes(value)))),
                Some(_) => None,
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(text: &str) -> Vec<OsString> {
        text.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn secrets_leave_the_arguments_and_everything_else_stays() {
        let split = split(&args(
            "rollsnap save --name n --secret-key canary --access-key=a=b --secret-key-file f -- x",
        ));
        assert_eq!(
            split.clean,
            args("rollsnap save --name n --secret-key-file f -- x")
        );
        assert_eq!(
            split.secrets,
            [
                (Id::SecretKey, "canary".into()),
                (Id::AccessKey, "a=b".into())
            ]
        );
    }

    #[test]
    fn a_secret_without_its_value_is_left_for_the_parser() {
        assert_eq!(
            split(&args("rollsnap run --user")).clean,
            args("rollsnap run --user")
        );
    }

    #[test]
    fn what_went_through_the_environment_is_a_flag_again() {
        let environment = Environment::from_iter([("ROLLSNAP_FLAG_SECRET_KEY", "canary")]);
        let mut flags = Flags::default();
        restore_secrets(&environment, &mut flags);
        assert_eq!(format!("{flags:?}"), "{SecretKey}");
    }
}
