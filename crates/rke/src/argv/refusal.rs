//! Why a command line is not carried out.

use std::fmt;
use std::time::Duration;

use super::Subcommand;

/// Why a command line is not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Nothing is wrong: somebody wants to read this.
    Help(String),
    /// The words are wrong.
    Words {
        /// What is wrong with them, in Go's words where Go has some.
        what: String,
        /// How they would be right.
        usage: String,
    },
    /// A certificate is missing that etcd, or another node, wants to see. Each as it was said.
    NoCertificates {
        /// Of the CA.
        cacert: String,
        /// Of the client.
        cert: String,
        /// The client's key.
        key: String,
    },
    /// The loop would have no period.
    NoPeriod {
        /// The time between two snapshots.
        creation: Duration,
        /// How long one is kept.
        retention: Duration,
    },
}

impl Refusal {
    pub(super) fn words(subcommand: Subcommand, what: impl Into<String>) -> Self {
        Self::Words {
            what: what.into(),
            usage: subcommand.usage(),
        }
    }
}

/// The sentence that the last line of the log says.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Help(text) => text,
            Self::Words { what, .. } => what,
            Self::NoCertificates { .. } => "Failed to find etcd cert or key paths",
            Self::NoPeriod { .. } => "Creation period and/or retention are not set",
        })
    }
}

impl std::error::Error for Refusal {}
