//! A Debian machine with systemd as its first process, in a container.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use rollsnap_testkit::tools;
use tempfile::TempDir;

use crate::docker::{Container, Network, docker, try_docker};
use crate::images;
use crate::wait::until;

const IMAGE: &str = "rollsnap-e2e-debian";
const PACKAGE: &str = "/srv/package";

/// etcd as a unit of that machine, which is not started with it.
const ETCD: &str = "\
[Unit]
Description=etcd
[Service]
Type=notify
ExecStart=/usr/local/bin/etcd --data-dir=/var/lib/etcd
";

#[derive(Debug)]
pub(crate) struct Machine {
    container: Container,
    /// The package, and the unit of etcd.
    _files: TempDir,
}

impl Machine {
    /// One on which the package lies, not installed yet, and an etcd, not started.
    pub(crate) async fn start(network: &Network) -> Self {
        let files = TempDir::with_prefix("rollsnap-machine-").expect("a temporary directory");
        package(files.path());
        let unit = files.path().join("etcd.service");
        fs::write(&unit, ETCD).expect("a unit can be written");
        let mut options: Vec<String> = [
            // What systemd needs to be the first process; nothing of it is the program's.
            "--cap-add=SYS_ADMIN",
            "--cap-add=SYS_NICE",
            "--cap-add=DAC_READ_SEARCH",
            "--security-opt=seccomp=unconfined",
            "--cgroupns=host",
            "--volume=/sys/fs/cgroup:/sys/fs/cgroup",
            "--tmpfs=/run",
            "--tmpfs=/run/lock",
            "--tmpfs=/tmp",
        ]
        .map(str::to_owned)
        .to_vec();
        let mounts = [
            (files.path().to_owned(), PACKAGE),
            (unit, "/etc/systemd/system/etcd.service"),
            (tools::path("etcd-3.5"), "/usr/local/bin/etcd"),
            (tools::path("etcdctl-3.5"), "/usr/local/bin/etcdctl"),
        ];
        for (from, to) in mounts {
            options.push(format!("--volume={}:{to}:ro", from.display()));
        }
        // Credentials are mounted in a namespace of their own and would stay in it: systemd shares
        // its mounts on machines, and leaves that to whoever starts it in containers.
        let start = "mount --make-rshared / && exec /lib/systemd/systemd";
        let command = ["sh", "-c", start].map(str::to_owned);
        let machine = Self {
            container: Container::run("machine", network, &options, &debian(), &command),
            _files: files,
        };
        until(
            "the machine's start",
            || (machine.try_run("systemctl is-system-running").ok()? == "running").then_some(()),
            || machine.container.log(),
        )
        .await;
        machine
    }

    /// Runs a line of shell on it, as root.
    pub(crate) fn run(&self, line: &str) -> String {
        self.try_run(line)
            .unwrap_or_else(|said| panic!("{said}\n{}", self.journal("")))
    }

    /// Like [`run`](Self::run), for what may fail.
    pub(crate) fn try_run(&self, line: &str) -> Result<String, String> {
        self.container.try_exec(&["sh", "-ec", line])
    }

    /// Installs the package, or installs it again.
    pub(crate) fn install(&self) -> String {
        self.run(&format!("dpkg --install {PACKAGE}/*.deb 2>&1"))
    }

    /// What the journal has of the daemon, or with other words of journalctl's.
    pub(crate) fn journal(&self, more: &str) -> String {
        self.try_run(&format!(
            "journalctl --no-pager --unit=rollsnap {more} 2>&1"
        ))
        .unwrap_or_else(|said| said)
    }

    /// Waits until the daemon's journal has this text so many times.
    pub(crate) async fn says(&self, text: &str, times: usize) {
        until(
            text,
            || (self.journal("").matches(text).count() >= times).then_some(()),
            || self.journal(""),
        )
        .await;
    }

    /// One property of the daemon's unit.
    pub(crate) fn property(&self, name: &str) -> String {
        self.run(&format!(
            "systemctl show --value --property={name} rollsnap"
        ))
    }
}

/// Puts the package, made of the program in the sidecar's image, into `dir`.
fn package(dir: &Path) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/deb.sh");
    let made = Command::new(script)
        .arg(images::sidecar())
        .output()
        .expect("the script can be started");
    let said = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success(), "{said}");
    let path = String::from_utf8(made.stdout).expect("a path of ours is text");
    fs::copy(path.trim(), dir.join("rollsnap.deb")).unwrap_or_else(|e| panic!("{path}: {e}{said}"));
}

/// The image: a minimal Debian and systemd. Made once a machine.
fn debian() -> String {
    if try_docker(["image", "inspect", IMAGE]).is_ok() {
        return IMAGE.to_owned();
    }
    let root = TempDir::with_prefix("rollsnap-debian-").expect("a temporary directory");
    let made = Command::new("debootstrap")
        .args(["--variant=minbase", "--include=systemd,systemd-sysv,dbus"])
        .arg("bookworm")
        .arg(root.path())
        .output()
        .expect("debootstrap is installed");
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stdout)
    );
    let mut tar = Command::new("tar")
        .args(["--create", "--one-file-system", "--directory"])
        .arg(root.path())
        .arg(".")
        .stdout(Stdio::piped())
        .spawn()
        .expect("tar is installed");
    let imported = Command::new("docker")
        .args(["import", "-", IMAGE])
        .stdin(tar.stdout.take().expect("it is a pipe"))
        .output()
        .expect("docker is installed");
    assert!(
        tar.wait().expect("tar ends").success() && imported.status.success(),
        "{}",
        String::from_utf8_lossy(&imported.stderr)
    );
    docker(["image", "inspect", "--format", "{{.Id}}", IMAGE]);
    IMAGE.to_owned()
}
