//! The ways to a server: proxies of the environment, the bucket in the host name, a certificate
//! that nobody vouches for.
//!
//! What the environment says can only be proved in a process that has it from its start: the child
//! below puts an object and reads it back.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Output, Stdio};

use rollsnap_store::s3::{Addressing, CustomCa};
use rollsnap_store::{Effort, ErrorKind, Outcome};
use rollsnap_testkit::forward_proxy::ForwardProxy;
use rollsnap_testkit::s3_real::Rclone;
use rollsnap_testkit::s3_server;
use rollsnap_testkit::tls::{Certificates, Validity};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio_util::task::AbortOnDropHandle;

use super::*;

const ENDPOINT: &str = "ROLLSNAP_TEST_ENDPOINT";
const CA: &str = "ROLLSNAP_TEST_CA";
/// A name that no resolver knows: whoever reaches it went through the proxy.
const DOMAIN: &str = "s3.invalid";

#[tokio::test]
#[ignore = "the other process of the tests below, which start it"]
async fn child_that_puts_an_object_by_the_ways_of_its_environment() {
    let endpoint = std::env::var(ENDPOINT).expect("started by the tests below");
    let mut config = config(&endpoint);
    config.tuning.proxy = ProxyUse::Environment;
    config.tuning.tries = 1;
    if endpoint.contains(DOMAIN) {
        config.addressing = Addressing::VirtualHost;
    }
    if let Ok(ca) = std::env::var(CA) {
        config.custom_ca = Some(CustomCa::new(ca));
        config.addressing = Addressing::Path;
    }
    let store = S3Store::open(&config).unwrap();
    let told = match put(&store, "snapshot", b"by the proxy").await {
        Ok(()) => {
            assert_eq!(get(&store, "snapshot").await.unwrap(), b"by the proxy");
            String::from("came back")
        }
        Err(error) => everything(&error),
    };
    writeln!(io::stdout(), "told: {told}").unwrap();
}

/// What the child told, started with these variables and none of ours that are about proxies.
async fn child(endpoint: &str, variables: &[(&str, &str)]) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--ignored", "--exact", "--nocapture"])
        .arg("routes::child_that_puts_an_object_by_the_ways_of_its_environment")
        .env(ENDPOINT, endpoint);
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"] {
        command.env_remove(name).env_remove(name.to_lowercase());
    }
    let Output { stdout, stderr, .. } = command
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let stdout = String::from_utf8(stdout).unwrap();
    let told = stdout.lines().find_map(|line| line.split_once("told: "));
    let (_, told) = told.unwrap_or_else(|| panic!("{stdout}{}", String::from_utf8_lossy(&stderr)));
    told.to_owned()
}

/// A server that is `s3.invalid`, with the bucket in it.
async fn server_of_domain(dir: &Path) -> (SocketAddr, AbortOnDropHandle<()>) {
    std::fs::create_dir(dir.join(BUCKET)).unwrap();
    let service = s3_server::service_of(DOMAIN, dir, ACCESS_KEY, SECRET_KEY);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(s3_server::serve(listener, service));
    (address, AbortOnDropHandle::new(serving))
}

#[tokio::test]
async fn a_bucket_in_the_host_name_is_reached_through_the_proxy_of_the_environment() {
    let dir = tempfile::tempdir().unwrap();
    let (server, _serving) = server_of_domain(dir.path()).await;
    let proxy = ForwardProxy::start(server, Some("dXNlcjpjYW5hcnk=")).await;
    let endpoint = format!("http://{DOMAIN}");
    let with = |user: &str| format!("http://{user}{}", proxy.address());

    let told = child(&endpoint, &[("HTTP_PROXY", &with("user:canary@"))]).await;
    assert_eq!(told, "came back");
    let asked = format!("HEAD http://{BUCKET}.{DOMAIN}/ HTTP/1.1");
    assert_eq!(proxy.asked()[0], asked, "{:?}", proxy.asked());
    assert!(
        dir.path()
            .join(BUCKET)
            .join("clusters/east/snapshot")
            .exists()
    );

    for user in ["", "user:another-canary@"] {
        let told = child(&endpoint, &[("HTTP_PROXY", &with(user))]).await;
        assert!(told.contains("wants a user"), "{told}");
        assert!(!told.contains("canary"), "{told}");
    }
}

#[tokio::test]
async fn a_tls_server_is_reached_through_a_tunnel_and_its_certificate_is_still_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let certificates = Certificates::issue_exactly(dir.path(), &[DOMAIN], Validity::Current);
    let server = Rclone::start(Some(&certificates)).await;
    let address = server.endpoint().trim_start_matches("https://");
    let address: SocketAddr = address.parse().unwrap();
    let endpoint = format!("https://{DOMAIN}:8443");
    let ca = certificates.ca().display().to_string();

    let proxy = ForwardProxy::start(address, None).await;
    let through = format!("http://{}", proxy.address());
    let told = child(&endpoint, &[("HTTPS_PROXY", &through), (CA, &ca)]).await;
    assert_eq!(told, "came back");
    let tunnel = format!("CONNECT {DOMAIN}:8443 HTTP/1.1");
    assert!(
        proxy.asked().iter().all(|line| *line == tunnel),
        "{:?}",
        proxy.asked()
    );

    let told = child(&endpoint, &[("HTTPS_PROXY", &through)]).await;
    assert!(
        told.contains("not signed by a CA that is trusted"),
        "{told}"
    );

    let strict = ForwardProxy::start(address, Some("dXNlcjpjYW5hcnk=")).await;
    let through = format!("http://user:canary@{}", strict.address());
    let told = child(&endpoint, &[("HTTPS_PROXY", &through), (CA, &ca)]).await;
    assert_eq!(told, "came back");
    let through = format!("http://user:another-canary@{}", strict.address());
    let told = child(&endpoint, &[("HTTPS_PROXY", &through), (CA, &ca)]).await;
    assert!(told.contains("wants a user"), "{told}");
    assert!(!told.contains("canary"), "{told}");

    let dead = "http://127.0.0.1:1";
    let told = child(&endpoint, &[("HTTPS_PROXY", dead), (CA, &ca)]).await;
    assert!(
        told.contains(&format!("the proxy before {endpoint}: ")),
        "{told}"
    );
    assert!(told.contains("NO_PROXY"), "{told}");
}

#[tokio::test]
async fn what_no_proxy_names_is_reached_without_one() {
    let peer = S3Peer::start(BUCKET).await;
    for no_proxy in ["127.0.0.1", "127.0.0.0/8", "elsewhere.example,127.0.0.1"] {
        let variables = [("HTTP_PROXY", "http://127.0.0.1:1"), ("NO_PROXY", no_proxy)];
        let told = child(&peer.endpoint(), &variables).await;
        assert_eq!(told, "came back", "{no_proxy}");
    }
}

#[tokio::test]
async fn a_custom_ca_is_trusted_beside_the_systems_and_not_instead() {
    let (system, custom) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (system, custom) = (
        Certificates::issue(system.path(), &[]),
        Certificates::issue(custom.path(), &[]),
    );
    let path = |certificates: &Certificates| certificates.ca().display().to_string();
    let of_system = ("SSL_CERT_FILE", &*path(&system));
    for certificates in [&system, &custom] {
        let server = Rclone::start(Some(certificates)).await;
        let told = child(server.endpoint(), &[of_system, (CA, &path(&custom))]).await;
        assert_eq!(told, "came back");
    }
    let server = Rclone::start(Some(&custom)).await;
    let told = child(server.endpoint(), &[of_system]).await;
    assert!(
        told.contains("not signed by a CA that is trusted"),
        "{told}"
    );
}

#[tokio::test]
async fn an_endpoint_with_an_ipv6_address_is_reached_and_signed_for() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join(BUCKET)).unwrap();
    let listener = TcpListener::bind("[::1]:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let service = s3_server::service(dir.path(), ACCESS_KEY, SECRET_KEY);
    let serving = tokio::spawn(s3_server::serve(listener, service));
    let _serving = AbortOnDropHandle::new(serving);
    let store = S3Store::open(&config(endpoint)).unwrap();
    put(&store, "snapshot", b"{}").await.unwrap();
    assert_eq!(get(&store, "snapshot").await.unwrap(), b"{}");
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_taken_only_where_that_was_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let certificates = Certificates::issue_exactly(dir.path(), &["another"], Validity::Expired);
    let server = Rclone::start(Some(&certificates)).await;
    let mut config = config(server.endpoint());
    let error = S3Store::open(&config).unwrap().check_bucket().await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Denied);

    config.insecure_skip_verify = true;
    let store = S3Store::open(&config).unwrap();
    put(&store, "snapshot", b"trusting").await.unwrap();
    let probes = store.probe(Effort::Harmless).await;
    let connection = probes.iter().find(|probe| probe.what == "connection");
    let told = &connection.unwrap().outcome;
    assert!(
        matches!(told, Outcome::Weak { hint, .. } if hint.contains("custom_ca")),
        "{told:?}"
    );
}
