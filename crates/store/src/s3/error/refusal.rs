//! What servers say instead of yes.
//!
//! Codes: "Error responses", Amazon S3 API reference; the names of radosgw, MinIO and s3s that
//! differ stand beside theirs.

use std::fmt;
use std::time::Duration;

use chrono::DateTime;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use serde::Deserialize;

use super::line::PROXY_LOGIN;
use super::{Place, lowered};
use crate::s3::clock::stands;
use crate::{ErrorKind, StoreError};

const REGION_HEADER: &str = "x-amz-bucket-region";

/// What the server said instead of yes.
#[derive(Debug, Default)]
pub(in crate::s3) struct Refusal {
    pub(in crate::s3) status: u16,
    /// Empty where the reply had no body, as to every HEAD.
    pub(in crate::s3) code: String,
    message: String,
    /// The bucket's region, where the reply tells one.
    pub(in crate::s3) region: Option<String>,
    pub(super) retry_after: Option<Duration>,
    /// Whether the request had no signature.
    pub(in crate::s3) was_anonymous: bool,
    /// Seconds by which the server's clock is ahead of this machine's.
    pub(in crate::s3) ahead: Option<i64>,
}

/// `<Error>` as S3 sends it; everything else in it is ignored.
#[derive(Debug, Default, Deserialize)]
#[serde(rename = "Error", rename_all = "PascalCase", default)]
struct ErrorBody {
    code: String,
    message: String,
    region: Option<String>,
}

impl Refusal {
    /// Reads a refusing reply to what was asked at `asked_at` (seconds since 1970, by this
    /// machine's clock).
    pub(in crate::s3) fn new(status: u16, headers: &HeaderMap, body: &str, asked_at: i64) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let told = error_in(body).unwrap_or_else(|| ErrorBody {
            // A proxy's page is not quoted, one line of plain text is.
            message: match body.trim() {
                plain if plain.contains(['<', '\n', '{']) => String::new(),
                plain => lowered(plain),
            },
            ..ErrorBody::default()
        });
        let told_at = text(DATE.as_str()).and_then(seconds);
        Self {
            status,
            code: lowered_code(&told.code),
            message: lowered(&told.message),
            region: text(REGION_HEADER).map(str::to_owned).or(told.region),
            was_anonymous: false,
            retry_after: text(RETRY_AFTER.as_str()).and_then(|wait| after(wait, told_at)),
            ahead: told_at.map(|told_at| told_at - asked_at),
        }
    }

    /// The `<Error>` that some servers send under status 200 once they have begun to answer.
    pub(in crate::s3) fn in_success(
        headers: &HeaderMap,
        body: &str,
        asked_at: i64,
    ) -> Option<Self> {
        error_in(body).map(|_| Self::new(200, headers, body, asked_at))
    }

    pub(super) fn is_transient(&self) -> bool {
        const CODES: [&str; 8] = [
            "ConditionalRequestConflict",
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

    /// Whether it may be the keys' age, so that other keys may be taken.
    pub(in crate::s3) fn is_about_keys(&self) -> bool {
        const CODES: [&str; 4] = [
            "ExpiredToken",
            "ExpiredTokenException",
            "InvalidAccessKeyId",
            "InvalidToken",
        ];
        CODES.contains(&self.code.as_str())
    }

    /// Another region than `used` in which the bucket is told to live.
    pub(in crate::s3) fn moved_from(&self, used: &str) -> Option<&str> {
        let moved = matches!(self.status, 301 | 302 | 307 | 308 | 400);
        self.region
            .as_deref()
            .filter(|region| moved && !region.is_empty() && *region != used)
    }

    pub(super) fn tell(
        &self,
        verb: &'static str,
        object: impl fmt::Display,
        place: &Place<'_>,
    ) -> StoreError {
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
            // Each server has its own idea of a bucket's name, so only the server can refuse one.
            (_, "InvalidBucketName") => (
                ErrorKind::Config,
                format!("{endpoint} has no bucket with such a name as {bucket}"),
                Some(
                    "correct bucket_name: most servers want 3 to 63 lower-case letters, digits, \
                     dots and hyphens"
                        .into(),
                ),
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
            _ if self.is_about_time() => (
                ErrorKind::Denied,
                match self.ahead {
                    Some(ahead) => stands(ahead, endpoint),
                    None => format!("this clock and that of {endpoint} are too far apart"),
                },
                Some("set this machine's clock, by NTP for instance".into()),
            ),
            (_, "ExpiredToken" | "InvalidToken") => {
                with(ErrorKind::Denied, "renew the keys and their session token")
            }
            (407, _) => (
                ErrorKind::Denied,
                format!("the proxy before {endpoint} wants a user"),
                Some(PROXY_LOGIN.into()),
            ),
            (400, _) if self.message.contains("HTTPS") || self.message.contains("https") => {
                with(ErrorKind::Config, "write the endpoint with https://")
            }
            (301 | 302 | 307 | 308, _) => with(
                ErrorKind::Config,
                "correct endpoint and region: the bucket lives elsewhere",
            ),
            (400, "AuthorizationHeaderMalformed") => with(ErrorKind::Config, "correct region"),
            _ if self.is_of_a_lock() => (
                ErrorKind::Locked,
                own,
                Some(
                    "nothing is to be done: an object lock or a legal hold keeps it until its time"
                        .into(),
                ),
            ),
            (400, "InvalidRequest") if self.message.to_lowercase().contains("object lock") => with(
                ErrorKind::Config,
                "make the bucket with object lock, or leave the lock and the hold out",
            ),
            (507, _) | (_, "QuotaExceeded" | "InsufficientStorage" | "XMinioStorageFull") => {
                (ErrorKind::Full, own, None)
            }
            (401 | 403, _) | (_, "AccessDenied") if self.was_anonymous => with(
                ErrorKind::Denied,
                "leave anonymous out and give keys: the bucket does not answer everybody",
            ),
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

    /// Whether the signature's time is refused: by Amazon's code, or in its words under another
    /// one (rclone says `AccessDenied`).
    pub(in crate::s3) fn is_about_time(&self) -> bool {
        self.code == "RequestTimeTooSkewed"
            || self
                .message
                .starts_with("the difference between the request time")
    }

    /// Whether the object is kept by a lock or a hold. There is no code for it that servers agree
    /// on: Amazon and Ceph say `AccessDenied`, MinIO `InvalidRequest` with 400 or `MethodNotAllowed`,
    /// Google and Aliyun have codes of their own, IBM a status. That a bucket is *without* object
    /// lock, told to whoever writes with one, is another matter.
    fn is_of_a_lock(&self) -> bool {
        const CODES: [&str; 4] = [
            "FileImmutable",
            "ObjectLocked",
            "ObjectUnderActiveHold",
            "RetentionPolicyNotMet",
        ];
        const WORDS: [&str; 6] = [
            "object lock",
            "object is locked",
            "legal hold",
            "retention",
            "worm protected",
            "immutable",
        ];
        const OTHERWISE: [&str; 4] = ["missing", "not authorized", "not enabled", "does not have"];
        if self.status == 451 || CODES.contains(&self.code.as_str()) {
            return true;
        }
        let refuses = matches!(
            self.code.as_str(),
            "AccessDenied" | "InvalidRequest" | "MethodNotAllowed"
        );
        let message = self.message.to_lowercase();
        let holds = |words: &[&str]| words.iter().any(|word| message.contains(word));
        refuses && holds(&WORDS) && !holds(&OTHERWISE)
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

/// A date of HTTP in seconds since 1970.
fn seconds(date: &str) -> Option<i64> {
    Some(DateTime::parse_from_rfc2822(date).ok()?.timestamp())
}

/// `Retry-After` is a number of seconds or a date (RFC 9110, 10.2.3), which counts from the
/// server's own.
fn after(wait: &str, told_at: Option<i64>) -> Option<Duration> {
    let wait = wait.trim();
    let seconds = match wait.parse() {
        Ok(seconds) => seconds,
        Err(_) => u64::try_from(seconds(wait)? - told_at?).ok()?,
    };
    Some(Duration::from_secs(seconds))
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
