use super::*;

/// The first snippet of the documentation, byte for byte.
const NEWER: &str = r#"services:
  etcd:
    backup_config:
      interval_hours: 12
      retention: 6
      s3backupconfig:
        access_key: S3_ACCESS_KEY
        secret_key: S3_SECRET_KEY
        bucket_name: s3-bucket-name
        region: ""
        endpoint: s3.amazonaws.com
"#;

/// The second one.
const OLDER: &str = "services:
    etcd:
      snapshot: true
      creation: 5m0s
      retention: 24h
";

fn read(text: &str) -> ClusterYml {
    parse("cluster.yml", text.as_bytes()).unwrap_or_else(|faults| panic!("{faults}"))
}

fn complaints(text: &str) -> String {
    match parse("cluster.yml", text.as_bytes()) {
        Ok(said) => panic!("taken: {said:?}"),
        Err(faults) => faults.to_string(),
    }
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "compared with fields that are options"
)]
fn at<T>(value: T, line: u32, key_path: &str) -> Option<Located<T>> {
    Some(Located {
        value,
        line,
        key_path: key_path.to_owned(),
    })
}

#[test]
fn the_documented_backup_config_is_read_with_its_places() {
    let said = read(NEWER);
    let backup = said.backup_config.unwrap().value;
    let base = "services.etcd.backup_config";
    assert_eq!(
        backup.interval_hours,
        at(12, 4, &format!("{base}.interval_hours"))
    );
    assert_eq!(backup.retention, at(6, 5, &format!("{base}.retention")));
    let s3 = backup.s3backupconfig.unwrap();
    assert_eq!(
        (s3.line, s3.key_path.as_str()),
        (6, "services.etcd.backup_config.s3backupconfig")
    );
    let s3 = s3.value;
    let base = "services.etcd.backup_config.s3backupconfig";
    assert_eq!(s3.access_key.unwrap().value.reveal(), "S3_ACCESS_KEY");
    assert_eq!(s3.secret_key.unwrap().line, 8);
    assert_eq!(
        s3.bucket_name,
        at(
            "s3-bucket-name".to_owned(),
            9,
            &format!("{base}.bucket_name")
        )
    );
    assert_eq!(s3.region, None, "an empty text says nothing");
    assert_eq!(s3.endpoint.unwrap().value, "s3.amazonaws.com");
    assert_eq!(said.snapshot, None);
}

#[test]
fn the_documented_older_form_is_read_with_its_places() {
    let said = read(OLDER);
    assert_eq!(said.snapshot, at(true, 3, "services.etcd.snapshot"));
    assert_eq!(
        said.creation,
        at(Duration::from_secs(300), 4, "services.etcd.creation")
    );
    assert_eq!(
        said.retention,
        at(Duration::from_secs(86_400), 5, "services.etcd.retention")
    );
    assert_eq!(said.backup_config, None);
}

#[test]
fn the_rest_of_a_cluster_yml_may_hold_anything() {
    let text = r#"
nodes:
- address: 1.2.3.4
  user: ubuntu
  role: [controlplane, etcd]
network: !custom {plugin: 3}
addons: |-
  ---
  kind: Secret
  [[[[
services:
  kube-api: [nobody, cares]
  etcd:
    image: ""
    external_urls: []
    ca_cert: ""
    cert: ""
    key: ""
    path: ""
    uid: 0
    extra_args: {quota-backend-bytes: "1", retention: never}
    extra_env: [A=b]
    snapshot: null
    retention: ""
    creation: ""
    backup_config: null
"#;
    assert_eq!(read(text), ClusterYml::default());
    assert_eq!(read("nodes: []\n"), ClusterYml::default());
    assert_eq!(read("services:\n  etcd:\n"), ClusterYml::default());
}

#[test]
fn a_small_file_has_the_same_keys_at_its_top() {
    let said = read(
        "dir: /snap\nendpoints: [a:1, 'b:2,c:3']\nbackup_config:\n  interval_hours: 1\ncreation: 5m\n",
    );
    assert_eq!(said.own.dir, at("/snap".to_owned(), 1, "dir"));
    assert_eq!(said.own.endpoints.unwrap().value, ["a:1", "b:2", "c:3"]);
    assert_eq!(
        said.backup_config.unwrap().value.interval_hours,
        at(1, 4, "backup_config.interval_hours")
    );
    assert_eq!(said.creation, at(Duration::from_secs(300), 5, "creation"));

    let said = read(
        "endpoints: a:1\nretention: 6\ninterval_hours: 2\ncompression: zstd\ns3backupconfig:\n  bucket_name: b\n  secret_key_file: /run/k\n",
    );
    let backup = said.backup_config.unwrap();
    assert_eq!(backup.line, 2);
    let backup = backup.value;
    assert_eq!(backup.retention, at(6, 2, "retention"));
    assert_eq!(backup.compression, at(Compression::Zstd, 4, "compression"));
    assert_eq!(
        backup.s3backupconfig.unwrap().value.secret_key_file,
        at("/run/k".to_owned(), 7, "s3backupconfig.secret_key_file")
    );

    let said = read("retention: 24h\nuser: root:hunter2\n");
    assert_eq!(
        said.retention,
        at(Duration::from_secs(86_400), 1, "retention")
    );
    assert_eq!(said.backup_config, None);
    assert!(!format!("{:?}", said.own).contains("hunter2"));
    assert_eq!(
        read("retention: 3").backup_config.unwrap().value.retention,
        at(3, 1, "retention")
    );
}

#[test]
fn what_else_users_ask_of_a_bucket_is_read_with_its_place() {
    let text = "\
s3backupconfig:
  bucket_name: b
  addressing: virtual
  insecure_skip_verify: true
  storage_class: STANDARD_IA
  tags: [team=etcd, \"cost=1,2=3\"]
  sse: kms
  kms_key_id: alias/backups
  sse_customer_key_file: /run/key
  object_lock_mode: governance
  object_lock_period: 30days
  legal_hold: false
  upload_rate: 20MB
  verify_remote: 7days
  aws_profile: east
  anonymous: false
";
    let said = parse("f", text.as_bytes()).unwrap();
    let s3 = said.backup_config.unwrap().value.s3backupconfig.unwrap();
    let path = |key| format!("s3backupconfig.{key}");
    let s3 = s3.value;
    assert_eq!(
        s3.addressing,
        at(Addressing::Virtual, 3, &path("addressing"))
    );
    assert_eq!(
        s3.insecure_skip_verify,
        at(true, 4, &path("insecure_skip_verify"))
    );
    let tags = ["team=etcd", "cost=1", "2=3"].map(str::to_owned).to_vec();
    assert_eq!(s3.tags, at(tags, 6, &path("tags")));
    assert_eq!(s3.sse, at(Sse::Kms, 7, &path("sse")));
    let file = "sse_customer_key_file";
    assert_eq!(
        s3.sse_customer_key_file,
        at("/run/key".to_owned(), 9, &path(file))
    );
    let mode = at(LockMode::Governance, 10, &path("object_lock_mode"));
    assert_eq!(s3.object_lock_mode, mode);
    let month = Duration::from_secs(30 * 86_400);
    assert_eq!(
        s3.object_lock_period,
        at(month, 11, &path("object_lock_period"))
    );
    let rate = NonZeroU64::new(20_000_000).unwrap();
    assert_eq!(s3.upload_rate, at(rate, 13, &path("upload_rate")));
    let week = Duration::from_secs(7 * 86_400);
    assert_eq!(s3.verify_remote, at(week, 14, &path("verify_remote")));
    let profile = "east".to_owned();
    assert_eq!(s3.aws_profile, at(profile, 15, &path("aws_profile")));
    assert_eq!(s3.anonymous, at(false, 16, &path("anonymous")));
}

#[test]
fn a_word_that_is_none_of_a_few_is_told_with_all_of_them() {
    let text = "\
s3backupconfig:
  addressing: host
  sse: aws:kms
  object_lock_mode: GOVERNANCE
  force_path_style: true
  upload_rate: 1.5
";
    let faults = parse("f", text.as_bytes()).unwrap_err();
    assert_eq!(
        faults.to_string(),
        "\
f:2: s3backupconfig.addressing: is \"host\"; write auto, path or virtual
f:3: s3backupconfig.sse: is \"aws:kms\"; write s3, kms or customer
f:4: s3backupconfig.object_lock_mode: is \"GOVERNANCE\"; write governance or compliance
f:5: s3backupconfig.force_path_style: is no key here; did you mean addressing?
f:6: s3backupconfig.upload_rate: is \"1.5\"; write whole bytes a second such as 20MB or 512KiB"
    );
}

#[test]
fn a_timeout_is_whole_seconds_or_a_duration() {
    for (text, seconds) in [("300", 300), ("5m", 300), ("'90s'", 90)] {
        let said = read(&format!("timeout: {text}"));
        let timeout = said.backup_config.unwrap().value.timeout.unwrap().value;
        assert_eq!(timeout, Duration::from_secs(seconds));
    }
}

#[test]
fn merge_keys_work_inside_the_backup_keys() {
    let text = "x-s3: &s3\n  access_key: a\n  secret_key: s\nservices:\n  etcd:\n    backup_config:\n      s3backupconfig:\n        <<: *s3\n        bucket_name: b\n";
    let s3 = read(text)
        .backup_config
        .unwrap()
        .value
        .s3backupconfig
        .unwrap()
        .value;
    assert_eq!(s3.access_key.unwrap().line, 2);
    assert_eq!(s3.bucket_name.unwrap().value, "b");
}

#[test]
fn every_fault_is_told_at_once_in_the_order_of_the_lines() {
    let text = r#"services:
  etcd:
    interval_hours: 12
    s3backupconfig: {bucket_name: b}
    creation: 5
    retention: 6
    snapshot: yes
    backupconfig: {}
    backup_config:
      interval_hours: "12"
      retention: 24h
      enabled: "true"
      safe_timestamp: 1
      compression: gzip
      access_key: AKIA
      timeout: 0
      timeouts: 3
      what: 1
      timeout: 5
      s3backupconfig:
        endpoint_ca: x
        Bucket-Name: b
        region: 1
        folder: [a]
        secret_key: 12345
        retention: 6
        custom_ca: {pem: x}
        access_key:hunter2: x
"#;
    let want = "\
cluster.yml:3: services.etcd.interval_hours: is no key here; it belongs at services.etcd.backup_config.interval_hours
cluster.yml:4: services.etcd.s3backupconfig: is no key here; it belongs at services.etcd.backup_config.s3backupconfig
cluster.yml:5: services.etcd.creation: is 5; a unit is missing: write 5m0s for minutes or 5h for hours
cluster.yml:6: services.etcd.retention: is 6; a unit is missing: write 6m0s for minutes or 6h for hours; a number of snapshots belongs at services.etcd.backup_config.retention
cluster.yml:7: services.etcd.snapshot: is the text \"yes\"; write true, without quotes
cluster.yml:8: services.etcd.backupconfig: is no key here; did you mean backup_config?
cluster.yml:10: services.etcd.backup_config.interval_hours: is the text \"12\", not a number; write 12, without quotes and leading zeros
cluster.yml:11: services.etcd.backup_config.retention: is the text \"24h\"; write a whole number of snapshots, such as 6; an age belongs at services.etcd.retention
cluster.yml:12: services.etcd.backup_config.enabled: is the text \"true\"; write true, without quotes
cluster.yml:13: services.etcd.backup_config.safe_timestamp: is 1; write true or false
cluster.yml:14: services.etcd.backup_config.compression: is \"gzip\"; write none, zstd or zip
cluster.yml:15: services.etcd.backup_config.access_key: is no key here; it belongs at services.etcd.backup_config.s3backupconfig.access_key
cluster.yml:16: services.etcd.backup_config.timeout: is 0; write 1 to 31536000 seconds
cluster.yml:17: services.etcd.backup_config.timeouts: is no key here; did you mean timeout?
cluster.yml:18: services.etcd.backup_config.what: is no key here; the keys are enabled, interval_hours, retention, s3backupconfig, safe_timestamp, timeout, compression, cron, zone, retention_tiers
cluster.yml:19: services.etcd.backup_config.timeout: is given twice, first in line 16; keep one of them
cluster.yml:21: services.etcd.backup_config.s3backupconfig.endpoint_ca: is no key here; did you mean custom_ca?
cluster.yml:22: services.etcd.backup_config.s3backupconfig.Bucket-Name: is no key here; did you mean bucket_name?
cluster.yml:23: services.etcd.backup_config.s3backupconfig.region: is 1; write it in quotes: \"1\"
cluster.yml:24: services.etcd.backup_config.s3backupconfig.folder: is a list; write a text
cluster.yml:25: services.etcd.backup_config.s3backupconfig.secret_key: is a number, not a text; write it in quotes
cluster.yml:26: services.etcd.backup_config.s3backupconfig.retention: is no key here; it belongs at services.etcd.backup_config.retention
cluster.yml:27: services.etcd.backup_config.s3backupconfig.custom_ca: is a mapping; write a text
cluster.yml:28: services.etcd.backup_config.s3backupconfig.access_key: has no space behind its colon; write one";
    assert_eq!(complaints(text), want);
}

#[test]
fn numbers_and_durations_out_of_bounds_are_told() {
    for (text, complaint) in [
        (
            "interval_hours: 0",
            "interval_hours: is 0; write 1 to 8760 hours",
        ),
        (
            "interval_hours: -1",
            "interval_hours: is -1; write 1 to 8760 hours",
        ),
        (
            "interval_hours: 8761",
            "interval_hours: is 8761; write 1 to 8760 hours",
        ),
        (
            "interval_hours: 1.5",
            "interval_hours: is 1.5; write a whole number of hours, such as 12",
        ),
        (
            "interval_hours: 010",
            "interval_hours: is the text \"010\", not a number; write 10, without quotes and leading zeros",
        ),
        (
            "interval_hours: 99999999999999999999999999999999999999999999",
            "interval_hours: is 100000000000000000000000000000000000000000000; write a whole number of hours, such as 12",
        ),
        (
            "retention: -1",
            "retention: is -1; write 1 to 100000 snapshots",
        ),
        (
            "retention: 0",
            "retention: is 0; write 1 to 100000 snapshots",
        ),
        (
            "creation: 5",
            "creation: is 5; a unit is missing: write 5m0s for minutes or 5h for hours",
        ),
        (
            "creation: 0",
            "creation: is 0; the shortest duration is 1s: write one such as 5m0s",
        ),
        (
            "creation: -5m",
            "creation: is \"-5m\"; a duration cannot be negative: write one such as 5m0s",
        ),
        (
            "creation: 5M",
            "creation: is \"5M\"; M is no unit here: write 5m for minutes",
        ),
        (
            "creation: 1000000h",
            "creation: is \"1000000h\"; the longest duration is 87600h (ten years)",
        ),
        (
            "creation: true",
            "creation: is true; write a duration such as 5m0s, 12h or 2days",
        ),
        (
            "endpoints: []",
            "endpoints: is an empty list; write at least one, or leave the key out",
        ),
        ("dir: {}", "dir: is a mapping; write a text"),
        (
            "backup_config: 5",
            "backup_config: is a single value; write a mapping of keys below it",
        ),
        (
            "backup_config: !vault 5",
            "backup_config: is a tagged value; write a mapping of keys below it",
        ),
        (
            "backup_config: {<<: 5}",
            "backup_config.<<: merges what is no mapping; write an alias of a mapping, or of a list of them",
        ),
        (
            "directory: /x",
            "directory: is no key here; did you mean dir?",
        ),
        (
            "etcd: {}",
            "etcd: is no key here; it belongs at services.etcd",
        ),
        (
            "a\u{7}b: 1",
            "is not YAML: control characters are not allowed, column 1",
        ),
        (
            "\"a\\a\": 1",
            "a\\u{7}: is no key here; the keys are dir, endpoints, cacert, cert, key, user, password_file, verify, verify_nice, compare_members, max_rate, drill, drill_boot, prune_foreign, http, http_socket, http_token_file, http_cert, http_key, ping_url, ping_url_file, kubeconfig, kubernetes_events, node_name",
        ),
    ] {
        assert_eq!(complaints(text), format!("cluster.yml:1: {complaint}"));
    }
}

#[test]
fn our_keys_at_the_wrong_level_of_a_cluster_yml_are_told() {
    let text = "nodes: []\nbackup_config: {}\netcd: {}\nservices:\n  snapshot: true\n  kubelet: {}\n  etcd: {endpoints: a}\n";
    assert_eq!(
        complaints(text),
        "\
cluster.yml:2: backup_config: is no key here; it belongs at services.etcd.backup_config
cluster.yml:3: etcd: is no key here; it belongs at services.etcd
cluster.yml:5: services.snapshot: is no key here; it belongs at services.etcd.snapshot
cluster.yml:7: services.etcd.endpoints: is no key here; it belongs at endpoints"
    );
}

#[test]
fn a_file_that_is_no_mapping_is_told_as_a_whole() {
    for (text, complaint) in [
        (
            "",
            "is empty; write a mapping of keys, such as RKE's cluster.yml",
        ),
        (
            "# only this\n",
            "is empty; write a mapping of keys, such as RKE's cluster.yml",
        ),
        (
            "---\n",
            "is empty; write a mapping of keys, such as RKE's cluster.yml",
        ),
        (
            "[a, b]",
            "is a list; write a mapping of keys, such as RKE's cluster.yml",
        ),
        (
            "hello",
            "is a single value; write a mapping of keys, such as RKE's cluster.yml",
        ),
    ] {
        assert_eq!(complaints(text), format!("cluster.yml: {complaint}"));
    }
}

#[test]
fn what_is_wrong_from_end_to_end_is_cut_short() {
    let text = (0..500)
        .map(|n| format!("wrong{n}: 1"))
        .collect::<Vec<_>>()
        .join("\n");
    let said = complaints(&text);
    assert_eq!(said.lines().count(), 101);
    assert!(said.ends_with("\ncluster.yml: has 400 faults more"));
}

#[test]
fn faults_never_show_a_secret() {
    let text = "s3backupconfig:\n  access_key: [hunter2]\n  secret_key: !!int hunter2\nuser: {hunter2: 1}\n";
    assert!(!complaints(text).contains("hunter2"));
    let text =
        "s3backupconfig:\n  access_key: {a: hunter2}\n  secret_key: !hunter 2\nuser: [hunter2]\n";
    let said = complaints(text);
    assert!(!said.contains("hunter2"), "{said}");
}

proptest::proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
        let _ = parse("cluster.yml", &bytes);
    }

    #[test]
    fn no_mixture_of_keys_and_values_panics(text in "(services|etcd|backup_config|s3backupconfig|retention|creation|interval_hours|endpoints|access_key|<<|: |\n|\n  |\n    |\n      |5m|6|&a |\\*a|!x |- |\\[|\\]|\\{|\\}|, |\"|'){0,60}") {
        let _ = parse("cluster.yml", text.as_bytes());
    }
}
