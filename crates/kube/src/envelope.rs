//! How a value says what it is.

use serde_json::Value;

use crate::encrypted::Encrypted;
use crate::wire::{Fields, Payload};

/// The first bytes of a value in protobuf.
const MAGIC: &[u8] = b"k8s\0";

/// A value as it lies, told apart by its first bytes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Envelope<'a> {
    Protobuf(Unknown<'a>),
    Json(Value),
    Encrypted(Encrypted),
    Raw,
}

/// `k8s.io.apimachinery.pkg.runtime.Unknown`: the kind of an object and its bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Unknown<'a> {
    pub(crate) api_version: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) raw: &'a [u8],
    pub(crate) content_encoding: &'a str,
    pub(crate) content_type: &'a str,
}

impl<'a> Envelope<'a> {
    pub(crate) fn of(value: &'a [u8]) -> Self {
        if let Some(message) = value.strip_prefix(MAGIC) {
            return Unknown::parse(message).map_or(Self::Raw, Self::Protobuf);
        }
        if let Some(encrypted) = Encrypted::of(value) {
            return Self::Encrypted(encrypted);
        }
        // A bare number or word is no object, though it is JSON.
        match serde_json::from_slice(value) {
            Ok(object @ Value::Object(_)) => Self::Json(object),
            _ => Self::Raw,
        }
    }
}

impl<'a> Unknown<'a> {
    /// Source: apimachinery `pkg/runtime/generated.proto`, messages `Unknown` and `TypeMeta`.
    fn parse(message: &'a [u8]) -> Option<Self> {
        let text = |bytes| std::str::from_utf8(bytes).ok();
        let mut unknown = Self::default();
        for field in Fields::of(message) {
            match field.ok()? {
                (1, Payload::Bytes(type_meta)) => {
                    for field in Fields::of(type_meta) {
                        match field.ok()? {
                            (1, Payload::Bytes(it)) => unknown.api_version = text(it)?,
                            (2, Payload::Bytes(it)) => unknown.kind = text(it)?,
                            _ => {}
                        }
                    }
                }
                (2, Payload::Bytes(raw)) => unknown.raw = raw,
                (3, Payload::Bytes(it)) => unknown.content_encoding = text(it)?,
                (4, Payload::Bytes(it)) => unknown.content_type = text(it)?,
                _ => {}
            }
        }
        Some(unknown)
    }
}
