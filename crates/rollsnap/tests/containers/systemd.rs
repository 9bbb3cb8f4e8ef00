//! The Debian package under a real systemd: installed, watched, told to stop, and purged.

use crate::bucket::{self, Bucket};
use crate::machine::Machine;
use crate::world::World;

const DIR: &str = "/opt/rke/etcd-snapshots";

#[tokio::test]
async fn the_package_is_installed_and_takes_snapshots_until_it_is_purged() {
    let world = World::enter();
    let machine = Machine::start(&world.network).await;

    // Without an etcd the unit is up all the same, and says what it waits for.
    machine.install();
    assert_eq!(machine.property("ActiveState"), "active");
    assert_eq!(
        machine.property("StatusText"),
        "taking snapshots by the schedule"
    );
    assert_eq!(machine.run("systemctl is-enabled rollsnap"), "enabled");
    machine.says("level=error", 1).await;
    machine.run("systemctl start etcd");
    machine.says("Created backup", 1).await;
    machine.says("Verified snapshot", 1).await;

    // A user of its own, and nothing that anybody else can read.
    let pid = machine.property("MainPID");
    assert_eq!(
        machine.run(&format!("stat --format=%U /proc/{pid}")),
        "rollsnap"
    );
    let modes = format!("find {DIR} -mindepth 1 -maxdepth 1 ! -name .rollsnap -printf '%U:%m\\n'");
    let user = machine.run("id --user rollsnap");
    for line in machine.run(&modes).lines() {
        assert_eq!(line, format!("{user}:600"));
    }
    assert_eq!(
        machine.run(&format!("stat --format=%U:%a {DIR}")),
        "rollsnap:700"
    );
    let list = machine.run("rollsnap list -o json");
    assert!(list.contains("_etcd"), "{list}");

    // A changed setting needs no restart.
    machine.run("echo ROLLSNAP_INTERVAL_HOURS=24 >>/etc/rollsnap/rollsnap.env");
    machine.run("systemctl reload rollsnap");
    assert_eq!(machine.property("MainPID"), pid);
    assert_eq!(machine.property("ActiveState"), "active");

    // One that no longer turns is started anew, and goes on.
    machine.run(
        "mkdir -p /run/systemd/system/rollsnap.service.d
         printf '[Service]\\nWatchdogSec=2s\\nRestartSec=0\\n' \
           >/run/systemd/system/rollsnap.service.d/watchdog.conf
         systemctl daemon-reload
         systemctl restart rollsnap",
    );
    machine.run("kill -STOP $(systemctl show --value --property=MainPID rollsnap)");
    machine.says("Watchdog timeout", 1).await;
    machine.says("Started rollsnap.service", 3).await;
    assert_eq!(machine.property("NRestarts"), "1");

    machine.run("systemctl stop rollsnap");
    assert_eq!(machine.property("Result"), "success");
    assert_eq!(machine.property("ExecMainStatus"), "0");

    // An upgrade keeps what the operator wrote and starts it anew; nothing ever takes a snapshot.
    machine.run("systemctl start rollsnap");
    machine.install();
    assert_eq!(machine.property("ActiveState"), "active");
    machine.run("grep --quiet ROLLSNAP_INTERVAL_HOURS=24 /etc/rollsnap/rollsnap.env");
    let before = machine.run(&format!("ls {DIR}"));
    machine.run("dpkg --purge rollsnap");
    assert_eq!(machine.run(&format!("ls {DIR}")), before);
    assert_eq!(machine.property("LoadState"), "not-found");
}

#[tokio::test]
async fn s3_keys_reach_the_daemon_as_credentials_and_stand_nowhere_else() {
    let world = World::enter();
    let bucket = Bucket::start(&world.network);
    let machine = Machine::start(&world.network).await;
    machine.run("systemctl start etcd");
    let files = [
        ("s3-access-key", bucket::ACCESS_KEY.to_owned()),
        ("s3-secret-key", bucket::SECRET_KEY.to_owned()),
        (
            "rollsnap.env",
            format!(
                "ROLLSNAP_S3_ENDPOINT=http://{}:9000\nROLLSNAP_BUCKET_NAME={}",
                bucket::HOST,
                bucket::BUCKET
            ),
        ),
    ];
    machine.run("install -d -m 0750 /etc/rollsnap");
    for (name, text) in files {
        machine.run(&format!(
            "umask 077; printf '%s\\n' '{text}' >/etc/rollsnap/{name}"
        ));
    }
    machine.run(
        "mkdir -p /etc/systemd/system/rollsnap.service.d
         dpkg --force-confold --unpack /srv/package/*.deb
         cp /usr/share/doc/rollsnap/s3.conf /etc/systemd/system/rollsnap.service.d/
         dpkg --force-confold --configure rollsnap",
    );
    machine.says("Uploaded backup", 1).await;
    assert!(bucket.keys().iter().any(|key| key.ends_with("_etcd")));

    let pid = machine.property("MainPID");
    for place in [
        machine.journal("--output=verbose"),
        machine.run("systemctl show rollsnap"),
        machine.run(&format!("tr '\\0' '\\n' </proc/{pid}/environ")),
        machine.run(&format!("tr '\\0' '\\n' </proc/{pid}/cmdline")),
    ] {
        assert!(!place.contains(bucket::SECRET_KEY), "{place}");
    }
}
