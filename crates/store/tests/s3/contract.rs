//! The suite that every store passes, on three servers that share no code.

use rollsnap_store::contract;
use rollsnap_store::s3::CustomCa;
use rollsnap_testkit::s3_real::{Radosgw, Rclone};
use rollsnap_testkit::tls::Certificates;

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_of_s3s_keeps_the_contract() {
    let (peer, store) = peer().await;
    contract::run_with_names_up_to(&store, 100).await;
    contract::run_tickets(&store).await;
    assert!(
        peer.count(&Method::POST, "uploads") > 0,
        "no upload had parts"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_of_rclone_over_tls_keeps_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    let certificates = Certificates::issue(dir.path(), &[]);
    let server = Rclone::start(Some(&certificates)).await;
    let config = S3Config {
        custom_ca: Some(CustomCa::new(certificates.ca().display().to_string())),
        ..config(server.endpoint())
    };
    contract::run(&S3Store::open(&config).unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_of_ceph_keeps_the_contract_at_its_top_and_in_a_folder() {
    let server = Radosgw::start().await;
    for folder in [None, Some(String::from("clusters/east"))] {
        let config = S3Config {
            folder,
            ..config(server.endpoint())
        };
        let store = S3Store::open(&config).unwrap();
        contract::run(&store).await;
    }
    let store = S3Store::open(&config(server.endpoint())).unwrap();
    contract::run_tickets(&store).await;
}
