//! What servers say, and what is made of it.

use reqwest::header::{HeaderMap, HeaderValue};

use super::*;

const ASKED_AT: i64 = 1_777_636_800; // 2026-05-01T12:00:00Z
const PLACE: Place<'static> = Place {
    bucket: "b",
    endpoint: "https://h",
};

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let pair = |(name, value): &(&'static str, &'static str)| {
        (
            reqwest::header::HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )
    };
    pairs.iter().map(pair).collect()
}

fn body(code: &str) -> String {
    format!("<?xml version=\"1.0\"?>\n<Error><Code>{code}</Code><Message>Words.</Message></Error>")
}

fn told(status: u16, body: &str) -> StoreError {
    let refusal = Refusal::new(status, &HeaderMap::new(), body, ASKED_AT);
    Fault::Refusal(Box::new(refusal)).tell("read", "s3://b/f/name", &PLACE)
}

#[test]
fn each_code_has_its_kind_its_words_and_its_hint() {
    use ErrorKind::{Config, Denied, Full, NotFound, Unavailable};
    for (status, code, kind, message, hint) in [
        (404, "NoSuchKey", NotFound, "no such object", ""),
        (404, "", NotFound, "no such object", ""),
        (
            404,
            "NoSuchBucket",
            Config,
            "bucket b does not exist at https://h",
            "bucket_name",
        ),
        (
            400,
            "InvalidBucketName",
            Config,
            "https://h has no bucket with such a name as b",
            "3 to 63",
        ),
        (
            403,
            "InvalidAccessKeyId",
            Denied,
            "access key",
            "access_key",
        ),
        (403, "NotSignedUp", Denied, "access key", "access_key"),
        (
            403,
            "SignatureDoesNotMatch",
            Denied,
            "signature",
            "secret_key",
        ),
        (
            403,
            "AccessDenied",
            Denied,
            "403 AccessDenied: words",
            "allow",
        ),
        (403, "", Denied, "403", "allow"),
        (
            400,
            "ExpiredToken",
            Denied,
            "400 ExpiredToken: words",
            "renew",
        ),
        (
            400,
            "AuthorizationHeaderMalformed",
            Config,
            "400 Auth",
            "region",
        ),
        (301, "PermanentRedirect", Config, "301 Perm", "region"),
        (
            400,
            "InvalidArgument",
            Config,
            "400 InvalidArgument: words",
            "",
        ),
        (507, "", Full, "507", ""),
        (403, "QuotaExceeded", Full, "403 QuotaExceeded: words", ""),
        (503, "SlowDown", Unavailable, "503 SlowDown: words", ""),
        (500, "", Unavailable, "500", ""),
        (501, "NotImplemented", Config, "501 NotImplemented", ""),
        (200, "InternalError", Unavailable, "200 InternalError", ""),
    ] {
        let text = if code.is_empty() {
            String::new()
        } else {
            body(code)
        };
        let error = told(status, &text);
        let shown = format!("{status} {code}: {error}");
        assert_eq!(error.kind(), kind, "{shown}");
        assert!(error.to_string().contains(message), "{shown}");
        assert!(error.hint().unwrap_or_default().contains(hint), "{shown}");
        assert_eq!(error.hint().is_some(), !hint.is_empty(), "{shown}");
    }
}

#[test]
fn a_lock_is_told_apart_from_a_missing_right_and_from_a_bucket_without_locks() {
    use ErrorKind::{Config, Denied, Locked};
    for (status, code, message, kind) in [
        (
            403,
            "AccessDenied",
            "Access Denied because object protected by object lock.",
            Locked,
        ),
        (403, "AccessDenied", "forbidden by object lock", Locked),
        (
            400,
            "InvalidRequest",
            "Object is WORM protected and cannot be overwritten",
            Locked,
        ),
        (403, "ObjectUnderActiveHold", "", Locked),
        (409, "FileImmutable", "", Locked),
        (451, "", "", Locked),
        (403, "AccessDenied", "Access Denied", Denied),
        (403, "AccessDenied", "blocked by policy", Denied),
        (
            403,
            "AccessDenied",
            "User u is not authorized to perform: s3:PutObjectRetention",
            Denied,
        ),
        (
            400,
            "InvalidRequest",
            "Bucket is missing Object Lock Configuration",
            Config,
        ),
    ] {
        let body = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
        let error = told(status, &body);
        assert_eq!(error.kind(), kind, "{error}");
        assert!(!error.kind().is_transient());
    }
}

#[test]
fn only_what_may_pass_is_tried_again() {
    for (status, code, transient) in [
        (500, "", true),
        (503, "SlowDown", true),
        (429, "", true),
        (408, "", true),
        (400, "RequestTimeout", true),
        (409, "OperationAborted", true),
        (200, "InternalError", true),
        (200, "NoSuchUpload", false),
        (200, "AccessDenied", false),
        (400, "InvalidArgument", false),
        (403, "AccessDenied", false),
        (404, "", false),
        (501, "NotImplemented", false),
    ] {
        let refusal = Refusal::new(status, &HeaderMap::new(), &body(code), ASKED_AT);
        assert_eq!(refusal.is_transient(), transient, "{status} {code}");
    }
}

#[test]
fn a_clock_that_is_wrong_is_told_by_how_much_and_which_way() {
    for (date, words) in [
        (
            "Fri, 01 May 2026 12:20:00 GMT",
            "1200s behind that of https://h",
        ),
        (
            "Fri, 01 May 2026 11:59:00 GMT",
            "60s ahead of that of https://h",
        ),
        ("yesterday", "too far apart"),
    ] {
        let date = headers(&[("date", date)]);
        let refusal = Refusal::new(403, &date, &body("RequestTimeTooSkewed"), ASKED_AT);
        let error = refusal.tell("list", "s3://b", &PLACE);
        assert!(error.to_string().contains(words), "{error}");
        assert!(error.hint().is_some_and(|hint| hint.contains("clock")));
    }
    let of_rclone = "<Error><Code>AccessDenied</Code><Message>The difference between the request \
                     time and the server's time exceeds the maximum allowed</Message></Error>";
    let error = told(400, of_rclone);
    assert!(error.hint().is_some_and(|hint| hint.contains("clock")));
}

#[test]
fn the_server_may_ask_for_a_wait_in_seconds_or_until_a_date() {
    for (wait, seconds) in [
        ("120", Some(120)),
        (" 0 ", Some(0)),
        ("Fri, 01 May 2026 12:00:30 GMT", Some(30)),
        ("Fri, 01 May 2026 11:00:00 GMT", None),
        ("soon", None),
    ] {
        let told = headers(&[
            ("date", "Fri, 01 May 2026 12:00:00 GMT"),
            ("retry-after", wait),
        ]);
        let refusal = Refusal::new(503, &told, "", 0);
        assert_eq!(
            refusal.retry_after,
            seconds.map(Duration::from_secs),
            "{wait}"
        );
    }
}

#[test]
fn the_region_is_taken_from_the_header_before_the_body_and_only_from_a_redirect() {
    let inside = "<Error><Code>AuthorizationHeaderMalformed</Code><Region>garage</Region></Error>";
    let header = headers(&[("x-amz-bucket-region", "eu-west-1")]);
    let none = HeaderMap::new();
    for (status, headers, body, region) in [
        (400, &none, inside, Some("garage")),
        (301, &header, inside, Some("eu-west-1")),
        (307, &header, "", Some("eu-west-1")),
        (403, &header, "", None),
        (400, &none, "", None),
    ] {
        let refusal = Refusal::new(status, headers, body, ASKED_AT);
        assert_eq!(refusal.moved_from("us-east-1"), region, "{status} {body}");
        assert_eq!(refusal.moved_from(region.unwrap_or_default()), None);
    }
}

#[test]
fn words_of_others_are_shortened_and_stripped_of_control_characters() {
    let long = format!(
        "<Error><Message>A{}&#10;b\u{7}c.</Message></Error>",
        "a".repeat(500)
    );
    let error = told(500, &long).to_string();
    assert!(error.len() < 300, "{error}");
    assert!(!error.contains(char::is_control), "{error:?}");

    let page = told(502, "<html>\n<h1>Bad Gateway</h1></html>").to_string();
    assert_eq!(page, "read s3://b/f/name: 502");
    let line = told(400, "Client sent an HTTP request to an HTTPS server.\n");
    assert!(line.to_string().ends_with("to an HTTPS server"), "{line}");
    assert!(line.hint().is_some_and(|hint| hint.contains("https://")));
}

#[test]
fn a_broken_error_is_an_error_all_the_same() {
    for body in [
        "<Error>",
        "<Error><Code>A",
        "<?xml version=\"1.0\"?><Error/>",
        "\u{feff}<Error/>",
    ] {
        let refusal = Refusal::in_success(&HeaderMap::new(), body, ASKED_AT);
        assert!(
            refusal.is_some_and(|refusal| refusal.is_transient()),
            "{body}"
        );
    }
    for body in ["", "<Errors/>", "<ListBucketResult/>", "hello <Error>"] {
        let refusal = Refusal::in_success(&HeaderMap::new(), body, ASKED_AT);
        assert!(refusal.is_none(), "{body}");
    }
}
