//! Where a value came from.

use std::fmt;
use std::sync::Arc;

/// A value, and who said it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sourced<T> {
    /// The value, checked.
    pub value: T,
    /// Who said it.
    pub origin: Origin,
}

impl<T> Sourced<T> {
    /// A value that nobody said.
    pub(super) fn default(value: T) -> Self {
        Self {
            value,
            origin: Origin::Default,
        }
    }

    /// What can be told of the value, said by the same.
    pub(super) fn map_ref<U>(&self, tell: impl FnOnce(&T) -> U) -> Sourced<U> {
        Sourced {
            value: tell(&self.value),
            origin: self.origin.clone(),
        }
    }

    /// Another value said by the same.
    pub(super) fn map<U>(self, change: impl FnOnce(T) -> U) -> Sourced<U> {
        Sourced {
            value: change(self.value),
            origin: self.origin,
        }
    }
}

/// Who said a value. Prints as `flag --dir`, `environment ROLLSNAP_DIR`, `file cluster.yml line
/// 4`, `found /etc/kubernetes/ssl`, or `default`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The command line; the flag's name without dashes.
    Flag(&'static str),
    /// The environment; the variable's name.
    Environment(&'static str),
    /// The config file.
    File {
        /// The file's name as it was given.
        file: Arc<str>,
        /// The line, counted from 1.
        line: u32,
        /// The keys that lead there.
        key_path: String,
    },
    /// Nobody, but it lies where RKE puts it.
    Found(&'static str),
    /// Nobody.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => write!(f, "flag --{name}"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::File { file, line, .. } => write!(f, "file {file} line {line}"),
            Self::Found(directory) => write!(f, "found in {directory}"),
            Self::Default => f.write_str("default"),
        }
    }
}

impl Origin {
    /// The place as a fault begins: `--dir`, `ROLLSNAP_DIR`, or `cluster.yml:4: dir`.
    pub fn place(&self) -> String {
        match self {
            Self::Flag(name) => format!("--{name}"),
            Self::Environment(name) => format!("environment {name}"),
            Self::File {
                file,
                line,
                key_path,
            } if key_path.is_empty() => format!("{file}:{line}"),
            Self::File {
                file,
                line,
                key_path,
            } => format!("{file}:{line}: {key_path}"),
            Self::Found(directory) => (*directory).to_owned(),
            Self::Default => "default".to_owned(),
        }
    }
}
