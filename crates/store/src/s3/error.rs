//! What a failed request means, and in whose words it is told.
//!
//! Codes: "Error responses", Amazon S3 API reference; the radosgw, MinIO and s3s names that differ
//! stand beside theirs.

use std::error::Error as _;
use std::fmt;
use std::io;
use std::time::Duration;

use chrono::DateTime;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use s3::error::S3Error;
use serde::Deserialize;

use crate::{ErrorKind, StoreError};

const REGION_HEADER: &str = "x-amz-bucket-region";
/// Longest piece of a server's own words in a message.
const QUOTE: usize = 200;

/// One failed request.
#[derive(Debug)]
pub(super) enum Fault {
    /// No reply.
    Line(LineFault),
    /// A reply that refuses.
    Refusal(Box<Refusal>),
    /// A reply that S3 would not give.
    Nonsense(String),
    /// The request could not be made.
    Unsignable(S3Error),
}

/// The line to the server failed: name, connection, TLS, reset, stall.
#[derive(Debug)]
pub(super) struct LineFault {
    kind: ErrorKind,
    message: String,
    hint: Option<&'static str>,
    cause: Option<reqwest::Error>,
}

/// What the server said instead of yes.
#[derive(Debug, Default)]
pub(super) struct Refusal {
    pub(super) status: u16,
    /// Empty where the reply had no body, as to every HEAD.
    pub(super) code: String,
    message: String,
    /// The bucket's region, where the reply tells one.
    pub(super) region: Option<String>,
    retry_after: Option<Duration>,
    /// The server's clock minus ours, in seconds.
    skew: Option<i64>,
}

/// `<Error>` as S3 sends it; everything else in it is ignored.
#[derive(Debug, Default, Deserialize)]
#[serde(rename = "Error", rename_all = "PascalCase", default)]
struct ErrorBody {
    code: String,
    message: String,
    region: Option<String>,
}

impl From<LineFault> for Fault {
    fn from(fault: LineFault) -> Self {
        Self::Line(fault)
    }
}

impl From<S3Error> for Fault {
    fn from(fault: S3Error) -> Self {
        Self::Unsignable(fault)
    }
}

impl Fault {
    /// Whether the same request may succeed a little later.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Self::Line(line) => line.kind.is_transient(),
            Self::Refusal(refusal) => refusal.is_transient(),
            Self::Nonsense(_) => true,
            Self::Unsignable(_) => false,
        }
    }

    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refusal(refusal) => refusal.retry_after,
            _ => None,
        }
    }

    /// Whether the server said this very code.
    pub(super) fn has_code(&self, code: &str) -> bool {
        matches!(self, Self::Refusal(refusal) if refusal.code == code)
    }

    pub(super) fn has_status(&self, status: u16) -> bool {
        matches!(self, Self::Refusal(refusal) if refusal.status == status)
    }

    /// Tells it of `verb` on `object`. `place` is the bucket and its server, for the messages that
    /// are about them rather than about the object.
    pub(super) fn tell(
        self,
        verb: &'static str,
        object: impl fmt::Display,
        place: &Place<'_>,
    ) -> StoreError {
        match self {
            Self::Line(line) => {
                let message = format!("{}: {}", place.endpoint, line.message);
                let error = StoreError::at(line.kind, verb, object, message);
                let error = match line.hint {
                    Some(hint) => error.with_hint(hint),
                    None => error,
                };
                match line.cause {
                    Some(cause) => error.caused_by(cause),
                    None => error,
                }
            }
            Self::Refusal(refusal) => refusal.tell(verb, object, place),
            Self::Nonsense(message) => {
                StoreError::at(ErrorKind::Unavailable, verb, object, message).with_hint(format!(
                    "see whether {} is an S3 server, and whether a proxy answers for it",
                    place.endpoint
                ))
            }
            Self::Unsignable(cause) => {
                StoreError::at(ErrorKind::Config, verb, object, "sign the request").caused_by(cause)
            }
        }
    }
}

/// Where a bucket is, in words.
#[derive(Debug)]
pub(super) struct Place<'a> {
    pub(super) bucket: &'a str,
    pub(super) endpoint: &'a str,
}

impl LineFault {
    /// Reads the meaning from the bottom of reqwest's chain, where the operating system or rustls
    /// has spoken. The URL is dropped: the object is named by whoever tells the error.
    pub(super) fn new(cause: reqwest::Error) -> Self {
        let cause = cause.without_url();
        let (kind, message, hint) = diagnose(&cause);
        Self {
            kind,
            message,
            hint,
            cause: Some(cause),
        }
    }

    pub(super) fn stalled(after: Duration) -> Self {
        Self {
            kind: ErrorKind::Unavailable,
            message: format!("no byte moved for {after:?}"),
            hint: None,
            cause: None,
        }
    }
}

fn diagnose(error: &reqwest::Error) -> (ErrorKind, String, Option<&'static str>) {
    use rustls::CertificateError as Bad;
    use rustls::Error as Tls;

    match tls_error(error) {
        Some(Tls::InvalidCertificate(bad)) => {
            let hint = match bad {
                Bad::UnknownIssuer => {
                    "give the CA that signed the server's certificate as custom_ca"
                }
                Bad::NotValidForName | Bad::NotValidForNameContext { .. } => {
                    "use the host name that the server's certificate was made for"
                }
                Bad::Expired | Bad::ExpiredContext { .. } => {
                    "renew the server's certificate, or set this machine's clock"
                }
                _ => "see the server's certificate",
            };
            let message = format!("certificate refused: {}", lowered(&bad.to_string()));
            return (ErrorKind::Config, message, Some(hint));
        }
        Some(Tls::InvalidMessage(_)) => {
            return (
                ErrorKind::Config,
                "the server does not speak TLS here".into(),
                Some("write the endpoint with http:// if it is meant to be plain"),
            );
        }
        Some(other) => {
            let message = format!("TLS: {}", lowered(&other.to_string()));
            return (ErrorKind::Unavailable, message, None);
        }
        None => {}
    }
    let words = chain(error);
    if words.iter().any(|text| text.contains("invalid HTTP")) {
        return (
            ErrorKind::Config,
            "the server does not speak HTTP here".into(),
            Some("write the endpoint with https:// if the server wants TLS"),
        );
    }
    if words.iter().any(|text| text.contains("dns error")) {
        return (
            ErrorKind::Unavailable,
            format!("name lookup: {}", bottom(&words)),
            Some("see whether the endpoint is spelled right and DNS answers"),
        );
    }
    let message = match (error.is_connect(), error.is_timeout()) {
        (true, true) => "connect: timed out".into(),
        (true, false) => format!("connect: {}", bottom(&words)),
        _ => bottom(&words),
    };
    (ErrorKind::Unavailable, message, None)
}

/// `io::Error` hides the error inside it from the chain, so both ways down are walked.
fn tls_error<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    if let Some(found) = error.downcast_ref::<rustls::Error>() {
        return Some(found);
    }
    let hidden = error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref)
        .and_then(|inner| tls_error(inner));
    hidden.or_else(|| error.source().and_then(tls_error))
}

fn chain(error: &reqwest::Error) -> Vec<String> {
    std::iter::successors(error.source(), |error| (*error).source())
        .map(ToString::to_string)
        .collect()
}

fn bottom(words: &[String]) -> String {
    words
        .last()
        .map_or_else(|| "the request broke off".into(), |text| lowered(text))
}

/// Words of others in our style: first letter lowered unless a capital follows, no full stop, no
/// `(os error 111)`, no control characters, not too long.
fn lowered(text: &str) -> String {
    let text = text.split(" (os error").next().unwrap_or_default();
    let text = text.trim().trim_end_matches('.');
    let mut letters = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(QUOTE)
        .peekable();
    match letters.next() {
        Some(first) if !letters.peek().is_some_and(|c| c.is_uppercase()) => {
            first.to_lowercase().chain(letters).collect()
        }
        Some(first) => std::iter::once(first).chain(letters).collect(),
        None => String::new(),
    }
}

impl Refusal {
    /// Reads a refusing reply, signed at `signed_at` (seconds since 1970).
    pub(super) fn new(status: u16, headers: &HeaderMap, body: &str, signed_at: i64) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let told = error_in(body).unwrap_or_else(|| ErrorBody {
            // A proxy's page is not quoted, one line of plain text is.
            message: match body.trim() {
                plain if plain.contains(['<', '\n', '{']) => String::new(),
                plain => lowered(plain),
            },
            ..ErrorBody::default()
        });
        Self {
            status,
            code: lowered_code(&told.code),
            message: lowered(&told.message),
            region: text(REGION_HEADER).map(str::to_owned).or(told.region),
            retry_after: text(RETRY_AFTER.as_str())
                .and_then(|value| value.trim().parse().ok())
                .map(Duration::from_secs),
            skew: text(DATE.as_str())
                .and_then(|value| DateTime::parse_from_rfc2822(value).ok())
                .map(|date| date.timestamp() - signed_at),
        }
    }

    /// The `<Error>` that some servers send under status 200 once they have begun to answer.
    pub(super) fn in_success(headers: &HeaderMap, body: &str, signed_at: i64) -> Option<Self> {
        error_in(body).map(|_| Self::new(200, headers, body, signed_at))
    }

    fn is_transient(&self) -> bool {
        const CODES: [&str; 7] = [
            "InternalError",
            "OperationAborted",
            "RequestTimeout",
            "ServiceUnavailable",
            "SlowDown",
            "Throttling",
            "XAmzContentSHA256Mismatch", // bytes changed on the way; the next try reads them anew
        ];
        const FINAL_IN_SUCCESS: [&str; 6] = [
            "AccessDenied",
            "EntityTooSmall",
            "InvalidPart",
            "InvalidPartOrder",
            "NoSuchUpload",
            "PreconditionFailed",
        ];
        match self.status {
            200 => !FINAL_IN_SUCCESS.contains(&self.code.as_str()),
            408 | 429 | 500 | 502 | 503 | 504 => true,
            _ => CODES.contains(&self.code.as_str()),
        }
    }

    /// Another region than `used` in which the bucket is told to live.
    pub(super) fn moved_from(&self, used: &str) -> Option<&str> {
        let moved = matches!(self.status, 301 | 302 | 307 | 308 | 400);
        self.region
            .as_deref()
            .filter(|region| moved && !region.is_empty() && *region != used)
    }

    fn tell(&self, verb: &'static str, object: impl fmt::Display, place: &Place<'_>) -> StoreError {
        let (kind, message, hint) = self.meaning(place);
        let error = StoreError::at(kind, verb, object, message);
        match hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }

    fn meaning(&self, place: &Place<'_>) -> (ErrorKind, String, Option<String>) {
        let Place { bucket, endpoint } = place;
        let own = self.own_words();
        let with = |kind, hint: &str| (kind, own.clone(), Some(hint.to_owned()));
        match (self.status, self.code.as_str()) {
            (_, "NoSuchBucket") => (
                ErrorKind::Config,
                format!("bucket {bucket} does not exist at {endpoint}"),
                Some("create it, or correct bucket_name and endpoint".into()),
            ),
            (_, "InvalidAccessKeyId" | "NotSignedUp") => (
                ErrorKind::Denied,
                format!("{endpoint} does not know the access key"),
                Some("correct access_key".into()),
            ),
            (_, "SignatureDoesNotMatch") => (
                ErrorKind::Denied,
                format!("{endpoint} finds the signature wrong"),
                Some("correct secret_key".into()),
            ),
            (_, "RequestTimeTooSkewed") => (
                ErrorKind::Denied,
                match self.skew {
                    Some(skew) => {
                        let side = if skew < 0 { "ahead of" } else { "behind" };
                        format!("this clock is {}s {side} that of {endpoint}", skew.abs())
                    }
                    None => format!("this clock and that of {endpoint} are too far apart"),
                },
                Some("set this machine's clock, by NTP for instance".into()),
            ),
            (_, "ExpiredToken" | "InvalidToken") => {
                with(ErrorKind::Denied, "renew the keys and their session token")
            }
            (400, _) if self.message.contains("HTTPS") || self.message.contains("https") => {
                with(ErrorKind::Config, "write the endpoint with https://")
            }
            (301 | 302 | 307 | 308, _) => with(
                ErrorKind::Config,
                "correct endpoint and region: the bucket lives elsewhere",
            ),
            (400, "AuthorizationHeaderMalformed") => with(ErrorKind::Config, "correct region"),
            (507, _) | (_, "QuotaExceeded" | "InsufficientStorage" | "XMinioStorageFull") => {
                (ErrorKind::Full, own, None)
            }
            (401 | 403, _) | (_, "AccessDenied") => with(
                ErrorKind::Denied,
                "allow these keys to list, get, put and delete in the bucket and its folder",
            ),
            (404, "NoSuchKey" | "") => (ErrorKind::NotFound, "no such object".into(), None),
            (501, _) => (ErrorKind::Config, own, None),
            _ if self.is_transient() || self.status >= 500 => (ErrorKind::Unavailable, own, None),
            _ => (ErrorKind::Config, own, None),
        }
    }

    /// `503 SlowDown: please reduce your request rate`.
    fn own_words(&self) -> String {
        let mut words = self.status.to_string();
        for (mark, part) in [(" ", &self.code), (": ", &self.message)] {
            if !part.is_empty() {
                words.push_str(mark);
                words.push_str(part);
            }
        }
        words
    }
}

/// A code is one word; anything else in its place is no code.
fn lowered_code(code: &str) -> String {
    let code = code.trim();
    let plain = code.len() <= 60 && code.chars().all(|c| c.is_ascii_alphanumeric());
    if plain {
        code.to_owned()
    } else {
        String::new()
    }
}

fn error_in(body: &str) -> Option<ErrorBody> {
    let start = body.trim_start().trim_start_matches('\u{feff}');
    let root = match start.strip_prefix("<?xml") {
        Some(rest) => rest.split_once("?>")?.1.trim_start(),
        None => start,
    };
    if !root.strip_prefix("<Error")?.starts_with(['>', '/', ' ']) {
        return None;
    }
    Some(quick_xml::de::from_str(start).unwrap_or_default())
}

#[cfg(test)]
mod tests;
