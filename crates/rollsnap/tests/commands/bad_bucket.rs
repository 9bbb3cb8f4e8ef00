//! Buckets, endpoints, keys and CAs that cannot be right.

use std::fs;

use rollsnap_engine::Kind;
use rollsnap_testkit::s3_real::{BUCKET, Rclone};
use rollsnap_testkit::tls::Certificates;

use crate::program::Program;
use crate::world::{
    Bucket, assert_nothing_half_made, assert_nothing_written, etcd_and_dir, snapshots,
};

/// A save by hand to the bucket of the tests, but for what is added.
fn save(dir: &tempfile::TempDir, bucket: &Bucket) -> Program {
    Program::new(["save", "--name", "n"])
        .dir(dir.path())
        .bucket(bucket)
}

#[tokio::test]
async fn a_bucket_that_does_not_exist_is_named_and_the_snapshot_stands() {
    let (etcd, dir) = etcd_and_dir().await;
    let bucket = Bucket::up().await;
    let save = save(&dir, &bucket)
        .etcd(&etcd)
        .args(["--bucket-name", "nonesuch"])
        .run()
        .await;
    save.fails_with_result(
        Kind::Config,
        &[
            "n is saved, but not copied",
            "bucket nonesuch does not exist",
            "hint: create it",
        ],
    );
    assert_eq!(snapshots(dir.path()), ["n"]);
    assert_nothing_half_made(dir.path());
    let list = Program::new(["list", "--bucket-name", "nonesuch"])
        .dir(dir.path())
        .bucket(&bucket);
    list.run().await.fails_with_result(
        Kind::Config,
        &["list s3://nonesuch/cluster-a: bucket nonesuch does not exist"],
    );
}

#[tokio::test]
async fn wrong_keys_are_denied_and_never_named() {
    let (etcd, dir) = etcd_and_dir().await;
    let bucket = Bucket::up().await;
    let save = save(&dir, &bucket)
        .etcd(&etcd)
        .env("ROLLSNAP_SECRET_KEY", "wrong")
        .run()
        .await;
    save.fails_with_result(Kind::Denied, &["n is saved, but not copied", "hint: "]);
    assert_eq!(snapshots(dir.path()), ["n"]);
}

#[tokio::test]
async fn what_cannot_be_right_is_found_before_anything_is_written() {
    let (dir, bucket) = (tempfile::tempdir().unwrap(), Bucket::up().await);
    let no_ca = dir.path().join(".no-ca");
    fs::write(&no_ca, "hello").unwrap();
    let with_query = format!("{}/?versions", bucket.endpoint());
    for (name, value, words) in [
        (
            "ROLLSNAP_S3_ENDPOINT",
            with_query.as_str(),
            "ROLLSNAP_S3_ENDPOINT: has a query or fragment: give scheme, host",
        ),
        ("ROLLSNAP_S3_ENDPOINT", "ftp://h", "ROLLSNAP_S3_ENDPOINT: "),
        (
            "ROLLSNAP_S3_ENDPOINT_CA",
            no_ca.to_str().unwrap(),
            ".no-ca holds no certificate: give a CA certificate in PEM",
        ),
        ("ROLLSNAP_S3_ENDPOINT_CA", "/nope.pem", "/nope.pem"),
        (
            "ROLLSNAP_ACCESS_KEY",
            "a key",
            "ROLLSNAP_ACCESS_KEY: holds white space",
        ),
        (
            "ROLLSNAP_SECRET_KEY",
            "a\tkey",
            "ROLLSNAP_SECRET_KEY: holds white space",
        ),
        ("ROLLSNAP_FOLDER", "a/../b", "ROLLSNAP_FOLDER: "),
        ("ROLLSNAP_BUCKET_NAME", "a/b", "ROLLSNAP_BUCKET_NAME: "),
    ] {
        let save = save(&dir, &bucket)
            .env("ROLLSNAP_ENDPOINTS", "127.0.0.1:1")
            .env(name, value);
        save.run().await.fails(Kind::Config, &[words]);
    }
    fs::remove_file(no_ca).unwrap();
    assert_nothing_written(dir.path());
}

#[tokio::test]
async fn plain_and_tls_are_told_apart_at_the_bucket_too() {
    let (ssl, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let certificates = Certificates::issue(ssl.path(), &[]);
    let secure = Rclone::start(Some(&certificates)).await;
    let list = |endpoint: &str| {
        let list = Program::new(["list", "--bucket-name", BUCKET]).dir(dir.path());
        list.bucket_at(endpoint)
    };
    let ca = certificates.ca();
    list(secure.endpoint())
        .arg_path("--s3-endpoint-ca", &ca)
        .run()
        .await
        .ok();

    let unknown = list(secure.endpoint()).run().await;
    unknown.fails_with_result(
        Kind::Denied,
        &[
            "list s3://snapshots/cluster-a",
            "certificate",
            "hint: ",
            "custom_ca",
        ],
    );
    let plain = secure.endpoint().replace("https", "http");
    list(&plain)
        .run()
        .await
        .fails_with_result(Kind::Config, &["list s3://snapshots/cluster-a", "https://"]);
    let bucket = Bucket::up().await;
    let https = bucket.endpoint().replace("http", "https");
    list(&https)
        .run()
        .await
        .fails_with_result(Kind::Config, &["does not speak TLS", "hint: ", "http://"]);
}
