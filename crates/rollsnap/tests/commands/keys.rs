//! Keys that are not in the configuration: exchanged in files, given out, or nowhere.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use rollsnap_engine::Kind;
use rollsnap_testkit::aws_peer::AwsPeer;
use rollsnap_testkit::s3_peer::{ACCESS_KEY, SECRET_KEY};
use rollsnap_testkit::s3_server;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use crate::program::Program;
use crate::world::{Bucket, etcd_and_dir, snapshots};

/// A bucket's server on this address that takes one pair only, as long as it is held.
async fn server(address: SocketAddr, dir: &Path, secret_key: &str) -> AbortOnDropHandle<()> {
    let listener = TcpListener::bind(address).await.unwrap();
    let service = s3_server::service(dir, ACCESS_KEY, secret_key);
    AbortOnDropHandle::new(tokio::spawn(s3_server::serve(listener, service)))
}

#[tokio::test]
async fn keys_exchanged_in_their_file_are_used_without_a_restart() {
    let (etcd, dir) = etcd_and_dir().await;
    let bucket = tempfile::tempdir().unwrap();
    fs::create_dir(bucket.path().join(Bucket::NAME)).unwrap();
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let old = server(address, bucket.path(), "canary-of-yesterday").await;

    let secret = dir.path().join(".secret");
    fs::write(&secret, "canary-of-yesterday\n").unwrap();
    let mut daemon = Program::new(["run", "--creation", "1s", "--retention", "100"])
        .args(["--s3-endpoint", &format!("http://{address}")])
        .args(["--bucket-name", Bucket::NAME, "--access-key", ACCESS_KEY])
        .arg_path("--secret-key-file", &secret)
        .etcd(&etcd)
        .dir(dir.path())
        .start();
    daemon.line("Uploaded backup").await;
    // Its port is free once it has ended.
    old.abort();
    let _ = old.await;
    let _new = server(address, bucket.path(), SECRET_KEY).await;
    daemon.line("Uploads fail").await;
    fs::write(&secret, SECRET_KEY).unwrap();
    daemon.line("Uploads work again").await;
    assert_eq!(daemon.stop().await.code, Some(0));
}

#[tokio::test]
async fn a_machine_that_gives_keys_out_needs_none_in_the_configuration() {
    let (etcd, dir) = etcd_and_dir().await;
    let (bucket, aws) = (Bucket::up().await, AwsPeer::start().await);
    aws.give(ACCESS_KEY, SECRET_KEY);
    let save = |name: &str| {
        let save = Program::new(["save", "--name", name, "--bucket-name", Bucket::NAME]);
        let save = save.env("ROLLSNAP_S3_ENDPOINT", bucket.endpoint());
        save.etcd(&etcd).dir(dir.path()).env("RUST_LOG", "trace")
    };
    let by_agent = save("agent").env("AWS_CONTAINER_CREDENTIALS_FULL_URI", aws.agent());
    let token = by_agent.env("AWS_CONTAINER_AUTHORIZATION_TOKEN", "canary-of-the-agent");
    assert!(token.run().await.ok().contains("copied to s3://"));
    // What lives on the machine's own link is asked without a proxy.
    let by_name = bucket.endpoint().replace("127.0.0.1", "localhost");
    let by_instance = save("instance")
        .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", aws.endpoint())
        .env("HTTP_PROXY", "http://127.0.0.1:1")
        .env("NO_PROXY", "localhost")
        .env("ROLLSNAP_S3_ENDPOINT", by_name);
    assert!(by_instance.run().await.ok().contains("copied to s3://"));
}

#[tokio::test]
async fn where_nobody_gives_keys_the_snapshot_stands_and_each_place_is_told() {
    let (etcd, dir) = etcd_and_dir().await;
    let bucket = Bucket::up().await;
    let save = Program::new(["save", "--name", "n", "--bucket-name", Bucket::NAME])
        .args(["--s3-endpoint", &bucket.endpoint()])
        .etcd(&etcd)
        .dir(dir.path())
        .env("AWS_EC2_METADATA_DISABLED", "true");
    save.run().await.fails_with_result(
        Kind::Config,
        &[
            "n is saved, but not copied",
            "there are no keys: environment: AWS_ACCESS_KEY_ID is not set; profile default: ",
            "; web identity: ",
            "; container: ",
            "; EC2: ",
            "hint: give access_key and secret_key",
        ],
    );
    assert_eq!(snapshots(dir.path()), ["n"]);
}
