//! File systems mounted for a test. Needs root; without it the tests fail, as they should.

#![expect(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    reason = "a test that cannot mount has failed, wherever it is"
)]

use std::fs::File;
use std::io;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// A mount point, unmounted when dropped.
#[derive(Debug)]
pub struct Mount {
    dir: TempDir,
}

impl Mount {
    /// An empty file system in memory with room for `size`, such as `4m`.
    pub fn tmpfs(size: &str) -> Self {
        let mount = Self::point();
        run(Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(mount.dir.path()));
        mount
    }

    /// A view of `dir` through which nothing can be changed.
    pub fn read_only(dir: &Path) -> Self {
        let mount = Self::point();
        let at = mount.dir.path();
        run(Command::new("mount").arg("--bind").arg(dir).arg(at));
        run(Command::new("mount")
            .args(["-o", "remount,bind,ro"])
            .arg(at));
        mount
    }

    fn point() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { dir }
    }

    /// Takes the last free block.
    pub fn fill(&self) {
        let ballast = File::create(self.path().join("ballast")).unwrap();
        let error = io::copy(&mut io::repeat(7), &mut &ballast).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazy, so that a file still open in a failing test leaves nothing mounted behind.
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} needs root: {words}");
}
