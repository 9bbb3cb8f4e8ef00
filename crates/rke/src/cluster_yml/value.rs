//! One value: its type, its bounds, and what people write by habit instead.

use std::num::NonZeroU64;
use std::time::Duration;

use crate::yaml::{Node, Scalar};
use crate::{Secret, Wrong, bounds, duration, rate};

use super::{Addressing, Compression, LockMode, PruneForeign, Sse, Tiers, Verify};

/// A value checked, or nothing where the file says nothing.
pub(super) type Checked<T> = Result<Option<T>, Wrong>;

pub(super) fn switch(node: &Node) -> Checked<bool> {
    match scalar(node, "true or false")? {
        Scalar::Null => Ok(None),
        Scalar::Bool(value) => Ok(Some(*value)),
        Scalar::Text(text) if text.is_empty() => Ok(None),
        Scalar::Text(text) => {
            let cure = match text.to_lowercase().as_str() {
                "yes" | "on" | "y" | "true" => "write true, without quotes",
                "no" | "off" | "n" | "false" => "write false, without quotes",
                _ => "write true or false",
            };
            Err(Wrong::new(
                format!("is the text {:?}", shortened(text)),
                cure,
            ))
        }
        other => Err(Wrong::new(shown(other), "write true or false")),
    }
}

pub(super) fn interval_hours(node: &Node) -> Checked<u32> {
    integer(node, bounds::interval_hours, "hours, such as 12")
}

/// `retention` of `backup_config`; `age_at` is where an age belongs.
pub(super) fn retention_count(node: &Node, age_at: &str) -> Checked<u32> {
    integer(node, bounds::retention_count, "snapshots, such as 6").map_err(|mut wrong| {
        if matches!(node, Node::Scalar(Scalar::Text(text), _) if duration::parse(text).is_ok()) {
            wrong.cure.push_str("; an age belongs at ");
            wrong.cure.push_str(age_at);
        }
        wrong
    })
}

/// `retention` of the older form; `count_at` is where a number of snapshots belongs.
pub(super) fn age(node: &Node, count_at: &str) -> Checked<Duration> {
    duration(node).map_err(|mut wrong| {
        if matches!(node, Node::Scalar(Scalar::Integer(_), _)) {
            wrong.cure.push_str("; a number of snapshots belongs at ");
            wrong.cure.push_str(count_at);
        }
        wrong
    })
}

/// Whole seconds, as RKE has them, or a duration.
pub(super) fn timeout(node: &Node) -> Checked<Duration> {
    if let Node::Scalar(Scalar::Text(text), _) = node
        && !text.is_empty()
        && !is_number(text)
    {
        return duration::parse(text).map(Some);
    }
    let seconds = integer(node, bounds::timeout_seconds, "seconds, such as 300")?;
    Ok(seconds.map(|seconds| Duration::from_secs(seconds.into())))
}

pub(super) fn duration(node: &Node) -> Checked<Duration> {
    match scalar(node, "a duration such as 5m0s")? {
        Scalar::Null => Ok(None),
        Scalar::Text(text) if text.is_empty() => Ok(None),
        Scalar::Bool(value) => Err(Wrong::new(
            format!("is {value}"),
            "write a duration such as 5m0s, 12h or 2days",
        )),
        // `5` is an integer to YAML and `0.5` a float: the same complaint as for the text.
        other => duration::parse(&other.to_string())
            .map(Some)
            .map_err(|wrong| match other {
                Scalar::Text(_) => wrong,
                other => Wrong::new(shown(other), wrong.cure),
            }),
    }
}

/// `daily=7`, one, several between commas, or a list.
pub(super) fn tiers(node: &Node) -> Checked<Tiers> {
    let said = texts(node)?;
    said.map(|texts| Tiers::parse(&texts.join(","))).transpose()
}

pub(super) fn compression(node: &Node) -> Checked<Compression> {
    word(node, Compression::parse)
}

pub(super) fn verify(node: &Node) -> Checked<Verify> {
    word(node, Verify::parse)
}

pub(super) fn prune_foreign(node: &Node) -> Checked<PruneForeign> {
    word(node, PruneForeign::parse)
}

pub(super) fn addressing(node: &Node) -> Checked<Addressing> {
    word(node, Addressing::parse)
}

pub(super) fn sse(node: &Node) -> Checked<Sse> {
    word(node, Sse::parse)
}

pub(super) fn lock_mode(node: &Node) -> Checked<LockMode> {
    word(node, LockMode::parse)
}

fn word<T>(node: &Node, parse: fn(&str) -> Result<T, Wrong>) -> Checked<T> {
    text(node)?.map(|word| parse(&word)).transpose()
}

/// Bytes a second: a text such as `20MB`, or a number of bytes.
pub(super) fn rate(node: &Node) -> Checked<NonZeroU64> {
    match scalar(node, "bytes a second such as 20MB")? {
        Scalar::Null => Ok(None),
        Scalar::Text(text) if text.is_empty() => Ok(None),
        other => rate::parse(&other.to_string()).map(Some),
    }
}

pub(super) fn nice(node: &Node) -> Checked<u32> {
    integer(node, bounds::nice, "0 to 19, such as 10")
}

pub(super) fn text(node: &Node) -> Checked<String> {
    match scalar(node, "a text")? {
        Scalar::Null => Ok(None),
        Scalar::Text(text) if text.is_empty() => Ok(None),
        Scalar::Text(text) => Ok(Some(text.clone())),
        other => Err(Wrong::new(
            shown(other),
            format!("write it in quotes: \"{other}\""),
        )),
    }
}

/// As [`text`], but no complaint shows what was written.
pub(super) fn secret(node: &Node) -> Checked<Secret> {
    match scalar(node, "a text")? {
        Scalar::Null => Ok(None),
        Scalar::Text(text) if text.is_empty() => Ok(None),
        Scalar::Text(text) => Ok(Some(Secret::new(text.as_str()))),
        other => Err(Wrong::new(
            format!("is {}, not a text", kind(other)),
            "write it in quotes",
        )),
    }
}

/// One text, its parts between commas, or a list of texts.
pub(super) fn texts(node: &Node) -> Checked<Vec<String>> {
    let parts = match node {
        Node::List(items) => items.iter().map(text).collect::<Result<Vec<_>, _>>()?,
        node => vec![text(node)?],
    };
    if parts == [None] {
        return Ok(None);
    }
    let parts = parts.into_iter().flatten();
    let parts: Vec<String> = parts
        .flat_map(|part| {
            part.split(',')
                .map(|part| part.trim().to_owned())
                .collect::<Vec<_>>()
        })
        .collect();
    if parts.is_empty() {
        return Err(Wrong::new(
            "is an empty list",
            "write at least one, or leave the key out",
        ));
    }
    Ok(Some(parts))
}

fn integer(node: &Node, check: fn(i128) -> Result<u32, Wrong>, noun: &str) -> Checked<u32> {
    match scalar(node, "a whole number")? {
        Scalar::Null => Ok(None),
        Scalar::Integer(number) => check(*number).map(Some),
        Scalar::Text(text) if text.is_empty() => Ok(None),
        Scalar::Text(text) if is_number(text) => {
            let digits = text.trim().trim_start_matches('0');
            let cure = format!("write {digits}, without quotes and leading zeros");
            Err(Wrong::new(
                format!("is the text {:?}, not a number", shortened(text)),
                cure,
            ))
        }
        other => Err(Wrong::new(
            shown(other),
            format!("write a whole number of {noun}"),
        )),
    }
}

fn is_number(text: &str) -> bool {
    let text = text.trim();
    !text.is_empty() && text.len() < 20 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn scalar<'a>(node: &'a Node, wanted: &str) -> Result<&'a Scalar, Wrong> {
    let what = match node {
        Node::Scalar(scalar, _) => return Ok(scalar),
        Node::List(_) => "is a list".to_owned(),
        Node::Mapping(_) => "is a mapping".to_owned(),
        Node::Tagged(tag) => format!("has the tag !{}", shortened(tag)),
        Node::Skipped => "is not readable".to_owned(),
    };
    Err(Wrong::new(what, format!("write {wanted}")))
}

fn kind(scalar: &Scalar) -> &'static str {
    match scalar {
        Scalar::Null => "empty",
        Scalar::Bool(_) => "true or false",
        Scalar::Integer(_) | Scalar::Float(_) => "a number",
        Scalar::Text(_) => "a text",
    }
}

fn shown(scalar: &Scalar) -> String {
    match scalar {
        Scalar::Text(text) => format!("is the text {:?}", shortened(text)),
        Scalar::Null => "is empty".to_owned(),
        other => format!("is {other}"),
    }
}

/// The beginning of a text that may be long.
pub(super) fn shortened(text: &str) -> String {
    text.chars().take(40).collect()
}
