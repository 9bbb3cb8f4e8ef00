//! Members that cannot be saved from, and what people are told to do about it.

use std::fs;
use std::path::Path;

use rollsnap_engine::Kind;
use rollsnap_testkit::etcd_real::EtcdReal;
use rollsnap_testkit::stranger::Stranger;
use rollsnap_testkit::tls::{Certificates, Validity};
use tempfile::TempDir;

use crate::program::{Outcome, Program};
use crate::world::{Bucket, assert_nothing_written};

/// Saves, which must leave nothing.
async fn save(program: Program) -> Outcome {
    let dir = tempfile::tempdir().unwrap();
    let outcome = program.args(["--name", "n"]).dir(dir.path()).run().await;
    assert_nothing_written(dir.path());
    outcome
}

fn at(endpoint: &str) -> Program {
    Program::new(["save", "--endpoints", endpoint])
}

async fn secure() -> (TempDir, Certificates, EtcdReal) {
    let ssl = tempfile::tempdir().unwrap();
    let certificates = Certificates::issue(ssl.path(), &[]);
    let etcd = EtcdReal::builder().tls(&certificates).start().await;
    (ssl, certificates, etcd)
}

fn with(endpoint: &str, ca: &Path, cert: &Path, key: &Path) -> Program {
    at(endpoint)
        .arg_path("--cacert", ca)
        .arg_path("--cert", cert)
        .arg_path("--key", key)
}

#[tokio::test]
async fn no_endpoint_or_a_malformed_one_is_a_fault_of_the_configuration() {
    for (endpoints, words) in [
        ("", "names no endpoint"),
        (",", "names no endpoint"),
        ("ftp://h:2379", "ftp://h:2379"),
        ("h:port", "h:port"),
        ("http://h:2379/path", "http://h:2379/path"),
    ] {
        save(at(endpoints)).await.fails(Kind::Config, &[words]);
    }
}

#[tokio::test]
async fn nobody_there_is_said_with_the_address() {
    let refused = save(at("127.0.0.1:1")).await;
    refused.fails(
        Kind::Source,
        &[
            "save n: status of http://127.0.0.1:1: connection refused",
            "hint: is etcd running, and does it listen at 127.0.0.1:1?",
        ],
    );
}

#[tokio::test]
async fn http_against_https_and_the_reverse_name_the_other_scheme() {
    let (_ssl, certificates, etcd) = secure().await;
    let plain = etcd.endpoint().replace("https", "http");
    save(at(&plain))
        .await
        .fails(Kind::Config, &[&plain, "hint: ", "https://"]);

    let etcd = EtcdReal::builder().start().await;
    let tls = etcd.endpoint().replace("http", "https");
    let reverse = with(
        &tls,
        &certificates.ca(),
        &certificates.client(),
        &certificates.client_key(),
    );
    save(reverse).await.fails(
        Kind::Config,
        &[&tls, "it speaks no TLS", "hint: write http://"],
    );
    let both = with(
        &etcd.endpoint(),
        &certificates.ca(),
        &certificates.client(),
        &certificates.client_key(),
    );
    save(both).await.fails(
        Kind::Config,
        &["certificates are given, and http:// uses none", "hint: "],
    );
}

#[tokio::test]
async fn a_wrong_ca_and_a_wrong_client_are_told_apart() {
    let (_ssl, certificates, etcd) = secure().await;
    let elsewhere = tempfile::tempdir().unwrap();
    let other = Certificates::issue(elsewhere.path(), &[]);
    let (ca, cert, key) = (
        certificates.ca(),
        certificates.client(),
        certificates.client_key(),
    );

    let wrong_ca = save(with(&etcd.endpoint(), &other.ca(), &cert, &key)).await;
    wrong_ca.fails(
        Kind::Denied,
        &[
            "the server's certificate is not signed by the CA in ",
            "ca.pem",
            "hint: give the CA",
            "--cacert",
        ],
    );
    let wrong_client = with(&etcd.endpoint(), &ca, &other.client(), &other.client_key());
    save(wrong_client)
        .await
        .fails(Kind::Denied, &["certificate", "hint: "]);
    let no_client = at(&etcd.endpoint()).arg_path("--cacert", &ca);
    save(no_client)
        .await
        .fails(Kind::Denied, &["certificate", "hint: ", "--cert"]);
    let mixed = with(&etcd.endpoint(), &ca, &cert, &other.client_key());
    save(mixed)
        .await
        .fails(Kind::Config, &["client-key.pem", "hint: "]);
}

#[tokio::test]
async fn an_expired_certificate_is_said_to_be() {
    let ssl = tempfile::tempdir().unwrap();
    let (good, old) = (ssl.path().join("good"), ssl.path().join("old"));
    for dir in [&good, &old] {
        fs::create_dir(dir).unwrap();
    }
    let certificates = Certificates::issue(&good, &[]);
    let expired = Certificates::issue_exactly(&old, &["127.0.0.1"], Validity::Expired);
    let etcd = EtcdReal::builder().tls(&certificates).start().await;
    let stale = with(
        &etcd.endpoint(),
        &certificates.ca(),
        &expired.client(),
        &expired.client_key(),
    );
    save(stale)
        .await
        .fails(Kind::Denied, &["certificate", "hint: "]);
}

#[tokio::test]
async fn a_missing_an_unreadable_and_a_senseless_file_are_named() {
    let (ssl, certificates, etcd) = secure().await;
    let (ca, cert, key) = (
        certificates.ca(),
        certificates.client(),
        certificates.client_key(),
    );
    let nope = Path::new("/nope.pem");
    for (program, words) in [
        (
            with(&etcd.endpoint(), nope, &cert, &key),
            "read CA /nope.pem: no such file",
        ),
        (
            with(&etcd.endpoint(), &ca, nope, &key),
            "read certificate /nope.pem: no such file",
        ),
        (
            with(&etcd.endpoint(), &ca, &cert, nope),
            "read key /nope.pem: no such file",
        ),
        (
            with(&etcd.endpoint(), &ca, &cert, ssl.path()),
            "is a directory",
        ),
        (
            with(&etcd.endpoint(), &key, &cert, &key),
            "client-key.pem: it holds a private key and no certificate",
        ),
        (
            with(&etcd.endpoint(), &ca, &cert, &cert),
            "client.pem: it holds a certificate and no private key",
        ),
    ] {
        save(program).await.fails(Kind::Config, &[words, "hint: "]);
    }
    let half = at(&etcd.endpoint()).arg_path("--cert", &cert);
    save(half).await.fails(
        Kind::Config,
        &["--cert: is only half of a pair; give the certificate's key too: --key"],
    );
    let all = save(with(&etcd.endpoint(), nope, nope, nope)).await;
    all.fails(Kind::Config, &["read CA", "read certificate", "read key"]);
}

#[tokio::test]
async fn an_etcd_with_auth_wants_a_user_who_may() {
    let mut etcd = EtcdReal::builder().start().await;
    etcd.add_user("guest", "guest").await;
    etcd.enable_auth("secret").await;
    save(at(&etcd.endpoint()))
        .await
        .fails(Kind::Denied, &[&etcd.endpoint(), "hint: ", "--user"]);
    let guest = at(&etcd.endpoint()).args(["--user", "guest:guest"]);
    save(guest)
        .await
        .fails(Kind::Denied, &["guest", "hint: ", "root"]);
    let wrong = at(&etcd.endpoint()).args(["--user", "root:wrong"]);
    save(wrong).await.fails(Kind::Denied, &["root", "hint: "]);
}

#[tokio::test]
async fn a_learner_is_refused_for_its_data_may_be_old() {
    let etcd = EtcdReal::builder().start().await;
    let learner = etcd.add_learner().await;
    let refused = save(at(&learner.endpoint())).await;
    refused.fails(
        Kind::Config,
        &[
            &learner.endpoint(),
            "learner",
            "hint: give --endpoints a voting member",
        ],
    );
}

#[tokio::test]
async fn what_is_no_etcd_is_said_to_be_none() {
    let web = Stranger::web_server().await;
    let endpoint = format!("http://{}", web.address());
    save(at(&endpoint))
        .await
        .fails(Kind::Config, &[&endpoint, "etcd", "hint: "]);
    // It speaks HTTP/2, and so gets much further.
    let bucket = Bucket::up().await;
    save(at(&bucket.endpoint()))
        .await
        .fails(Kind::Config, &[&bucket.endpoint(), "etcd", "hint: "]);
}
