//! What an operator may get wrong, and the words that tell it.

use std::error::Error as _;
use std::time::Duration;

use rollsnap_store::ErrorKind;
use rollsnap_store::s3::{Addressing, ConfigFault, CustomCa};
use rollsnap_testkit::s3_peer::{Fault, Rule};
use rollsnap_testkit::s3_real::Rclone;
use rollsnap_testkit::tls::{Certificates, Validity};

use super::*;

/// The error of the check of a bucket, proved to show no secret.
async fn refused(config: &S3Config) -> (ErrorKind, String, String) {
    let error = match S3Store::open(config) {
        Ok(store) => store.check_bucket().await.expect_err("this is wrong"),
        Err(error) => error,
    };
    everything(&error);
    assert!(error.source().is_none(), "said twice: {error:?}");
    let hint = error.hint().unwrap_or_default().to_owned();
    (error.kind(), error.to_string(), hint)
}

#[track_caller]
fn assert_told(told: &(ErrorKind, String, String), kind: ErrorKind, message: &str, hint: &str) {
    assert_eq!(told.0, kind, "{told:?}");
    assert!(told.1.contains(message), "{message:?} is not in {told:?}");
    assert!(told.2.contains(hint), "{hint:?} is not in {told:?}");
}

#[tokio::test]
async fn a_bucket_that_does_not_exist_is_named_with_its_server() {
    let peer = S3Peer::start("another").await;
    let told = refused(&config(peer.endpoint())).await;
    let message = format!(
        "check s3://snapshots/clusters/east: bucket snapshots does not exist at {}",
        peer.endpoint()
    );
    assert_told(&told, ErrorKind::Config, &message, "bucket_name");
}

#[tokio::test]
async fn a_wrong_secret_and_an_unknown_key_are_told_apart() {
    let peer = S3Peer::start(BUCKET).await;
    for (access, secret, message, hint) in [
        (ACCESS_KEY, "wrong-canary", "signature", "secret_key"),
        ("nobody", SECRET_KEY, "access key", "access_key"),
    ] {
        let mut config = config(peer.endpoint());
        config.credentials = Credentials::new(access, secret).into();
        let told = refused(&config).await;
        assert_told(&told, ErrorKind::Denied, message, hint);
        assert!(!told.1.contains("canary"), "{told:?}");
    }
    assert_eq!(peer.count(&Method::GET, ""), 2, "a refusal was tried again");
}

#[tokio::test]
async fn missing_rights_are_told_with_the_rights_that_are_needed() {
    let (peer, store) = peer().await;
    peer.script(Rule::on(
        Method::DELETE,
        Fault::Refuse {
            status: 403,
            code: "AccessDenied",
            retry_after: None,
        },
    ));
    let error = store.delete(&name("snapshot")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.hint().is_some_and(|hint| hint.contains("delete")));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let mut config = config("http://127.0.0.1:1");
    config.tuning.tries = 2;
    let told = refused(&config).await;
    assert_told(
        &told,
        ErrorKind::Unavailable,
        "http://127.0.0.1:1: connect: connection refused",
        "is the S3 server running at http://127.0.0.1:1,",
    );
}

#[tokio::test]
async fn a_name_that_nobody_knows_is_told_as_such() {
    let mut config = config("http://no-such-host.invalid");
    config.tuning.tries = 1;
    config.tuning.connect_timeout = Duration::from_secs(20);
    let told = refused(&config).await;
    assert_told(&told, ErrorKind::Unavailable, "name lookup", "DNS");
}

#[tokio::test]
async fn https_to_a_plain_server_is_told() {
    let peer = S3Peer::start(BUCKET).await;
    let told = refused(&config(format!("https://{}", peer.address()))).await;
    assert_told(&told, ErrorKind::Config, "does not speak TLS", "http://");
}

#[tokio::test]
async fn http_to_a_tls_server_an_unknown_ca_and_a_wrong_name_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let certificates = Certificates::issue_exactly(dir.path(), &["localhost"], Validity::Current);
    let server = Rclone::start(Some(&certificates)).await;
    let localhost = server.endpoint().replace("127.0.0.1", "localhost");

    let told = refused(&config(localhost.replace("https:", "http:"))).await;
    assert_told(&told, ErrorKind::Config, "400", "https://");

    let told = refused(&config(&localhost)).await;
    let message = format!("the certificate of {localhost} is not signed by a CA that is trusted");
    assert_told(&told, ErrorKind::Denied, &message, "custom_ca");

    let pem = std::fs::read_to_string(certificates.ca()).unwrap();
    let with_ca = |endpoint: &str| S3Config {
        custom_ca: Some(CustomCa::new(&pem)),
        ..config(endpoint)
    };
    let told = refused(&with_ca(server.endpoint())).await;
    let message = format!(
        "the certificate of {} was made for another name",
        server.endpoint()
    );
    assert_told(&told, ErrorKind::Denied, &message, "host name");

    let store = S3Store::open(&with_ca(&localhost)).unwrap();
    store.check_bucket().await.unwrap();
}

#[tokio::test]
async fn a_certificate_that_has_expired_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let certificates = Certificates::issue_exactly(dir.path(), &["localhost"], Validity::Expired);
    let server = Rclone::start(Some(&certificates)).await;
    let told = refused(&S3Config {
        custom_ca: Some(CustomCa::new(certificates.ca().display().to_string())),
        ..config(server.endpoint().replace("127.0.0.1", "localhost"))
    })
    .await;
    assert_told(&told, ErrorKind::Denied, "has expired", "renew");
}

#[tokio::test]
async fn a_server_that_knows_no_buckets_is_no_s3_server() {
    let peer = S3Peer::start(BUCKET).await;
    peer.script(Rule::on(
        Method::GET,
        Fault::Refuse {
            status: 404,
            code: "",
            retry_after: None,
        },
    ));
    let told = refused(&config(peer.endpoint())).await;
    let message = format!("no S3 server answers at {}", peer.endpoint());
    assert_told(&told, ErrorKind::Config, &message, "correct endpoint");
}

#[tokio::test]
async fn something_that_is_no_s3_server_is_told() {
    let (peer, store) = peer().await;
    peer.script(Rule::on(Method::GET, Fault::ReplyWith("<html>hello</html>")).times(99));
    let error = store.check_bucket().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("no listing"), "{error}");
    assert!(error.hint().is_some_and(|hint| hint.contains("S3 server")));
}

type Change = Box<dyn Fn(&mut S3Config)>;

/// Each with the key that it names and a word of the cure.
#[test]
fn every_fault_of_a_configuration_names_its_key_and_the_cure() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        Some(CustomCa::new(path.display().to_string()))
    };
    let keys = |access: &'static str, secret: &'static str| -> Change {
        Box::new(move |config| config.credentials = Credentials::new(access, secret).into())
    };
    let endpoint =
        |text: &'static str| -> Change { Box::new(move |config| config.endpoint = text.into()) };
    let bucket =
        |text: &'static str| -> Change { Box::new(move |config| config.bucket = text.into()) };
    let folder = |text: &'static str| -> Change {
        Box::new(move |config| config.folder = Some(text.into()))
    };
    let ca =
        |ca: Option<CustomCa>| -> Change { Box::new(move |config| config.custom_ca = ca.clone()) };
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let cases: Vec<(Change, &str, &str)> = vec![
        (endpoint("https://h/?location"), "endpoint", "query"),
        (endpoint("https://h/snapshots"), "endpoint", "bucket_name"),
        (endpoint("https://u:canary@h"), "endpoint", "access_key"),
        (bucket(""), "bucket_name", "name the bucket"),
        (bucket("a/b"), "bucket_name", "folder"),
        (bucket("a b"), "bucket_name", "letters"),
        (folder("a//b"), "folder", "plainly"),
        (folder("a/../b"), "folder", "plainly"),
        (folder("./a"), "folder", "plainly"),
        (folder("a\nb"), "folder", "control"),
        (keys("", "canary"), "access_key", "both"),
        (keys("key", ""), "secret_key", "both"),
        (keys("key ", "canary"), "access_key", "white space"),
        (keys("key", "can ary"), "secret_key", "white space"),
        (keys("key", "canary\u{1}"), "secret_key", "copy it again"),
        (ca(Some(CustomCa::new("/no/such/file"))), "custom_ca", "PEM"),
        (ca(file("empty", "")), "custom_ca", "no certificate"),
        (ca(file("text", "hello")), "custom_ca", "no certificate"),
        (ca(file("broken", broken)), "custom_ca", "broken"),
        (
            ca(Some(CustomCa::new(broken))),
            "custom_ca",
            "the text given",
        ),
        (
            Box::new(|config| config.region = Some("eu west".into())),
            "region",
            "dashes",
        ),
        (
            Box::new(|config| {
                config.endpoint = "127.0.0.1".into();
                config.addressing = Addressing::VirtualHost;
            }),
            "endpoint",
            "path style",
        ),
    ];
    for (change, key, cure) in cases {
        let mut config = config("http://h");
        change(&mut config);
        let faults = config.check();
        assert_eq!(faults.len(), 1, "{key}, {cure}: {faults:?}");
        let ConfigFault {
            key: found,
            message,
        } = &faults[0];
        assert_eq!(*found, key, "{message}");
        assert!(message.contains(cure), "{cure:?} is not in {message:?}");
        assert!(!message.contains("canary"), "{message}");
        let error = S3Store::open(&config).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
    }
}

#[test]
fn all_faults_are_told_at_once() {
    let config = S3Config {
        endpoint: "h/?x".into(),
        ..S3Config::default()
    };
    let keys: Vec<_> = config.check().into_iter().map(|fault| fault.key).collect();
    assert_eq!(
        keys,
        ["endpoint", "bucket_name", "access_key", "secret_key"]
    );
    let error = S3Store::open(&config).unwrap_err().to_string();
    assert!(error.contains("endpoint: ") && error.contains("secret_key: "));
}

#[test]
fn what_people_write_is_right() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Certificates::issue(dir.path(), &[]).ca();
    let pem = std::fs::read_to_string(&ca).unwrap();
    for folder in [None, Some(""), Some("/"), Some("/a/b/"), Some("a b")] {
        for ca in [ca.display().to_string(), pem.clone(), base64(&pem)] {
            let config = S3Config {
                folder: folder.map(str::to_owned),
                custom_ca: Some(CustomCa::new(ca)),
                ..config("")
            };
            assert_eq!(config.check(), []);
            let store = S3Store::open(&config).unwrap();
            let location = store.location().to_string();
            let inner = folder.unwrap_or_default().trim_matches('/');
            assert_eq!(
                location,
                format!("s3://snapshots/{inner}").trim_end_matches('/')
            );
        }
    }
}

#[test]
fn debug_shows_no_secret() {
    let mut config = config("http://h");
    config.credentials = Credentials::new("key-canary", "secret-canary")
        .with_session_token("token-canary")
        .into();
    let store = S3Store::open(&config).unwrap();
    let shown = format!("{config:?} {store:?}");
    assert!(!shown.contains("canary"), "{shown}");
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}
