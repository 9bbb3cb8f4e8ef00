//! What every message that Kubernetes stores consists of.
//!
//! `schema/messages.txt` is made by `schema/derive.py`, which tells from what. A line each:
//!
//! ```text
//! @core/v1 v1                  a package, and the apiVersion of its kinds
//! Pod *                        a message; * for a kind, ? for one that is its last field's value
//! 2 spec PodSpec               a field: number, name in JSON, type
//! 3 ports []ContainerPort      a list; {} before a type is a map from text, * is a pointer
//! 1 ~ LocalObjectReference     ~ for a message whose fields stand in this one in JSON
//! 1 name s!                    ! for one that is in the JSON though it be empty
//! ```
//!
//! Types are `s` text, `b` truth, `i` integer, `d` float, `y` bytes, a few by name with rules of
//! their own ([`Kind`]), or a message, with its package unless it is of the same. Whether a field
//! is a pointer in Go says whether a zero means *zero* or *not set*, which the bytes do not.

use std::collections::HashMap;
use std::sync::OnceLock;

/// The kinds that can be decoded: apiVersion and kind, in no order.
pub fn kinds() -> impl Iterator<Item = (&'static str, &'static str)> {
    Schema::built_in().kinds()
}

/// All messages.
#[derive(Debug)]
pub(crate) struct Schema {
    messages: Vec<Message>,
    kinds: HashMap<(&'static str, &'static str), usize>,
    any: Message,
}

/// One message.
#[derive(Debug, Default)]
pub(crate) struct Message {
    /// In ascending order of their numbers.
    pub(crate) fields: Vec<Field>,
    /// Whether its JSON is the value of the one field that is set, the last if several are.
    pub(crate) either: bool,
}

/// One field of a message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    pub(crate) number: u32,
    /// `None` if its fields stand in the message around it.
    pub(crate) name: Option<&'static str>,
    pub(crate) many: Many,
    pub(crate) kind: Kind,
    /// Whether the JSON has it even when it is empty.
    pub(crate) always: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Many {
    One,
    Pointer,
    List,
    Map,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Bool,
    Int,
    Double,
    Bytes,
    /// Seconds, as RFC 3339.
    Time,
    /// The same with microseconds.
    MicroTime,
    /// A number with its unit, kept as text.
    Quantity,
    IntOrString,
    /// JSON within protobuf.
    Raw,
    /// A message around a list of texts, in JSON the list.
    Strings,
    /// By its place among all messages.
    Message(usize),
}

impl Schema {
    /// The one that is built in, read at the first use.
    #[expect(clippy::panic, reason = "the text is a constant that a test reads")]
    pub(crate) fn built_in() -> &'static Self {
        static BUILT_IN: OnceLock<Schema> = OnceLock::new();
        const TEXT: &str = include_str!("../schema/messages.txt");
        BUILT_IN.get_or_init(|| {
            Self::parse(TEXT).unwrap_or_else(|line| panic!("schema/messages.txt: {line}"))
        })
    }

    /// The message of a kind.
    pub(crate) fn kind(&self, api_version: &str, kind: &str) -> Option<&Message> {
        self.messages.get(*self.kinds.get(&(api_version, kind))?)
    }

    /// What all kinds have in common, for those that are not known: their metadata.
    pub(crate) fn any(&self) -> &Message {
        &self.any
    }

    /// The message at a place that a [`Kind::Message`] names.
    pub(crate) fn message(&self, at: usize) -> &Message {
        &self.messages[at]
    }

    /// Every kind, after its apiVersion.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.kinds.keys().copied()
    }

    /// Reads all lines; the error is the line that cannot be read.
    fn parse(text: &'static str) -> Result<Self, &'static str> {
        let names = Names::of(text);
        let mut messages = Vec::new();
        let mut kinds = HashMap::new();
        let (mut package, mut api_version) = ("", "");
        for line in lines(text) {
            if let Some(head) = line.strip_prefix('@') {
                (package, api_version) = head.split_once(' ').ok_or(line)?;
            } else if line.starts_with(|c: char| c.is_ascii_digit()) {
                let message: &mut Message = messages.last_mut().ok_or(line)?;
                message
                    .fields
                    .push(field(line, package, &names).ok_or(line)?);
            } else {
                let (name, mark) = line.split_once(' ').unwrap_or((line, ""));
                if mark == "*" {
                    kinds.insert((api_version, name), messages.len());
                }
                let either = mark == "?";
                messages.push(Message {
                    either,
                    ..Message::default()
                });
            }
        }
        let metadata = field("1 metadata ObjectMeta", "meta/v1", &names).ok_or("ObjectMeta")?;
        let any = Message {
            fields: vec![metadata],
            either: false,
        };
        Ok(Self {
            messages,
            kinds,
            any,
        })
    }
}

impl Message {
    pub(crate) fn field(&self, number: u32) -> Option<&Field> {
        let at = self.fields.binary_search_by_key(&number, |it| it.number);
        self.fields.get(at.ok()?)
    }
}

/// Where each message stands, by package and name.
struct Names(HashMap<(&'static str, &'static str), usize>);

impl Names {
    fn of(text: &'static str) -> Self {
        let mut names = HashMap::new();
        let mut package = "";
        for line in lines(text) {
            let word = line.split(' ').next().unwrap_or_default();
            if let Some(name) = word.strip_prefix('@') {
                package = name;
            } else if !word.starts_with(|c: char| c.is_ascii_digit()) {
                names.insert((package, word), names.len());
            }
        }
        Self(names)
    }
}

fn lines(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().filter(|line| !line.starts_with('#'))
}

fn field(line: &'static str, package: &'static str, names: &Names) -> Option<Field> {
    let mut words = line.split(' ');
    let (number, name, shape) = (words.next()?, words.next()?, words.next()?);
    let (shape, always) = match shape.strip_suffix('!') {
        Some(shape) => (shape, true),
        None => (shape, false),
    };
    let marks = [
        ("*", Many::Pointer),
        ("[]", Many::List),
        ("{}", Many::Map),
        ("", Many::One),
    ];
    let unmarked = |(mark, many)| Some((shape.strip_prefix(mark)?, many));
    let (kind, many) = marks.into_iter().find_map(unmarked)?;
    let kind = match kind {
        "s" => Kind::Text,
        "b" => Kind::Bool,
        "i" => Kind::Int,
        "d" => Kind::Double,
        "y" => Kind::Bytes,
        "Time" => Kind::Time,
        "MicroTime" => Kind::MicroTime,
        "Quantity" => Kind::Quantity,
        "IntOrString" => Kind::IntOrString,
        "Raw" => Kind::Raw,
        "Strings" => Kind::Strings,
        message => {
            let whole = message.split_once('.').unwrap_or((package, message));
            Kind::Message(*names.0.get(&whole)?)
        }
    };
    Some(Field {
        number: number.parse().ok()?,
        name: (name != "~").then_some(name),
        many,
        kind,
        always,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_schema_is_whole_and_in_order() {
        let schema = Schema::built_in();
        for message in &schema.messages {
            let numbers: Vec<_> = message.fields.iter().map(|it| it.number).collect();
            assert!(numbers.is_sorted_by(|a, b| a < b), "{message:?}");
        }
        for (api_version, kind) in schema.kinds() {
            let message = schema.kind(api_version, kind).unwrap();
            let first = message.field(1).and_then(|it| it.name);
            assert_eq!(first, Some("metadata"), "{api_version} {kind}");
        }
    }
}
