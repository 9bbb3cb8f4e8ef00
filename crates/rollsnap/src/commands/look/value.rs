//! A value before somebody's eyes: decoded, cleaned, and without secrets unless they were asked
//! for.

use rollsnap_kube::{Encrypted, Keys, Object, Omission, clean, decode, redact};
use serde_json::Value;

/// What a value is, as far as it may be shown.
#[derive(Debug, PartialEq)]
pub(super) enum Shown {
    /// A Kubernetes object.
    Object {
        value: Value,
        /// `protobuf` or `json`.
        encoding: &'static str,
        /// Whether it is a Secret whose values were hidden.
        is_redacted: bool,
        /// What lies in the bytes and not in `value`.
        omissions: Vec<Omission>,
    },
    /// Encrypted at rest.
    Encrypted(Encrypted),
    /// Anything else.
    Bytes(Vec<u8>),
    /// What lies where Secrets lie and cannot be read as one: all of it is hidden.
    Hidden,
}

/// How an object is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Manner {
    /// Whether what servers put into an object is taken out.
    pub(super) for_apply: bool,
    /// Whether a Secret's values are shown.
    pub(super) show_secrets: bool,
}

impl Shown {
    pub(super) fn of(keys: &Keys, key: &[u8], value: &[u8], manner: Manner) -> Self {
        let object = decode(value);
        let (encoding, omissions) = match &object {
            Object::Protobuf(decoded) => ("protobuf", decoded.omissions.clone()),
            _ => ("json", Vec::new()),
        };
        let is_secret = is_secret(keys, key, &object) && !manner.show_secrets;
        let is_readable = object.kind() == Some(("v1", "Secret"));
        match object {
            Object::Encrypted(encrypted) => Self::Encrypted(encrypted),
            _ if is_secret && !is_readable => Self::Hidden,
            object if object.kind().is_none() => Self::Bytes(value.to_vec()),
            object => {
                let mut value = object.into_value().unwrap_or_default();
                if manner.for_apply {
                    clean(&mut value);
                }
                if is_secret {
                    redact(&mut value);
                }
                Self::Object {
                    value,
                    encoding,
                    is_redacted: is_secret,
                    omissions,
                }
            }
        }
    }
}

/// Whether a value is a Secret, by itself or by its place: one that is damaged, or kept below
/// another prefix than was said, is a Secret all the same.
pub(super) fn is_secret(keys: &Keys, key: &[u8], object: &Object) -> bool {
    let by_kind = object
        .kind()
        .is_some_and(|(_, kind)| kind.eq_ignore_ascii_case("Secret"));
    let by_key = keys
        .parse(key)
        .is_some_and(|it| it.group.is_empty() && it.resource == "secrets");
    let by_segment = key
        .split(|byte| *byte == b'/')
        .any(|segment| segment == b"secrets");
    by_kind || by_key || by_segment
}

#[cfg(test)]
mod tests {
    use super::*;

    const HIDE: Manner = Manner {
        for_apply: false,
        show_secrets: false,
    };
    const SHOW: Manner = Manner {
        show_secrets: true,
        ..HIDE
    };
    const SECRET: &[u8] = br#"{"apiVersion":"v1","kind":"Secret","data":{"p":"aHVudGVyMg=="}}"#;

    fn shown(key: &str, value: &[u8], manner: Manner) -> Shown {
        Shown::of(&Keys::default(), key.as_bytes(), value, manner)
    }

    #[test]
    fn a_secret_is_known_by_its_kind_and_by_its_place() {
        for key in ["/registry/secrets/a/b", "/elsewhere/b"] {
            let Shown::Object {
                value, is_redacted, ..
            } = shown(key, SECRET, HIDE)
            else {
                panic!("{key}");
            };
            assert!(is_redacted);
            assert!(!value.to_string().contains("aHVudGVyMg"), "{value}");
            let Shown::Object { value, .. } = shown(key, SECRET, SHOW) else {
                panic!("{key}");
            };
            assert!(value.to_string().contains("aHVudGVyMg"));
        }
        for key in ["/registry/secrets/a/b", "/kubernetes.io/secrets/a/b"] {
            let cut = &SECRET[..SECRET.len() - 4];
            assert_eq!(shown(key, cut, HIDE), Shown::Hidden);
            assert_eq!(shown(key, cut, SHOW), Shown::Bytes(cut.to_vec()));
            let other = br#"{"apiVersion":"v1","kind":"Sekret","data":{"p":"aHVudGVyMg=="}}"#;
            assert_eq!(shown(key, other, HIDE), Shown::Hidden);
        }
        assert_eq!(shown("/a", b"x", HIDE), Shown::Bytes(b"x".to_vec()));
        let no_object = br#"{"a":1}"#;
        assert_eq!(
            shown("/a", no_object, HIDE),
            Shown::Bytes(no_object.to_vec())
        );
    }
}
