//! What every object is written with beside its bytes, and the headers that say so.
//!
//! Header names and their values: `PutObject`, `CreateMultipartUpload` and `UploadPart`, Amazon S3
//! API reference. A customer's key goes with every request that writes, reads or asks about bytes:
//! the server keeps none.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use zeroize::Zeroizing;

const STORAGE_CLASS: HeaderName = HeaderName::from_static("x-amz-storage-class");
const TAGGING: HeaderName = HeaderName::from_static("x-amz-tagging");
const ENCRYPTION: HeaderName = HeaderName::from_static("x-amz-server-side-encryption");
const KMS_KEY: HeaderName = HeaderName::from_static("x-amz-server-side-encryption-aws-kms-key-id");
const CUSTOMER_ALGORITHM: HeaderName =
    HeaderName::from_static("x-amz-server-side-encryption-customer-algorithm");
const CUSTOMER_KEY: HeaderName =
    HeaderName::from_static("x-amz-server-side-encryption-customer-key");
const CUSTOMER_KEY_MD5: HeaderName =
    HeaderName::from_static("x-amz-server-side-encryption-customer-key-md5");
const LOCK_MODE: HeaderName = HeaderName::from_static("x-amz-object-lock-mode");
const LOCK_UNTIL: HeaderName = HeaderName::from_static("x-amz-object-lock-retain-until-date");
const LEGAL_HOLD: HeaderName = HeaderName::from_static("x-amz-object-lock-legal-hold");

/// Most tags of an object ("Object tagging", Amazon S3 user guide).
const MAX_TAGS: usize = 10;
/// Longest key and value of a tag, in characters (same page).
const MAX_TAG_KEY: usize = 128;
const MAX_TAG_VALUE: usize = 256;
/// Longest lock: a hundred years, which is Amazon's bound too (`PutObjectLockConfiguration`).
const MAX_LOCK: Duration = Duration::from_secs(36_500 * 24 * 60 * 60);

/// The lock of an object of a trial.
const BRIEFLY: Duration = Duration::from_secs(60);

/// What every object is written with, beside its bytes.
#[derive(Debug, Clone, Default)]
pub struct Writing {
    /// `x-amz-storage-class`: `STANDARD_IA`, `GLACIER_IR`, …; the bucket's default without.
    pub storage_class: Option<String>,
    /// Tags, at most ten.
    pub tags: Vec<(String, String)>,
    /// Who encrypts it there; the bucket's default without.
    pub encryption: Option<Encryption>,
    /// For how long it may not be deleted; the bucket's default without.
    pub lock: Option<Lock>,
    /// Whether it is held until somebody lifts the hold.
    pub legal_hold: bool,
}

/// Encryption at the server.
#[derive(Debug, Clone)]
pub enum Encryption {
    /// SSE-S3: with keys of the server.
    S3,
    /// SSE-KMS: with a key of a key service, the account's default without an id.
    Kms {
        /// The key's id or ARN.
        key: Option<String>,
    },
    /// SSE-C: with a key of ours, 32 bytes, sent with every request and kept by nobody else.
    Customer(CustomerKey),
}

/// A key that is wiped when dropped and never shown.
#[derive(Clone)]
pub struct CustomerKey(Zeroizing<[u8; 32]>);

impl CustomerKey {
    /// Takes the 32 bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl fmt::Debug for CustomerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CustomerKey(redacted)")
    }
}

/// Object lock: nobody deletes the object before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lock {
    /// Who may lift it.
    pub mode: LockMode,
    /// For so long from the start of its upload.
    pub period: Duration,
}

/// Who may lift an object lock before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockMode {
    /// Whoever has the right `s3:BypassGovernanceRetention`.
    Governance,
    /// Nobody.
    Compliance,
}

impl Writing {
    /// Everything that is wrong with it, each under its key in `s3backupconfig`. `is_tls` is
    /// whether the line to the server is encrypted.
    pub(super) fn faults(&self, is_tls: bool) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        if let Some(why) = self.storage_class.as_deref().and_then(wrong_class) {
            faults.push(("storage_class", why));
        }
        faults.extend(self.wrong_tags().map(|why| ("tags", why)));
        match &self.encryption {
            Some(Encryption::Kms { key: Some(key) })
                if key.is_empty() || !key.chars().all(|c| c.is_ascii_graphic()) =>
            {
                let why = "is no key id or ARN: copy it again, or leave it out for the default key";
                faults.push(("kms_key_id", why.into()));
            }
            Some(Encryption::Customer(_)) if !is_tls => {
                let why = "would send the customer's key over plain http: use an https endpoint";
                faults.push(("sse", why.into()));
            }
            _ => {}
        }
        if let Some(lock) = self.lock {
            if lock.period.is_zero() {
                let why = "is zero: give the time for which nobody may delete, such as 30d";
                faults.push(("object_lock_period", why.into()));
            } else if lock.period > MAX_LOCK {
                let why = "is longer than 100 years, the most that servers take: shorten it";
                faults.push(("object_lock_period", why.into()));
            }
        }
        faults
    }

    fn wrong_tags(&self) -> impl Iterator<Item = String> {
        let too_many = (self.tags.len() > MAX_TAGS).then(|| {
            format!(
                "are {}, and an object has at most {MAX_TAGS}: leave some out",
                self.tags.len()
            )
        });
        let twice = self.tags.iter().enumerate().filter_map(|(at, (key, _))| {
            let earlier = self.tags.get(..at)?;
            let is_again = earlier.iter().any(|(other, _)| other == key);
            is_again.then(|| format!("hold {} twice: keep one", super::config::shortened(key)))
        });
        let wrong = self
            .tags
            .iter()
            .filter_map(|(key, value)| wrong_tag(key, value));
        too_many.into_iter().chain(twice).chain(wrong)
    }
}

fn wrong_class(class: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let shown = super::config::shortened(class);
    if class.is_empty() || !class.chars().all(plain) {
        Some(format!(
            "{shown} is no storage class: use one of the server's, such as STANDARD_IA"
        ))
    } else if matches!(class, "GLACIER" | "DEEP_ARCHIVE") {
        Some(format!(
            "{shown} cannot be read before somebody restores it, and manifests are read all the \
             time: use GLACIER_IR, or move older objects by a lifecycle rule"
        ))
    } else {
        None
    }
}

fn wrong_tag(key: &str, value: &str) -> Option<String> {
    let plain = |c: char| c.is_alphanumeric() || " +-=._:/@".contains(c);
    let shown = super::config::shortened(key);
    if key.is_empty() {
        Some("hold one without a key: write key=value".into())
    } else if key.starts_with("aws:") {
        Some(format!(
            "hold {shown}, and aws: is Amazon's own: use another key"
        ))
    } else if key.chars().count() > MAX_TAG_KEY || value.chars().count() > MAX_TAG_VALUE {
        Some(format!(
            "hold {shown}, which is longer than {MAX_TAG_KEY} characters or its value than \
             {MAX_TAG_VALUE}: shorten it"
        ))
    } else if !key.chars().chain(value.chars()).all(plain) {
        Some(format!(
            "hold {shown} with characters that no tag has: use letters, digits, spaces and +-=._:/@"
        ))
    } else {
        None
    }
}

/// The headers of one store's objects, made once.
#[derive(Debug)]
pub(super) struct WritingHeaders {
    object: HeaderMap,
    bytes: HeaderMap,
    lock: Option<Lock>,
}

impl WritingHeaders {
    /// Takes what [`Writing::faults`] found right; the error is in the operator's words all the same.
    pub(super) fn new(writing: &Writing) -> Result<Self, String> {
        let bytes = match &writing.encryption {
            Some(Encryption::Customer(key)) => of_customer(key)?,
            _ => HeaderMap::new(),
        };
        let mut object = bytes.clone();
        let mut say = |name: HeaderName, text: &str| {
            let value = HeaderValue::from_str(text)
                .map_err(|_| format!("{name} cannot hold {}", super::config::shortened(text)))?;
            object.insert(name, value);
            Ok::<_, String>(())
        };
        if let Some(class) = &writing.storage_class {
            say(STORAGE_CLASS, class)?;
        }
        if !writing.tags.is_empty() {
            say(TAGGING, &tagging(&writing.tags))?;
        }
        match &writing.encryption {
            Some(Encryption::S3) => say(ENCRYPTION, "AES256")?,
            Some(Encryption::Kms { key }) => {
                say(ENCRYPTION, "aws:kms")?;
                if let Some(key) = key {
                    say(KMS_KEY, key)?;
                }
            }
            Some(Encryption::Customer(_)) | None => {}
        }
        if let Some(lock) = writing.lock {
            say(LOCK_MODE, lock.mode.word())?;
        }
        if writing.legal_hold {
            say(LEGAL_HOLD, "ON")?;
        }
        Ok(Self {
            object,
            bytes,
            lock: writing.lock,
        })
    }

    /// What a request on `key` (empty: the bucket itself) says besides. The beginning of an object,
    /// its put or the creation of its upload, says everything; whatever else writes, reads or asks
    /// about bytes (parts, a completion, a list of parts, GET, HEAD) shows a customer's key; what
    /// removes says nothing. `now` is the server's time, from which a lock counts.
    pub(super) fn of(
        &self,
        method: &Method,
        key: &str,
        query: &[(&'static str, String)],
        keeping: Keeping,
        now: DateTime<Utc>,
    ) -> HeaderMap {
        if key.is_empty() || *method == Method::DELETE {
            return HeaderMap::new();
        }
        if !begins_an_object(method, query) {
            return self.bytes.clone();
        }
        let mut headers = self.object.clone();
        if keeping == Keeping::Briefly {
            headers.remove(LEGAL_HOLD);
        }
        let period = self.lock.map(|lock| match keeping {
            Keeping::AsConfigured => lock.period,
            Keeping::Briefly => lock.period.min(BRIEFLY),
        });
        if let Some(until) = period.and_then(|period| until(now, period)) {
            headers.insert(LOCK_UNTIL, until);
        }
        headers
    }

    /// Whether nobody is to delete what is written before its time.
    pub(super) fn wants_lock(&self) -> bool {
        self.lock.is_some() || self.object.contains_key(LEGAL_HOLD)
    }

    /// The header by which a server owns up to the encryption that is asked of it.
    pub(super) fn proof_of_encryption(&self) -> Option<(HeaderName, &HeaderValue)> {
        let proof = |name: HeaderName| Some((name.clone(), self.object.get(name)?));
        proof(ENCRYPTION).or_else(|| proof(CUSTOMER_ALGORITHM))
    }
}

/// For how long an object is to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keeping {
    /// As the operator wrote.
    AsConfigured,
    /// An object of a trial: locked for a minute at most, so that the right to lock is tried and
    /// nothing stays, and not held.
    Briefly,
}

fn begins_an_object(method: &Method, query: &[(&'static str, String)]) -> bool {
    let asks = |wanted| query.iter().any(|(name, _)| *name == wanted);
    match *method {
        Method::PUT => !asks("partNumber"),
        Method::POST => asks("uploads"),
        _ => false,
    }
}

impl LockMode {
    fn word(self) -> &'static str {
        match self {
            Self::Governance => "GOVERNANCE",
            Self::Compliance => "COMPLIANCE",
        }
    }
}

fn of_customer(key: &CustomerKey) -> Result<HeaderMap, String> {
    let text = Zeroizing::new(STANDARD.encode(key.0.as_slice()));
    let digest = STANDARD.encode(md5::compute(key.0.as_slice()).0);
    let mut headers = HeaderMap::new();
    for (name, text) in [
        (CUSTOMER_ALGORITHM, "AES256"),
        (CUSTOMER_KEY, text.as_str()),
        (CUSTOMER_KEY_MD5, digest.as_str()),
    ] {
        let mut value =
            HeaderValue::from_str(text).map_err(|_| format!("{name} cannot be sent"))?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

/// `key=value&…`, escaped as in a query.
fn tagging(tags: &[(String, String)]) -> String {
    let escaped = |text: &str| s3::signing::uri_encode(text, true);
    let pairs = tags
        .iter()
        .map(|(key, value)| format!("{}={}", escaped(key), escaped(value)));
    pairs.collect::<Vec<_>>().join("&")
}

/// `2026-05-31T12:00:00Z`; none where the calendar ends, which no checked period reaches.
fn until(now: DateTime<Utc>, period: Duration) -> Option<HeaderValue> {
    let end = now.checked_add_signed(TimeDelta::from_std(period).ok()?)?;
    HeaderValue::from_str(&end.to_rfc3339_opts(SecondsFormat::Secs, true)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-05-01T12:00:00Z";

    /// Every kind of request: with what an object begins, what is about bytes, and the rest.
    const BEGINNINGS: [(Method, &str); 2] = [(Method::PUT, ""), (Method::POST, "uploads")];
    const ABOUT_BYTES: [(Method, &str); 5] = [
        (Method::PUT, "partNumber"),
        (Method::POST, "uploadId"),
        (Method::GET, "uploadId"),
        (Method::GET, ""),
        (Method::HEAD, ""),
    ];
    const REST: [(Method, &str); 2] = [(Method::DELETE, ""), (Method::DELETE, "uploadId")];

    fn made(writing: &Writing) -> WritingHeaders {
        assert_eq!(writing.faults(true), []);
        WritingHeaders::new(writing).unwrap()
    }

    fn said(headers: &WritingHeaders, method: &Method, query: &'static str) -> Vec<String> {
        let query = [(query, String::from("1"))];
        let now = NOW.parse().unwrap();
        let of_bucket = headers.of(method, "", &query, Keeping::AsConfigured, now);
        assert!(of_bucket.is_empty(), "{of_bucket:?}");
        let headers = headers.of(method, "key", &query, Keeping::AsConfigured, now);
        let mut lines: Vec<_> = headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        lines.sort();
        lines
    }

    #[test]
    fn an_object_begins_with_everything_and_other_requests_say_none_of_it() {
        let headers = made(&Writing {
            storage_class: Some("STANDARD_IA".into()),
            tags: vec![
                ("team".into(), "a b".into()),
                ("cost/center".into(), "ü=1".into()),
            ],
            encryption: Some(Encryption::Kms {
                key: Some("arn:aws:kms:eu-west-1:1:key/2".into()),
            }),
            lock: Some(Lock {
                mode: LockMode::Compliance,
                period: Duration::from_secs(30 * 24 * 3600),
            }),
            legal_hold: true,
        });
        for (method, query) in BEGINNINGS {
            assert_eq!(
                said(&headers, &method, query),
                [
                    "x-amz-object-lock-legal-hold: ON",
                    "x-amz-object-lock-mode: COMPLIANCE",
                    "x-amz-object-lock-retain-until-date: 2026-05-31T12:00:00Z",
                    "x-amz-server-side-encryption-aws-kms-key-id: arn:aws:kms:eu-west-1:1:key/2",
                    "x-amz-server-side-encryption: aws:kms",
                    "x-amz-storage-class: STANDARD_IA",
                    "x-amz-tagging: team=a%20b&cost%2Fcenter=%C3%BC%3D1",
                ]
            );
        }
        for (method, query) in ABOUT_BYTES.iter().chain(&REST) {
            assert!(said(&headers, method, query).is_empty(), "{method} {query}");
        }
    }

    #[test]
    fn an_object_of_a_trial_is_locked_for_a_minute_and_not_held() {
        let headers = made(&Writing {
            lock: Some(Lock {
                mode: LockMode::Governance,
                period: Duration::from_secs(3600),
            }),
            legal_hold: true,
            ..Writing::default()
        });
        let now = NOW.parse().unwrap();
        let said = headers.of(&Method::PUT, "key", &[], Keeping::Briefly, now);
        assert_eq!(said[LOCK_UNTIL], "2026-05-01T12:01:00Z");
        assert!(!said.contains_key(LEGAL_HOLD));
    }

    #[test]
    fn a_customers_key_goes_with_whatever_is_about_bytes_and_is_never_shown() {
        // Its MD5 is openssl's.
        let key = CustomerKey::new([b'a'; 32]);
        let writing = Writing {
            encryption: Some(Encryption::Customer(key)),
            ..Writing::default()
        };
        let headers = made(&writing);
        let expected = [
            "x-amz-server-side-encryption-customer-algorithm: AES256",
            "x-amz-server-side-encryption-customer-key-md5: Xsqb0+sHwAbNQ65I395/0w==",
            "x-amz-server-side-encryption-customer-key: \
             YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=",
        ];
        for (method, query) in BEGINNINGS.iter().chain(&ABOUT_BYTES) {
            assert_eq!(said(&headers, method, query), expected, "{method} {query}");
        }
        for (method, query) in REST {
            assert!(
                said(&headers, &method, query).is_empty(),
                "{method} {query}"
            );
        }
        let shown = format!("{writing:?} {headers:?}");
        assert!(!shown.contains("YWFh") && !shown.contains("97"), "{shown}");
    }

    #[test]
    fn every_fault_is_told_at_once_with_its_key_and_cure() {
        let tag = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let mut tags = vec![
            tag("", "x"),
            tag("aws:x", ""),
            tag(&"k".repeat(129), ""),
            tag("k", &"v".repeat(257)),
            tag("a", "x*"),
            tag("a", ""),
        ];
        tags.extend((0..5).map(|number| tag(&format!("t{number}"), "")));
        let told = Writing {
            storage_class: Some("cold one".into()),
            tags,
            encryption: Some(Encryption::Customer(CustomerKey::new([1; 32]))),
            lock: Some(Lock {
                mode: LockMode::Governance,
                period: Duration::ZERO,
            }),
            legal_hold: false,
        }
        .faults(false);
        let expected = [
            ("storage_class", "STANDARD_IA"),
            ("tags", "at most 10"),
            ("tags", "a twice"),
            ("tags", "without a key"),
            ("tags", "aws:"),
            ("tags", "longer"),
            ("tags", "longer"),
            ("tags", "letters"),
            ("sse", "https"),
            ("object_lock_period", "30d"),
        ];
        assert_eq!(told.len(), expected.len(), "{told:?}");
        for ((key, why), (expected_key, words)) in told.iter().zip(expected) {
            assert_eq!(*key, expected_key, "{why}");
            assert!(why.contains(words), "{words:?} is not in {why:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_back_or_said_is_refused() {
        for (writing, key) in [
            (
                Writing {
                    storage_class: Some("DEEP_ARCHIVE".into()),
                    ..Writing::default()
                },
                "storage_class",
            ),
            (
                Writing {
                    encryption: Some(Encryption::Kms {
                        key: Some("a b".into()),
                    }),
                    ..Writing::default()
                },
                "kms_key_id",
            ),
            (
                Writing {
                    lock: Some(Lock {
                        mode: LockMode::Governance,
                        period: MAX_LOCK + Duration::from_secs(1),
                    }),
                    ..Writing::default()
                },
                "object_lock_period",
            ),
        ] {
            let faults = writing.faults(true);
            assert_eq!(faults.len(), 1, "{faults:?}");
            assert_eq!(faults[0].0, key);
        }
        assert_eq!(Writing::default().faults(false), []);
    }
}
