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

use rollsnap_rke::Secret;
use rollsnap_rke::argv::{Hidden, hide_keys};

use crate::config::options::{Id, Kind, OPTIONS, Spec};
use crate::config::{Environment, Flags};
use crate::drop_in;

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
    let Split { clean, secrets } = if drop_in::is_called(args) {
        split_old(args)
    } else {
        split(args)
    };
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

/// The arguments of the old program's command line, without its own name, as they were given to
/// the first start.
pub fn revealed(environment: &Environment, args: &[OsString]) -> Vec<OsString> {
    let keys = OLD_KEYS.into_iter().filter_map(|(flag, id)| {
        let key = environment.get(&variable(id.spec()))?;
        Some((flag, Secret::new(key)))
    });
    let hidden = Hidden {
        args: args.to_owned(),
        keys: keys.collect(),
    };
    hidden.revealed()
}

/// The old program's names of two options of ours.
const OLD_KEYS: [(&str, Id); 2] = [
    ("s3-accessKey", Id::AccessKey),
    ("s3-secretKey", Id::SecretKey),
];

/// As [`split`], but by the flags of the old program.
fn split_old(args: &[OsString]) -> Split {
    let Some((name, rest)) = args.split_first() else {
        return Split::default();
    };
    let Hidden { args, keys } = hide_keys(rest);
    let id_of = |flag| OLD_KEYS.into_iter().find(|(known, _)| *known == flag);
    let secrets = keys.iter().filter_map(|(flag, key)| {
        let (_, id) = id_of(*flag)?;
        Some((id, key.reveal().into()))
    });
    Split {
        clean: std::iter::once(name.clone()).chain(args).collect(),
        secrets: secrets.collect(),
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
    fn keys_of_the_old_command_line_leave_it_and_come_back() {
        let line =
            args("/opt/rke-tools/rke-etcd-backup etcd-backup save -s3-secretKey canary --once");
        let Split { clean, secrets } = split_old(&line);
        let left = args("/opt/rke-tools/rke-etcd-backup etcd-backup save --once");
        assert_eq!(clean, left);
        assert_eq!(secrets, [(Id::SecretKey, "canary".into())]);
        let environment = Environment::from_iter([("ROLLSNAP_FLAG_SECRET_KEY", "canary")]);
        let whole = args("etcd-backup save --s3-secretKey=canary --once");
        assert_eq!(revealed(&environment, &clean[1..]), whole);
    }

    #[test]
    fn what_went_through_the_environment_is_a_flag_again() {
        let environment = Environment::from_iter([("ROLLSNAP_FLAG_SECRET_KEY", "canary")]);
        let mut flags = Flags::default();
        restore_secrets(&environment, &mut flags);
        assert_eq!(format!("{flags:?}"), "{SecretKey}");
    }
}
