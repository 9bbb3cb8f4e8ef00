//! What is said of writing to the bucket, in each layer.

use std::num::NonZeroU64;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rollsnap_store::s3;

use super::*;

/// A file that says all that can be said of writing to a bucket.
const WRITING: &str = "\
s3backupconfig:
  bucket_name: b
  access_key: a
  secret_key: s
  addressing: path
  storage_class: STANDARD_IA
  tags: team=etcd, cost=
  sse: kms
  kms_key_id: alias/backups
  object_lock_mode: governance
  object_lock_period: 30days
  legal_hold: true
  upload_rate: 20MB
";

#[test]
fn what_else_is_asked_of_a_bucket_reaches_the_store() {
    let bucket = Machine::config(WRITING).settings().bucket.value.unwrap();
    let config = bucket.s3_config();
    assert_eq!(config.addressing, s3::Addressing::Path);
    assert!(!config.insecure_skip_verify && config.writing.legal_hold);
    assert_eq!(config.upload_rate.map(NonZeroU64::get), Some(20_000_000));
    let writing = config.writing;
    assert_eq!(writing.storage_class.as_deref(), Some("STANDARD_IA"));
    let tags = [("team", "etcd"), ("cost", "")].map(|(key, value)| (key.into(), value.into()));
    assert_eq!(writing.tags, tags);
    assert!(matches!(writing.encryption,
        Some(s3::Encryption::Kms { key: Some(key) }) if key == "alias/backups"));
    let month = Duration::from_secs(30 * 86_400);
    let mode = s3::LockMode::Governance;
    assert_eq!(
        writing.lock,
        Some(s3::Lock {
            mode,
            period: month
        })
    );

    let nothing = Machine::default().flag(Id::BucketName, "b").env([
        ("ROLLSNAP_ACCESS_KEY", "a"),
        ("ROLLSNAP_SECRET_KEY", "s"),
        ("ROLLSNAP_S3_INSECURE_SKIP_VERIFY", "true"),
    ]);
    let config = nothing.settings().bucket.value.unwrap().s3_config();
    assert!(config.insecure_skip_verify && config.upload_rate.is_none());
    assert!(config.writing.encryption.is_none() && config.writing.lock.is_none());
}

#[test]
fn a_flag_about_writing_counts_over_the_file() {
    let machine = Machine::config(WRITING)
        .env([("ROLLSNAP_STORAGE_CLASS", "GLACIER_IR")])
        .flag(Id::UploadRate, "1MiB")
        .flag(Id::Tags, "a=b=c");
    let bucket = machine.settings().bucket.value.unwrap();
    let rate = bucket.upload_rate.as_ref().unwrap();
    assert_eq!(
        (rate.value.get(), &rate.origin),
        (1 << 20, &Origin::Flag("upload-rate"))
    );
    let writing = bucket.s3_config().writing;
    assert_eq!(writing.storage_class.as_deref(), Some("GLACIER_IR"));
    assert_eq!(writing.tags, [("a".into(), "b=c".into())]);
}

#[test]
fn a_key_of_ones_own_comes_from_a_file_and_is_shown_nowhere() {
    let key = [7; 32];
    let raw = String::from_utf8(key.to_vec()).unwrap();
    let encoded = format!("{}\n", STANDARD.encode(key));
    for text in [&raw, &encoded] {
        let machine = Machine::config(
            "s3backupconfig:\n  bucket_name: b\n  access_key: a\n  secret_key: s\n  \
             sse: customer\n  sse_customer_key_file: /key\n",
        );
        let settings = machine.file("/key", text).settings();
        let bucket = settings.bucket.value.as_ref().unwrap();
        let writing = bucket.s3_config().writing;
        assert!(matches!(
            writing.encryption,
            Some(s3::Encryption::Customer(_))
        ));
        let shown = format!("{settings:?} {}", as_table(&settings.report()));
        assert!(!shown.contains(encoded.trim()), "{shown}");
        assert!(shown.contains("sse-customer-key-file"), "{shown}");
    }
}

#[test]
fn halves_and_keys_that_nothing_uses_are_told_where_they_were_said() {
    let machine = Machine::config(
        "s3backupconfig:\n  bucket_name: b\n  access_key: a\n  secret_key: s\n  tags: etcd\n  \
         sse: s3\n  kms_key_id: k\n  object_lock_mode: compliance\n",
    )
    .flag(Id::SseCustomerKeyFile, "/key");
    assert_eq!(
        machine.complaints(),
        "c.yml:5: s3backupconfig.tags: holds \"etcd\"; write key=value, several with commas between them\n\
         c.yml:7: s3backupconfig.kms_key_id: names a key that nothing uses; give --sse kms too\n\
         --sse-customer-key-file: names a key that nothing uses; give --sse customer too\n\
         c.yml:8: s3backupconfig.object_lock_mode: is only half of a lock; say for how long: --object-lock-period"
    );
    let bucket = || {
        Machine::default()
            .flag(Id::BucketName, "b")
            .env([("ROLLSNAP_ACCESS_KEY", "a"), ("ROLLSNAP_SECRET_KEY", "s")])
    };
    for (machine, complaint) in [
        (
            bucket().flag(Id::Sse, "customer"),
            "--sse: wants a key of your own; give a file of 32 random bytes",
        ),
        (
            bucket().flag(Id::ObjectLockPeriod, "1h"),
            "--object-lock-period: is only half of a lock; say who may lift the lock",
        ),
        (
            bucket()
                .flag(Id::Sse, "customer")
                .flag(Id::SseCustomerKeyFile, "/key")
                .file("/key", "hunter2"),
            "--sse-customer-key-file: /key holds no key of 32 bytes; make one",
        ),
        (
            bucket().flag(Id::S3Addressing, "host"),
            "--s3-addressing: is \"host\"; write auto, path or virtual",
        ),
    ] {
        let complaints = machine.complaints();
        assert!(complaints.starts_with(complaint), "{complaints}");
        assert!(!complaints.contains("hunter2"));
    }
}

#[test]
fn what_the_store_says_of_writing_has_the_place_where_it_was_said() {
    let machine = Machine::config(
        "s3backupconfig:\n  bucket_name: b\n  access_key: a\n  secret_key: s\n  \
         endpoint: http://h\n  storage_class: a b\n",
    );
    let machine = machine
        .flag(Id::Tags, "aws:x=1")
        .flag(Id::Sse, "customer")
        .flag(Id::SseCustomerKeyFile, "/key")
        .file("/key", &STANDARD.encode([7; 32]));
    let complaints = machine.complaints();
    for place in [
        "c.yml:6: s3backupconfig.storage_class: ",
        "--tags: ",
        "--sse: ",
    ] {
        assert!(complaints.contains(place), "{place}: {complaints}");
    }
}
