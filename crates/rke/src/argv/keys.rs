//! The keys of the bucket: in which encoding they come, and how they leave the command line.
//!
//! RKE gives them in the environment in base64 (v1.1.19, v1.2.8, v1.3.0 and later), before that as
//! flags in clear. The old program, from v0.1.73 on, decodes whatever decodes, and so garbles plain
//! keys that happen to be base64.

use std::ffi::OsString;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::flags::Kind;
use super::{Subcommand, go};
use crate::{Secret, key_in_environment};

/// The variable that says in which encoding keys come, however they come.
pub(super) const ENCODING: &str = "ROLLSNAP_KEYS";

/// In which encoding keys come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Plain as a flag; in the environment base64 if they must be.
    Usual,
    Raw,
    Base64,
}

impl Encoding {
    pub(super) fn of(said: Option<&str>) -> Result<Self, String> {
        match said {
            None => Ok(Self::Usual),
            Some("raw") => Ok(Self::Raw),
            Some("base64") => Ok(Self::Base64),
            Some(other) => Err(format!("${ENCODING} is {other:?}: write raw or base64")),
        }
    }

    /// The key itself; what is wrong with it if it cannot be decoded and has to be.
    pub(super) fn decode(self, key: Secret, from_env: bool) -> Result<Secret, String> {
        match self {
            Self::Usual if from_env => Ok(key_in_environment(&key)),
            Self::Usual | Self::Raw => Ok(key),
            Self::Base64 => {
                let bytes = STANDARD.decode(key.reveal().trim_end()).map(Zeroizing::new);
                let text = bytes
                    .ok()
                    .and_then(|bytes| Some(Secret::new(str::from_utf8(&bytes).ok()?)));
                text.ok_or_else(|| format!("is no base64, which ${ENCODING} says it is"))
            }
        }
    }
}

/// Arguments without the keys that stood among them.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Hidden {
    /// What is left.
    pub args: Vec<OsString>,
    /// The flags that were taken out, without dashes, and their values.
    pub keys: Vec<(&'static str, Secret)>,
}

/// Takes the keys out of the arguments, which are without the program's own name. Those that
/// cannot be read stay whole: [`parse`](super::parse) refuses them.
pub fn hide_keys(args: &[OsString]) -> Hidden {
    let whole = || Hidden {
        args: args.to_owned(),
        keys: Vec::new(),
    };
    let Some((subcommand, words)) = Subcommand::chosen(args) else {
        return whole();
    };
    let Ok(said) = go::read(&args[words..], |name| subcommand.flag(name)) else {
        return whole();
    };
    let mut hidden = Hidden::default();
    let mut copied = 0;
    for it in said.iter().filter(|it| it.flag.kind == Kind::Secret) {
        hidden
            .args
            .extend_from_slice(&args[copied..words + it.at.start]);
        copied = words + it.at.end;
        hidden.keys.push((it.flag.name, Secret::new(it.value)));
    }
    hidden.args.extend_from_slice(&args[copied..]);
    hidden
}

impl Hidden {
    /// The arguments with the keys back behind the command's words.
    pub fn revealed(&self) -> Vec<OsString> {
        let words = Subcommand::chosen(&self.args).map_or(0, |(_, words)| words);
        let (before, after) = self.args.split_at(words);
        let mut args = before.to_vec();
        for (name, key) in &self.keys {
            args.push(format!("--{name}={}", key.reveal()).into());
        }
        args.extend_from_slice(after);
        args
    }
}
