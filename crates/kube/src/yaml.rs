//! YAML as `kubectl get -o yaml` prints it.
//!
//! Own code, for the libraries write another YAML than `kubectl`'s: other quotes, other order of
//! keys. Whoever compares a snapshot with a live object should see differences of the objects
//! only. What is printed is YAML 1.1 and 1.2 alike: a text that either would take for a number, a
//! date or a truth value is quoted. Source of the rules: go-yaml v2 (`encode.go`, `emitterc.go`,
//! `resolve.go`, `sorter.go`), seen in what kubectl 1.33 prints.

mod order;
mod scalar;

use serde_json::{Map, Value};

use scalar::Role;

/// The object as YAML: keys in `kubectl`'s order, ended by a line feed.
///
/// The stack grows with the nesting of `value`, which [`decode`](crate::decode) bounds.
pub fn to_yaml(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => mapping(&mut out, map, 0),
        Value::Array(items) if !items.is_empty() => sequence(&mut out, items, 0),
        other => {
            leaf(&mut out, other, 0);
            out.push('\n');
        }
    }
    out
}

/// Writes the entries at `indent`; the first follows what the line already has.
fn mapping(out: &mut String, map: &Map<String, Value>, indent: usize) {
    /// Longer keys stand on a line of their own after a question mark.
    const LONGEST_KEY: usize = 128;
    let mut entries: Vec<_> = map.iter().collect();
    entries.sort_by(|(a, _), (b, _)| order::keys(a, b));
    for (at, (key, value)) in entries.into_iter().enumerate() {
        if at > 0 {
            pad(out, indent);
        }
        if key.len() > LONGEST_KEY {
            out.push_str("? ");
            scalar::write(out, key, indent + 2, Role::Key);
            out.push('\n');
            pad(out, indent);
        } else {
            scalar::write(out, key, indent, Role::Key);
        }
        out.push(':');
        match value {
            Value::Object(inner) if !inner.is_empty() => {
                out.push('\n');
                pad(out, indent + 2);
                mapping(out, inner, indent + 2);
            }
            Value::Array(items) if !items.is_empty() => {
                out.push('\n');
                pad(out, indent);
                sequence(out, items, indent);
            }
            other => {
                out.push(' ');
                leaf(out, other, indent);
                out.push('\n');
            }
        }
    }
}

/// Writes the items at `indent`; the first follows what the line already has.
fn sequence(out: &mut String, items: &[Value], indent: usize) {
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            pad(out, indent);
        }
        out.push_str("- ");
        match item {
            Value::Object(inner) if !inner.is_empty() => mapping(out, inner, indent + 2),
            Value::Array(inner) if !inner.is_empty() => sequence(out, inner, indent + 2),
            other => {
                leaf(out, other, indent);
                out.push('\n');
            }
        }
    }
}

/// Writes a value of one piece, without the line feed after it.
fn leaf(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::String(text) => scalar::write(out, text, indent, Role::Value),
        Value::Object(_) => out.push_str("{}"),
        Value::Array(_) => out.push_str("[]"),
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => out.push_str(&number.to_string()),
    }
}

fn pad(out: &mut String, indent: usize) {
    out.extend(std::iter::repeat_n(' ', indent));
}
