//! Where the servers' programs are: what `.ci/install` put below `.tools/bin`.

use std::path::{Path, PathBuf};

/// The path of an installed tool, such as `etcd-3.5`.
///
/// # Panics
/// When it is not there: a missing server is a failed test, not a skipped one.
pub fn path(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let tool = root.join(".tools/bin").join(name);
    assert!(
        tool.exists(),
        "{} is not installed: run .ci/install",
        tool.display()
    );
    tool
}
