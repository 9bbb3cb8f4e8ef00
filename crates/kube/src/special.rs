//! Types of Kubernetes whose JSON is another than their fields.
//!
//! Sources: apimachinery `pkg/apis/meta/v1/{time,micro_time}.go` and `*_proto.go`,
//! `pkg/api/resource/quantity.go`, `pkg/util/intstr/intstr.go`, `pkg/runtime/types.go`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::Value;

use crate::wire::{Fields, Payload};

pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// `2006-01-02T15:04:05Z`; `null` for no time at all, which has no bytes.
pub(crate) fn time(bytes: &[u8]) -> Result<Value, String> {
    instant(bytes, SecondsFormat::Secs)
}

/// `2006-01-02T15:04:05.000000Z`.
pub(crate) fn micro_time(bytes: &[u8]) -> Result<Value, String> {
    instant(bytes, SecondsFormat::Micros)
}

fn instant(bytes: &[u8], format: SecondsFormat) -> Result<Value, String> {
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    let (mut seconds, mut nanos) = (0, 0);
    for (number, payload) in fields(bytes)? {
        match (number, payload) {
            (1, Payload::Varint(said)) => seconds = said.cast_signed(),
            (2, Payload::Varint(said)) => nanos = said,
            _ => return Err(unknown(number, payload)),
        }
    }
    let nanos = u32::try_from(nanos).map_err(|_| format!("a time with {nanos} nanoseconds"))?;
    let time: Option<DateTime<Utc>> = DateTime::from_timestamp(seconds, nanos);
    let time = time.ok_or_else(|| format!("a time {seconds} s from 1970"))?;
    Ok(time.to_rfc3339_opts(format, true).into())
}

/// Its text, which a server keeps in the one form that it prints.
pub(crate) fn quantity(bytes: &[u8]) -> Result<Value, String> {
    let mut text = "";
    for (number, payload) in fields(bytes)? {
        match (number, payload) {
            (1, Payload::Bytes(said)) => text = utf8(said)?,
            _ => return Err(unknown(number, payload)),
        }
    }
    Ok(if text.is_empty() { "0" } else { text }.into())
}

/// Either of the two, whichever its type says.
pub(crate) fn int_or_string(bytes: &[u8]) -> Result<Value, String> {
    let (mut is_text, mut int, mut text) = (false, 0, "");
    for (number, payload) in fields(bytes)? {
        match (number, payload) {
            (1, Payload::Varint(said)) => is_text = said != 0,
            (2, Payload::Varint(said)) => int = said.cast_signed(),
            (3, Payload::Bytes(said)) => text = utf8(said)?,
            _ => return Err(unknown(number, payload)),
        }
    }
    Ok(if is_text { text.into() } else { int.into() })
}

/// The JSON within.
pub(crate) fn raw(bytes: &[u8]) -> Result<Value, String> {
    let mut value = Value::Null;
    for (number, payload) in fields(bytes)? {
        match (number, payload) {
            (1, Payload::Bytes([])) => {}
            (1, Payload::Bytes(json)) => {
                let parsed = serde_json::from_slice(json);
                value = parsed.map_err(|_| format!("{} bytes that are no JSON", json.len()))?;
            }
            _ => return Err(unknown(number, payload)),
        }
    }
    Ok(value)
}

/// The list within.
pub(crate) fn strings(bytes: &[u8]) -> Result<Value, String> {
    let mut items = Vec::new();
    for (number, payload) in fields(bytes)? {
        match (number, payload) {
            (1, Payload::Bytes(said)) => items.push(utf8(said)?.into()),
            _ => return Err(unknown(number, payload)),
        }
    }
    Ok(Value::Array(items))
}

fn fields(bytes: &[u8]) -> Result<Vec<(u32, Payload<'_>)>, String> {
    let fields: Result<_, _> = Fields::of(bytes).collect();
    fields.map_err(|error| error.to_string())
}

fn utf8(bytes: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(bytes).map_err(|_| format!("{} bytes that are no text", bytes.len()))
}

fn unknown(number: u32, payload: Payload<'_>) -> String {
    format!("unknown field {number}, {payload}")
}
