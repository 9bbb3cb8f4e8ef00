//! What a failure means to whoever runs this: one table for exit code, retry and label.

use rollsnap_etcd as etcd;
use rollsnap_store as store;

/// The kinds of failure. Closed: metric labels and exit codes are made from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// What was typed.
    Usage,
    /// What was configured.
    Config,
    /// Bytes are not what they should be.
    Corrupt,
    /// etcd did not answer rightly.
    Source,
    /// The directory or the bucket did not answer rightly.
    Store,
    /// No room left.
    Full,
    /// Somebody refuses.
    Denied,
    /// We were told to stop.
    Canceled,
    /// An invariant of our own broke.
    Bug,
}

impl Kind {
    /// Every kind, in the order of the exit codes.
    pub const ALL: [Self; 9] = [
        Self::Usage,
        Self::Config,
        Self::Corrupt,
        Self::Source,
        Self::Store,
        Self::Full,
        Self::Denied,
        Self::Canceled,
        Self::Bug,
    ];

    /// The exit code, the label, and what it means in a line: the one table.
    const fn row(self) -> (u8, &'static str, &'static str) {
        match self {
            Self::Usage => (2, "usage", "the command line is wrong"),
            Self::Config => (
                3,
                "config",
                "the configuration is wrong, or what it names is missing",
            ),
            Self::Corrupt => (4, "corrupt", "bytes are not what they should be"),
            Self::Source => (5, "source", "etcd did not answer rightly"),
            Self::Store => (
                6,
                "store",
                "the directory or the bucket did not answer rightly",
            ),
            Self::Full => (7, "full", "no room left"),
            Self::Denied => (
                8,
                "denied",
                "somebody refuses: rights, keys, certificates, a lock",
            ),
            Self::Canceled => (9, "canceled", "told to stop before the end"),
            Self::Bug => (70, "bug", "an invariant of rollsnap broke"),
        }
    }

    /// The exit code of a command that failed so.
    pub fn exit_code(self) -> u8 {
        self.row().0
    }

    /// The word in logs and JSON.
    pub fn label(self) -> &'static str {
        self.row().1
    }

    /// What it means, for people.
    pub fn meaning(self) -> &'static str {
        self.row().2
    }

    /// Whether the same attempt may succeed soon with nobody's help. A cut stream is [`Corrupt`]
    /// and comes right by itself; a refused certificate does not.
    ///
    /// [`Corrupt`]: Kind::Corrupt
    pub fn is_transient(self) -> bool {
        matches!(self, Self::Source | Self::Store | Self::Corrupt)
    }
}

impl From<etcd::ErrorKind> for Kind {
    fn from(kind: etcd::ErrorKind) -> Self {
        match kind {
            etcd::ErrorKind::Unavailable | etcd::ErrorKind::Busy | etcd::ErrorKind::Compacted => {
                Self::Source
            }
            etcd::ErrorKind::Denied => Self::Denied,
            etcd::ErrorKind::Config | etcd::ErrorKind::Unsuitable => Self::Config,
        }
    }
}

impl From<store::ErrorKind> for Kind {
    fn from(kind: store::ErrorKind) -> Self {
        match kind {
            store::ErrorKind::Unavailable => Self::Store,
            store::ErrorKind::NotFound
            | store::ErrorKind::AlreadyExists
            | store::ErrorKind::Config => Self::Config,
            store::ErrorKind::Denied | store::ErrorKind::Locked => Self::Denied,
            store::ErrorKind::Full => Self::Full,
            store::ErrorKind::Corrupt => Self::Corrupt,
        }
    }
}
