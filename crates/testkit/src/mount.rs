//! File systems mounted for a test. Needs root; without it the tests fail, as they should.

#![expect(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    reason = "a test that cannot mount has failed, wherever it is"
)]

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A mount point, unmounted when dropped.
#[derive(Debug)]
pub struct Mount {
    path: PathBuf,
    /// Where it was made for it.
    _dir: Option<TempDir>,
}

impl Mount {
    /// An empty file system in memory with room for `size`, such as `4m`.
    pub fn tmpfs(size: &str) -> Self {
        let mount = Self::point();
        run(Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(&mount.path));
        mount
    }

    /// A view of `dir` through which nothing can be changed.
    pub fn read_only(dir: &Path) -> Self {
        let mount = Self::point();
        let at = &mount.path;
        bind(dir, at);
        run(Command::new("mount")
            .args(["-o", "remount,bind,ro"])
            .arg(at));
        mount
    }

    /// `dir` once more, in another place of the same file system.
    pub fn bind(dir: &Path) -> Self {
        let mount = Self::point();
        bind(dir, &mount.path);
        mount
    }

    /// The same at `path`, which is there.
    pub fn bind_at(dir: &Path, path: &Path) -> Self {
        bind(dir, path);
        Self {
            path: path.to_owned(),
            _dir: None,
        }
    }

    fn point() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self {
            path: dir.path().to_owned(),
            _dir: Some(dir),
        }
    }

    /// Takes the last free block.
    pub fn fill(&self) {
        let ballast = File::create(self.path().join("ballast")).unwrap();
        let error = io::copy(&mut io::repeat(7), &mut &ballast).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }

    /// Leaves room in a file system in memory for so many files and directories more.
    pub fn limit_inodes(&self, more: u64) {
        let stat = rustix::fs::statvfs(self.path()).unwrap();
        let all = stat.f_files - stat.f_ffree + more;
        run(Command::new("mount")
            .args(["-o", &format!("remount,nr_inodes={all}")])
            .arg(self.path()));
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazy, so that a file still open in a failing test leaves nothing mounted behind.
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

fn bind(dir: &Path, at: &Path) {
    run(Command::new("mount").arg("--bind").arg(dir).arg(at));
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} needs root: {words}");
}
