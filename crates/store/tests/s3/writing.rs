//! Objects that are encrypted, classed, tagged and locked, on a server that knows all of it.

use rollsnap_store::s3::{CustomCa, CustomerKey, Encryption, Lock, LockMode, Writing};
use rollsnap_store::{Effort, ErrorKind, Outcome};
use rollsnap_testkit::s3_real::{KMS_KEY, Radosgw};

use super::*;
use futures_util::StreamExt as _;

fn with(server: &Radosgw, writing: Writing) -> S3Config {
    S3Config {
        custom_ca: Some(CustomCa::new(server.ca().display().to_string())),
        writing,
        ..config(server.tls_endpoint())
    }
}

fn encrypted(encryption: Encryption) -> Writing {
    Writing {
        encryption: Some(encryption),
        ..Writing::default()
    }
}

/// Two parts and a bit, and a small object: both come back, whole and in pieces.
async fn come_back(store: &S3Store) {
    let large = pattern(PART * 2 + 1234);
    put(store, "large", &large).await.unwrap();
    put(store, "small", b"{}").await.unwrap();
    assert!(get(store, "large").await.unwrap() == large);
    assert_eq!(get(store, "small").await.unwrap(), b"{}");
    let middle = PART as u64 - 5..PART as u64 + 5;
    let mut bytes = store.read(&name("large"), Some(middle)).await.unwrap();
    let mut taken = Vec::new();
    while let Some(chunk) = bytes.next().await {
        taken.extend_from_slice(&chunk.unwrap());
    }
    assert_eq!(taken, large[PART - 5..PART + 5]);
}

async fn holds(store: &S3Store, what: &str, words: &str) {
    let probes = store.probe(Effort::Full).await;
    let found = probes.iter().find(|probe| probe.what == what).unwrap();
    assert!(
        matches!(&found.outcome, Outcome::Held(text) if text.contains(words)),
        "{probes:#?}"
    );
    let failed = |outcome: &Outcome| matches!(outcome, Outcome::Failed(_));
    assert!(
        !probes.iter().any(|probe| failed(&probe.outcome)),
        "{probes:#?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_are_encrypted_by_a_key_service_or_by_a_key_that_only_its_owner_has() {
    let server = Radosgw::start().await;
    let kms = encrypted(Encryption::Kms {
        key: Some(KMS_KEY.into()),
    });
    let store = S3Store::open(&with(&server, kms)).unwrap();
    come_back(&store).await;
    holds(&store, "encryption", "aws:kms").await;

    let key = |byte| Encryption::Customer(CustomerKey::new([byte; 32]));
    let store = S3Store::open(&with(&server, encrypted(key(1)))).unwrap();
    come_back(&store).await;
    holds(&store, "encryption", "AES256").await;
    for writing in [Writing::default(), encrypted(key(2))] {
        let other = S3Store::open(&with(&server, writing)).unwrap();
        let error = get(&other, "small").await.unwrap_err();
        assert!(!error.kind().is_transient(), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_locked_is_hidden_when_it_is_deleted_and_kept_until_its_time() {
    let server = Radosgw::start().await;
    let locked = |period| Writing {
        storage_class: Some("STANDARD".into()),
        tags: vec![("team".into(), "etcd backups".into())],
        lock: Some(Lock {
            mode: LockMode::Compliance,
            period: Duration::from_secs(period),
        }),
        legal_hold: true,
        ..Writing::default()
    };
    let config = with(&server, locked(24 * 3600));
    let store = S3Store::open(&config).unwrap();
    let error = put(&store, "snapshot", b"{}").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");

    server.make_bucket_with_object_lock();
    holds(&store, "object lock", "on").await;
    come_back(&store).await;
    put(&store, "small", b"[]").await.unwrap();
    assert_eq!(
        get(&store, "small").await.unwrap(),
        b"[]",
        "a manifest is kept up to date"
    );

    // A delete without a version only hides: retention goes on, and the lock keeps the bytes.
    store.delete(&name("large")).await.unwrap();
    let listed = store.list("").await.unwrap();
    assert_eq!(listed.len(), 1, "{listed:?}");
    assert!(server.versions() >= 3, "the bytes are gone");
}
