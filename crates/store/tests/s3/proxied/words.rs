//! What a server says instead of yes, and what the operator is told of it.

use http::header::AUTHORIZATION;
use rollsnap_store::ErrorKind;

use super::*;

/// The error that a listing ends with while the server says this to everything.
async fn told(fault: Fault) -> (ErrorKind, String) {
    let server = Server::s3s().await;
    let proxy = server.proxy().await;
    let store = store(&proxy, "east");
    proxy.script(Rule::always(fault));
    let error = store.list("").await.expect_err("this is wrong");
    (error.kind(), everything(&error))
}

#[track_caller]
fn assert_told((kind, text): &(ErrorKind, String), wanted: ErrorKind, words: &[&str]) {
    assert_eq!(*kind, wanted, "{text}");
    for word in words {
        assert!(text.contains(word), "{word:?} is not in {text}");
    }
}

#[tokio::test]
async fn a_refusal_is_told_with_its_cure() {
    for (fault, kind, words) in [
        (
            refuse(403, "AccessDenied"),
            ErrorKind::Denied,
            ["403 AccessDenied", "allow these keys"],
        ),
        (
            refuse(404, "NoSuchBucket"),
            ErrorKind::Config,
            ["bucket snapshots does not exist", "create it"],
        ),
        (
            refuse(400, "ExpiredToken"),
            ErrorKind::Denied,
            ["400 ExpiredToken", "renew"],
        ),
        (
            refuse(429, "TooManyRequests"),
            ErrorKind::Unavailable,
            ["429 TooManyRequests", ""],
        ),
    ] {
        assert_told(&told(fault).await, kind, &words);
    }
}

#[tokio::test]
async fn a_bucket_that_is_elsewhere_is_told() {
    for status in [301, 307] {
        let fault = Fault::Redirect {
            status,
            location: "http://elsewhere.invalid/".into(),
        };
        let words = ["endpoint", "lives elsewhere"];
        assert_told(&told(fault).await, ErrorKind::Config, &words);
    }
}

/// As MinIO and Garage say it: the right region stands in the refusal.
#[tokio::test]
async fn a_wrong_region_is_corrected_by_the_servers_word() {
    let server = Server::s3s().await;
    let proxy = server.proxy().await;
    let mut config = config(proxy.endpoint());
    config.region = Some("us-east-1".into());
    let store = S3Store::open(&config).unwrap();
    let signed_wrong = Rule::always(Fault::WrongRegion("eu-central-1"));
    proxy.script(signed_wrong.with_header(AUTHORIZATION, "/us-east-1/s3/"));
    put(&store, "snapshot", &pattern(PART + 1)).await.unwrap();
    assert_eq!(get(&store, "snapshot").await.unwrap(), pattern(PART + 1));
    let wrong = |seen: &&_| Seen::header(seen, AUTHORIZATION).contains("/us-east-1/s3/");
    assert_eq!(proxy.seen().iter().filter(wrong).count(), 1, "asked again");
}

#[tokio::test]
async fn a_clock_that_is_hours_off_is_made_good_by_the_servers_date() {
    let server = Server::s3s().await;
    for ahead in [-7200, 86_400] {
        let proxy = server.proxy().await;
        proxy.script(Rule::always(Fault::Clock(ahead)));
        let store = store(&proxy, "skewed");
        put(&store, "snapshot", &pattern(PART + 1)).await.unwrap();
        assert_eq!(get(&store, "snapshot").await.unwrap(), pattern(PART + 1));
    }
}
