//! The target `rke` of the Dockerfile, on a stand-in for rke-tools that has the tools which RKE uses
//! of that image.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use rollsnap_testkit::tools;

use crate::images;

/// What RKE calls by name in containers of this image, but for etcdctl and kubectl.
const APPLETS: [&str; 17] = [
    "sh", "md5sum", "cut", "tr", "tar", "gzip", "ln", "mkdir", "chmod", "chown", "nc", "cat",
    "echo", "rm", "grep", "ls", "test",
];

/// Builds it, once a process, unless `RKE_IMAGE` names one. The program itself is built by `just
/// image` and found in the cache.
pub(super) fn build() -> &'static str {
    static IMAGE: OnceLock<String> = OnceLock::new();
    IMAGE.get_or_init(|| {
        if let Ok(image) = std::env::var("RKE_IMAGE") {
            return image;
        }
        let image = "rollsnap-e2e-rke";
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/image.sh");
        let built = Command::new(script)
            .args(["rke", &stand_in()])
            .env("IMAGE", image)
            .output()
            .expect("the script can be started");
        assert!(
            built.status.success(),
            "{}",
            String::from_utf8_lossy(&built.stderr)
        );
        image.to_owned()
    })
}

/// A program that must never be reached lies where the original's does.
fn stand_in() -> String {
    let busybox = PathBuf::from("/bin/busybox");
    assert!(busybox.exists(), "busybox-static is not installed");
    let mut programs: Vec<(&str, PathBuf)> = APPLETS
        .iter()
        .map(|name| (*name, busybox.clone()))
        .collect();
    // Of these two Debian's busybox has no bash, and a find that cannot delete.
    programs.push(("bash", PathBuf::from("/bin/bash")));
    programs.push(("find", PathBuf::from("/usr/bin/find")));
    programs.push(("etcdctl", tools::path("etcdctl-3.5")));
    let original = Path::new("/bin/false");
    programs.push(("../opt/rke-tools/rke-etcd-backup", original.to_owned()));
    // An image of files alone has no empty directory; this one is looked for.
    programs.push(("../tmp/false", original.to_owned()));
    images::build("rke-tools", &programs, "")
}
