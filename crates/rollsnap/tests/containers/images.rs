//! Images from nothing but programs of this machine: no registry answers here.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rollsnap_testkit::tools;
use tempfile::TempDir;

use crate::docker::{docker, try_docker};

/// What `just image` makes.
pub(crate) fn sidecar() -> String {
    let image = std::env::var("IMAGE").unwrap_or_else(|_| "rollsnap:dev".to_owned());
    if let Err(said) = try_docker(["image", "inspect", "--format", "{{.Id}}", &image]) {
        panic!("{said}\nrun `just image` first");
    }
    image
}

/// etcd 3.5 and its etcdctl, as they come.
pub(crate) fn etcd() -> String {
    let programs = [
        ("etcd", tools::path("etcd-3.5")),
        ("etcdctl", tools::path("etcdctl-3.5")),
    ];
    build("etcd", &programs, "")
}

/// The S3 server of the testkit.
pub(crate) fn s3_server() -> String {
    let programs = [("s3-server", s3_server_program())];
    build("s3", &programs, r#"ENTRYPOINT ["/bin/s3-server"]"#)
}

/// rclone, as its own image has it.
pub(crate) fn rclone() -> String {
    let rclone = fs::canonicalize(tools::path("rclone")).expect("rclone is a file");
    build("rclone", &[("rclone", rclone)], r#"ENTRYPOINT ["rclone"]"#)
}

/// Built now, so that it is never older than its source.
fn s3_server_program() -> PathBuf {
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--workspace"])
        .args(["--bin", "s3-server"])
        .status()
        .expect("cargo can be started");
    assert!(built.success(), "s3-server is not built: {built}");
    let this = std::env::current_exe().expect("a test has a path");
    this.ancestors()
        .nth(2)
        .expect("tests lie two floors below the programs")
        .join("s3-server")
}

/// An image of these programs and the libraries that they ask for.
pub(crate) fn build(name: &str, programs: &[(&str, PathBuf)], more: &str) -> String {
    let context = TempDir::with_prefix("rollsnap-image-").expect("a temporary directory");
    let root = context.path().join("root");
    for (name, program) in programs {
        place(program, &root.join("bin").join(name));
        for library in libraries(program) {
            let inside = library.strip_prefix("/").expect("ldd prints whole paths");
            place(&library, &root.join(inside));
        }
    }
    let text = format!("FROM scratch\nCOPY root /\nENV PATH=/bin\n{more}\n");
    fs::write(context.path().join("Dockerfile"), text).expect("a Dockerfile can be written");
    let image = format!("rollsnap-e2e-{name}");
    let path = context.path().to_str().expect("a temporary path is text");
    docker(["build", "--quiet", "--tag", &image, path]);
    image
}

fn place(from: &Path, to: &Path) {
    let parent = to.parent().expect("a file lies in a directory");
    fs::create_dir_all(parent).expect("a directory can be made");
    fs::copy(from, to).unwrap_or_else(|e| panic!("copy {}: {e}", from.display()));
}

/// The shared libraries and the loader of a program; none for a static one.
fn libraries(program: &Path) -> Vec<PathBuf> {
    let output = Command::new("ldd")
        .arg(program)
        .output()
        .expect("ldd is part of libc");
    String::from_utf8_lossy(&output.stdout)
        .split_whitespace()
        .filter(|word| word.starts_with('/'))
        .map(PathBuf::from)
        .collect()
}
