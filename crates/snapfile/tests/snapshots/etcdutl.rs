//! What etcd's own tools say of a file.

use std::process::Command;

use rollsnap_snapfile::mvcc::Status;
use rollsnap_testkit::tools;
use serde::Deserialize;

/// What `snapshot status -w json` prints.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Answer {
    pub(crate) hash: u32,
    pub(crate) revision: u64,
    pub(crate) total_key: u64,
    pub(crate) total_size: u64,
    /// Since 3.6.
    pub(crate) version: Option<String>,
}

impl Answer {
    /// What a tool like the one that gave this answer would say by our numbers.
    pub(crate) fn by_ours(&self, ours: &Status) -> Self {
        let is_new = self.version.is_some();
        Self {
            hash: ours.hash,
            revision: ours.revision,
            total_key: if is_new { ours.live_keys } else { ours.entries },
            total_size: ours.total_size,
            version: is_new.then(|| ours.version.clone()),
        }
    }
}

/// Asks the installed etcdutl 3.5, which runs bbolt's own check first. What it complains of is the
/// error.
pub(crate) fn status(snapshot: &[u8]) -> Result<Answer, String> {
    let said = said("etcdutl-3.5", snapshot)?;
    serde_json::from_slice(&said).map_err(|e| format!("{e}: {said:?}"))
}

/// The JSON that an installed tool prints.
pub(crate) fn said(tool: &str, snapshot: &[u8]) -> Result<Vec<u8>, String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), snapshot).unwrap();
    let said = Command::new(tools::path(tool))
        .args(["snapshot", "status", "-w", "json"])
        .arg(file.path())
        .env("ETCDCTL_API", "3")
        .output()
        .unwrap();
    if said.status.success() {
        return Ok(said.stdout);
    }
    Err(String::from_utf8_lossy(&said.stderr).into_owned())
}
