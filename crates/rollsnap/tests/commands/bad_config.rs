//! Faults of the config file as they reach people: file, line, key and cure, all at once.

use std::fs;

use rollsnap_engine::Kind;

use crate::program::{Outcome, Program};

async fn check(config: &[u8]) -> Outcome {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("cluster.yml");
    fs::write(&file, config).unwrap();
    let dir = place.path().join("snapshots");
    let check = Program::new(["config", "check", "--config"])
        .args([&file])
        .dir(&dir);
    let checked = check.run().await;
    // Every verb meets the same wall, and the daemon ends: there is nothing to stay up for.
    let run = Program::new(["run", "--config"])
        .args([&file])
        .dir(&dir)
        .run()
        .await;
    assert_eq!((run.code, &run.err), (checked.code, &checked.err));
    assert!(!dir.exists(), "nothing is made by a wrong configuration");
    checked
}

#[tokio::test]
async fn every_fault_is_told_at_once_with_file_line_key_and_cure() {
    let config = "services:\n  etcd:\n    backup_config:\n      interval_hours: 0\n      retention: -1\n      s3backupconfg: {}\n      s3backupconfig:\n        endpoint_ca: x\n    creation: 5\n";
    let all = check(config.as_bytes()).await;
    all.fails(
        Kind::Config,
        &[
            "cluster.yml:4: services.etcd.backup_config.interval_hours: is 0; write 1 to 8760",
            "cluster.yml:5: services.etcd.backup_config.retention: is -1; write 1 to 100000",
            "cluster.yml:6: services.etcd.backup_config.s3backupconfg: ",
            "s3backupconfig",
            "cluster.yml:8: services.etcd.backup_config.s3backupconfig.endpoint_ca: ",
            "custom_ca",
            "cluster.yml:9: services.etcd.creation: is 5; a unit is missing: write 5m0s",
        ],
    );
}

#[tokio::test]
async fn a_duration_must_have_the_right_unit_and_be_within_bounds() {
    for (value, words) in [
        ("5M", "cluster.yml:1: creation: "),
        ("1000000h", "cluster.yml:1: creation: "),
        ("-5m", "cluster.yml:1: creation: "),
        ("0", "cluster.yml:1: creation: "),
        ("[5m]", "cluster.yml:1: creation: "),
    ] {
        let config = format!("creation: {value}\n");
        check(config.as_bytes()).await.fails(Kind::Config, &[words]);
    }
}

#[tokio::test]
async fn a_file_that_is_no_config_is_refused_by_name() {
    let utf16: Vec<u8> = "\u{feff}creation: 5m\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    for (config, words) in [
        (b"a: [1\n".as_slice(), "cluster.yml"),
        (b"", "empty"),
        (b"- creation: 5m\n", "list"),
        (b"creation: \xff\xfe\n", "UTF-8"),
        (&utf16, "UTF-16"),
    ] {
        check(config)
            .await
            .fails(Kind::Config, &["cluster.yml", words]);
    }
}

#[tokio::test]
async fn a_bomb_of_aliases_is_refused_before_it_grows() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for n in 1..9 {
        let last = n - 1;
        let row = vec![format!("*a{last}"); 10].join(", ");
        bomb = format!("{bomb}a{n}: &a{n} [{row}]\n");
    }
    check(bomb.as_bytes())
        .await
        .fails(Kind::Config, &["cluster.yml"]);
    let mut big = b"creation: 5m\n".to_vec();
    big.resize(50 << 20, b'#');
    check(&big).await.fails(Kind::Config, &["cluster.yml"]);
}

#[tokio::test]
async fn a_config_that_is_not_there_is_named() {
    let run = Program::new(["run", "--config", "/nonesuch/cluster.yml"])
        .run()
        .await;
    run.fails(
        Kind::Config,
        &["/nonesuch/cluster.yml", "no such file or directory"],
    );
}

#[tokio::test]
async fn flags_and_variables_are_held_to_the_same_rules_and_named_as_they_were_given() {
    let run = Program::new([
        "config",
        "check",
        "--interval-hours",
        "0",
        "--creation",
        "5",
    ])
    .env("ROLLSNAP_RETENTION", "-1")
    .env("ROLLSNAP_S3", "maybe")
    .run()
    .await;
    run.fails(
        Kind::Config,
        &[
            "--interval-hours: is 0; write",
            "--creation: is \"5\"; a unit is missing",
            "ROLLSNAP_RETENTION: ",
            "ROLLSNAP_S3: ",
        ],
    );
}
