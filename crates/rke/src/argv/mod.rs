//! The command line of `rke-etcd-backup`, of every release at once: what RKE gives to its
//! containers, read into what is wanted.
//!
//! ```text
//! rolling-backup [save] [flags]                                        v0.1.6 to v0.1.16
//! etcd-backup {save|download|delete|extractstatefile|serve} [flags]    since v0.1.17
//! ```
//!
//! A flag wins over its variable, and a variable that is empty is as good as none, as in the
//! releases before v0.1.83.

mod call;
mod flags;
mod go;
mod keys;
mod refusal;
#[cfg(test)]
mod tests;
mod values;

use std::ffi::OsString;

pub use call::{
    Bucket, Call, Certificates, Delete, Download, Etcd, Extract, Form, Origin, Save, Serve,
};
pub use keys::{Hidden, hide_keys};
pub use refusal::Refusal;

use values::Values;

/// What the words before the flags choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subcommand {
    Rolling,
    Save,
    Download,
    Extract,
    Serve,
    Delete,
}

impl Subcommand {
    const ALL: [Self; 6] = [
        Self::Rolling,
        Self::Save,
        Self::Download,
        Self::Extract,
        Self::Serve,
        Self::Delete,
    ];

    /// The words that choose it.
    fn words(self) -> &'static str {
        match self {
            Self::Rolling => "rolling-backup",
            Self::Save => "etcd-backup save",
            Self::Download => "etcd-backup download",
            Self::Extract => "etcd-backup extractstatefile",
            Self::Serve => "etcd-backup serve",
            Self::Delete => "etcd-backup delete",
        }
    }

    /// The one that the arguments choose, and how many words do.
    fn chosen(args: &[OsString]) -> Option<(Self, usize)> {
        Self::ALL.into_iter().find_map(|it| {
            let words = it.words().split(' ');
            let count = words.clone().count();
            let begin = args.get(..count)?;
            words.eq(begin).then_some((it, count))
        })
    }
}

impl Form {
    /// The one that arguments speak, without the program's own name: the newer where they speak
    /// none.
    pub fn of(args: &[OsString]) -> Self {
        match args.first() {
            Some(word) if word == Subcommand::Rolling.words() => Self::Rolling,
            _ => Self::EtcdBackup,
        }
    }
}

/// Whether these arguments, without the program's own name, are for the old program.
pub fn is_called(args: &[OsString]) -> bool {
    args.first()
        .is_some_and(|word| word == "rolling-backup" || word == "etcd-backup")
}

/// Reads the arguments, without the program's own name, and the variables that count beside them.
///
/// # Errors
/// Why they are not carried out: the first reason, as in the old program.
pub fn parse(args: &[OsString], env: &dyn Fn(&str) -> Option<String>) -> Result<Call, Refusal> {
    let Some((subcommand, words)) = Subcommand::chosen(args) else {
        return Err(no_subcommand(args));
    };
    let rest = &args[words..];
    if go::asks_for_help(rest, |name| subcommand.flag(name)) {
        return Err(Refusal::Help(subcommand.usage()));
    }
    let values = Values::of(subcommand, rest, env)?;
    match subcommand {
        Subcommand::Rolling => values.save(Form::Rolling),
        Subcommand::Save => values.save(Form::EtcdBackup),
        Subcommand::Download => Ok(Call::Download(Download {
            name: values.name()?,
            from: values.origin()?,
            debug: values.switch("debug"),
        })),
        Subcommand::Extract => Ok(Call::ExtractStateFile(Extract {
            name: values.name()?,
            bucket: values.bucket()?,
            debug: values.switch("debug"),
        })),
        Subcommand::Serve => Ok(Call::Serve(Serve {
            name: values.name()?,
            certificates: values.certificates()?,
        })),
        Subcommand::Delete => Ok(Call::Delete(Delete {
            name: values.name()?,
            cleanup: values.switch("cleanup"),
            bucket: values.bucket()?,
        })),
    }
}

/// No word, one that wants help, or a wrong one.
fn no_subcommand(args: &[OsString]) -> Refusal {
    let usage = || {
        let rows = Subcommand::ALL.map(|it| format!("   rke-etcd-backup {} [flags]\n", it.words()));
        format!("USAGE:\n{}", rows.concat())
    };
    let word = args.iter().find(|word| *word != "etcd-backup");
    match word.map(|word| word.to_string_lossy()) {
        None => Refusal::Help(usage()),
        Some(word) if ["help", "h", "-h", "--help", "-help"].contains(&&*word) => {
            Refusal::Help(usage())
        }
        Some(word) if word.starts_with('-') => Refusal::Words {
            what: format!("{word} comes before the command: write it behind"),
            usage: usage(),
        },
        Some(word) => Refusal::Words {
            what: format!("No help topic for '{word}'"),
            usage: usage(),
        },
    }
}
