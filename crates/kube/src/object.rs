//! A value from etcd as the object that it is.

use std::fmt;

use serde_json::{Map, Value};

use crate::encrypted::Encrypted;
use crate::envelope::{Envelope, Unknown};
use crate::protobuf::decode_into;
use crate::schema::Schema;

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub enum Object {
    /// An object in Kubernetes' protobuf, decoded.
    Protobuf(Decoded),
    /// An object in JSON, as custom resources are.
    Json(Value),
    /// Encrypted at rest; what it is cannot be told.
    Encrypted(Encrypted),
    /// None of these: not Kubernetes' doing, or damaged past telling.
    Raw,
}

/// An object decoded from protobuf.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// `v1`, `apps/v1`.
    pub api_version: String,
    /// `Pod`.
    pub kind: String,
    /// The object as Kubernetes' JSON has it. Of a kind without a schema here: `apiVersion`, `kind`
    /// and `metadata`, which all have.
    pub value: Value,
    /// What lies in the bytes and is not in `value`; empty for an object decoded whole. At most
    /// 100, and then one that says so.
    pub omissions: Vec<Omission>,
}

/// Something that could not be decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Omission {
    /// Where: `spec.containers[0]`; empty for the object itself.
    pub path: String,
    /// What, in words.
    pub what: String,
}

impl fmt::Display for Omission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.path {
            "" => f.write_str(&self.what),
            path => write!(f, "{path}: {}", self.what),
        }
    }
}

impl Object {
    /// The object as JSON, if it is one that can be read.
    pub fn value(&self) -> Option<&Value> {
        match self {
            Self::Protobuf(decoded) => Some(&decoded.value),
            Self::Json(value) => Some(value),
            Self::Encrypted(_) | Self::Raw => None,
        }
    }

    /// [`value`](Self::value), taken out.
    pub fn into_value(self) -> Option<Value> {
        match self {
            Self::Protobuf(decoded) => Some(decoded.value),
            Self::Json(value) => Some(value),
            Self::Encrypted(_) | Self::Raw => None,
        }
    }

    /// Its `apiVersion` and `kind`, if it says so.
    pub fn kind(&self) -> Option<(&str, &str)> {
        let value = self.value()?;
        let text = |field: &str| value.get(field).and_then(Value::as_str);
        Some((text("apiVersion")?, text("kind")?))
    }
}

/// Tells what `value` is and decodes it.
///
/// Never fails: what cannot be read is named in the result. Nesting is followed 100 steps deep in
/// protobuf, 127 in JSON. Values of more than 8 MiB are [`Object::Raw`]: an API server takes 3 MiB
/// at most, etcd 1.5 MiB unless told otherwise.
pub fn decode(value: &[u8]) -> Object {
    const LARGEST: usize = 8 << 20;
    if value.len() > LARGEST {
        return Object::Raw;
    }
    match Envelope::of(value) {
        Envelope::Protobuf(unknown) => Object::Protobuf(decode_protobuf(&unknown)),
        Envelope::Json(value) => Object::Json(value),
        Envelope::Encrypted(encrypted) => Object::Encrypted(encrypted),
        Envelope::Raw => Object::Raw,
    }
}

fn decode_protobuf(unknown: &Unknown<'_>) -> Decoded {
    let Unknown {
        api_version,
        kind,
        raw,
        ..
    } = unknown;
    let schema = Schema::built_in();
    let known = schema.kind(api_version, kind);
    let mut object = Map::new();
    let mut omissions = decode_into(&mut object, known.unwrap_or(schema.any()), raw);
    if known.is_none() {
        let what = format!("no schema of {kind} in {api_version} is known here");
        omissions.insert(
            0,
            Omission {
                path: String::new(),
                what,
            },
        );
    }
    for (what, said) in [
        ("encoding", unknown.content_encoding),
        ("type", unknown.content_type),
    ] {
        if !said.is_empty() {
            let what = format!("content {what} {said:?}, which is not known here");
            omissions.insert(
                0,
                Omission {
                    path: String::new(),
                    what,
                },
            );
        }
    }
    object.insert("apiVersion".to_owned(), (*api_version).into());
    object.insert("kind".to_owned(), (*kind).into());
    Decoded {
        api_version: (*api_version).to_owned(),
        kind: (*kind).to_owned(),
        value: Value::Object(object),
        omissions,
    }
}
