//! YAML with the line of every key and value: the only file that knows `serde_yaml`.
//!
//! A [`Shape`] says which keys matter; everything else is skipped unseen, so a file costs what
//! its size costs, whatever is in it. `serde_yaml` tells a place only in its errors. So a scalar
//! is taken by a visitor that keeps the value aside and then fails on purpose: the error comes
//! back with the mark of exactly that scalar, one event has been consumed, and reading goes on.
//! This holds for scalars only; a mapping or list is known by the line of its key.

use std::cell::Cell;
use std::fmt::{self, Display};

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, IgnoredAny, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};

use crate::Wrong;
use crate::text::FileWrong;

/// Most keys and list items that are looked at. Merge keys and aliases can make few bytes into
/// many values; no honest file comes near.
const MAX_ENTRIES: u32 = 10_000;
/// A text counts as one more entry for every so many bytes, as an alias can repeat that too.
const BYTES_PER_ENTRY: usize = 256;

/// The keys of a mapping that matter, and what is to be read of each.
pub(crate) struct Shape(pub(crate) &'static [(&'static str, Want)]);

/// What is to be read of the value of one key.
#[derive(Clone, Copy)]
pub(crate) enum Want {
    /// A scalar.
    Value,
    /// A scalar or a list of scalars.
    Values,
    /// A mapping of this shape.
    Section(&'static Shape),
    /// A mapping of this shape, or a list of them: the value of `<<` in such a mapping.
    Merge(&'static Shape),
}

/// A value as far as it was wanted.
#[derive(Debug, PartialEq)]
pub(crate) enum Node {
    /// A scalar and its line.
    Scalar(Scalar, u32),
    /// A list; its items only where they were wanted.
    List(Vec<Node>),
    /// A mapping; its entries only where they were wanted.
    Mapping(Vec<Entry>),
    /// A value under a tag of its own, such as `!vault`.
    Tagged(String),
    /// The value of a key that nobody asked for.
    Skipped,
}

/// One key and its value.
#[derive(Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) line: u32,
    pub(crate) node: Node,
}

/// A plain or quoted value, typed by the rules of YAML 1.2.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Scalar {
    Null,
    Bool(bool),
    Integer(i128),
    Float(f64),
    Text(String),
}

/// Deepest nesting that is opened on one line. libyaml looks at every open bracket again for every
/// token, so a file of nothing but brackets would take hours, and every level costs memory.
const MAX_DEPTH: usize = 200;

/// Reads the one document in `text`.
pub(crate) fn read(text: &str, shape: &'static Shape) -> Result<Node, FileWrong> {
    check_depth(text)?;
    let budget = Cell::new(MAX_ENTRIES);
    let mut documents = serde_yaml::Deserializer::from_str(text);
    let Some(first) = documents.next() else {
        return Ok(Node::Scalar(Scalar::Null, 1));
    };
    let seed = NodeSeed {
        want: Want::Section(shape),
        budget: &budget,
    };
    let node = seed
        .deserialize(first)
        .map_err(|error| explain(&error, text, &budget))?;
    match documents.next() {
        None => Ok(node),
        Some(second) => Err((
            Whereabouts::of(second),
            Wrong::new("a second document begins", "keep one document in the file"),
        )),
    }
}

/// Counts open brackets, and `- ` and `? ` in a row, wherever they stand: in texts and comments
/// they are closed as well, or few. Not exact, but what it lets through by mistake costs only
/// time.
fn check_depth(text: &str) -> Result<(), FileWrong> {
    let bytes = text.as_bytes();
    let (mut open, mut row, mut row_end) = (0_usize, 0, 0);
    for (index, byte) in bytes.iter().enumerate() {
        match byte {
            b'[' | b'{' => open += 1,
            b']' | b'}' => open = open.saturating_sub(1),
            b'-' | b'?' if bytes.get(index + 1) == Some(&b' ') => {
                row = if index == row_end { row + 1 } else { 1 };
                row_end = index + 2;
            }
            _ => continue,
        }
        if open.max(row) > MAX_DEPTH {
            let line = text[..index].split('\n').count();
            let what = format!("nests more than {MAX_DEPTH} lists and mappings in each other");
            return Err((u32::try_from(line).ok(), Wrong::new(what, "close them")));
        }
    }
    Ok(())
}

/// What the parser met, in words that cannot hold a value of the file.
fn explain(error: &serde_yaml::Error, text: &str, budget: &Cell<u32>) -> FileWrong {
    if budget.get() == 0 {
        let what = format!("has more than {MAX_ENTRIES} values, aliases counted each time");
        return (
            None,
            Wrong::new(what, "write the snapshot keys out in full"),
        );
    }
    let place = error.location();
    let line = place
        .as_ref()
        .and_then(|place| u32::try_from(place.line()).ok());
    let message = error.to_string();
    if message.contains("invalid value: ") || message.contains("invalid type: ") {
        return (
            line,
            Wrong::new("has a tag that does not fit its value", "leave the tag out"),
        );
    }
    let column = place.map_or(1, |place| place.column());
    let message = message.split(" at line ").next().unwrap_or_default();
    let message = message.split(" at position ").next().unwrap_or_default();
    let indent = line
        .and_then(|line| text.lines().nth(line.saturating_sub(1) as usize))
        .map_or("", |line| &line[..line.len() - line.trim_start().len()]);
    let cure = if indent.contains('\t') {
        "indent with spaces, not with tabs"
    } else {
        ""
    };
    (
        line,
        Wrong::new(format!("is not YAML: {message}, column {column}"), cure),
    )
}

/// The line that an error of `serde_yaml` names. It leaves the very first place out.
fn line_of(error: &impl Display) -> u32 {
    error
        .to_string()
        .rsplit_once(" at line ")
        .and_then(|(_, place)| place.split(' ').next()?.parse().ok())
        .unwrap_or(1)
}

/// Takes nothing, so that every value fails and tells its place.
struct Whereabouts;

impl Whereabouts {
    fn of(document: serde_yaml::Deserializer<'_>) -> Option<u32> {
        let error = document.deserialize_any(Self).err()?;
        u32::try_from(error.location()?.line()).ok()
    }
}

impl Visitor<'_> for Whereabouts {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing")
    }
}

/// Reads a value as far as it is wanted.
struct NodeSeed<'a> {
    want: Want,
    budget: &'a Cell<u32>,
}

impl<'de> DeserializeSeed<'de> for NodeSeed<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        let mut kept = None;
        let visitor = NodeVisitor {
            want: self.want,
            budget: self.budget,
            kept: &mut kept,
        };
        match (deserializer.deserialize_any(visitor), kept) {
            (Err(error), Some(scalar)) => Ok(Node::Scalar(scalar, line_of(&error))),
            (result, _) => result,
        }
    }
}

struct NodeVisitor<'a> {
    want: Want,
    budget: &'a Cell<u32>,
    kept: &'a mut Option<Scalar>,
}

impl NodeVisitor<'_> {
    fn keep<E: Error>(self, scalar: Scalar) -> Result<Node, E> {
        if let Scalar::Text(text) = &scalar {
            let cost = text.len() / BYTES_PER_ENTRY;
            spend(self.budget, u32::try_from(cost).unwrap_or(u32::MAX))?;
        }
        *self.kept = Some(scalar);
        Err(E::custom("kept"))
    }
}

/// Counts entries off, and fails when there were too many.
fn spend<E: Error>(budget: &Cell<u32>, cost: u32) -> Result<(), E> {
    let left = budget.get().saturating_sub(cost);
    budget.set(left);
    if left == 0 {
        return Err(E::custom("too many values"));
    }
    Ok(())
}

impl<'de> Visitor<'de> for NodeVisitor<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Node, E> {
        self.keep(Scalar::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Node, E> {
        self.keep(Scalar::Integer(value.into()))
    }

    fn visit_i128<E: Error>(self, value: i128) -> Result<Node, E> {
        self.keep(Scalar::Integer(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Node, E> {
        self.keep(Scalar::Integer(value.into()))
    }

    fn visit_u128<E: Error>(self, value: u128) -> Result<Node, E> {
        self.keep(Scalar::Integer(i128::try_from(value).unwrap_or(i128::MAX)))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Node, E> {
        self.keep(Scalar::Float(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Node, E> {
        self.keep(Scalar::Text(value.to_owned()))
    }

    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        self.keep(Scalar::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Node, E> {
        self.keep(Scalar::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let want = match self.want {
            Want::Values => Want::Value,
            Want::Merge(shape) => Want::Section(shape),
            Want::Value | Want::Section(_) => {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                return Ok(Node::List(Vec::new()));
            }
        };
        let mut items = Vec::new();
        while let Some(item) = list.next_element_seed(NodeSeed {
            want,
            budget: self.budget,
        })? {
            spend(self.budget, 1)?;
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let (Want::Section(shape) | Want::Merge(shape)) = self.want else {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(Node::Mapping(Vec::new()));
        };
        let mut entries: Vec<Entry> = Vec::new();
        let mut merged = Vec::new();
        while let Some((key, line)) = map.next_key_seed(KeySeed(self.budget))? {
            spend(self.budget, 1)?;
            let found = shape.0.iter().find(|(name, _)| *name == key);
            let want = match found {
                Some((_, want)) => Some(*want),
                None if key == "<<" => Some(Want::Merge(shape)),
                None => None,
            };
            let Some(want) = want else {
                map.next_value::<IgnoredAny>()?;
                let node = Node::Skipped;
                entries.push(Entry { key, line, node });
                continue;
            };
            let node = map.next_value_seed(NodeSeed {
                want,
                budget: self.budget,
            })?;
            if found.is_some() {
                entries.push(Entry { key, line, node });
            } else {
                merged.push((line, node));
            }
        }
        for (line, node) in merged {
            merge(&mut entries, line, node);
        }
        Ok(Node::Mapping(entries))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, tagged: A) -> Result<Node, A::Error> {
        let (tag, value) = tagged.variant::<String>()?;
        value.newtype_variant::<IgnoredAny>()?;
        Ok(Node::Tagged(tag))
    }
}

/// Adds what `<<` brings: a mapping, or a list of them of which the first wins. Anything else is
/// kept under its key, to be shown as a fault.
fn merge(entries: &mut Vec<Entry>, line: u32, node: Node) {
    match node {
        Node::Mapping(others) => {
            for entry in others {
                if entries.iter().all(|own| own.key != entry.key) {
                    entries.push(entry);
                }
            }
        }
        Node::List(items) if items.iter().all(|item| matches!(item, Node::Mapping(_))) => {
            for item in items {
                merge(entries, line, item);
            }
        }
        node => {
            let key = "<<".to_owned();
            entries.push(Entry { key, line, node });
        }
    }
}

/// Reads a key as text, with its line. A key that is no scalar is named by what it is.
struct KeySeed<'a>(&'a Cell<u32>);

impl<'de> DeserializeSeed<'de> for KeySeed<'_> {
    type Value = (String, u32);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let seed = NodeSeed {
            want: Want::Value,
            budget: self.0,
        };
        Ok(match seed.deserialize(deserializer)? {
            Node::Scalar(scalar, line) => (scalar.to_string(), line),
            Node::List(_) => ("[list]".to_owned(), 1),
            Node::Mapping(_) => ("{mapping}".to_owned(), 1),
            Node::Tagged(tag) => (format!("!{tag}"), 1),
            Node::Skipped => (String::new(), 1),
        })
    }
}

impl Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => value.fmt(f),
            Self::Integer(value) => value.fmt(f),
            Self::Float(value) => value.fmt(f),
            Self::Text(value) => f.write_str(value),
        }
    }
}

#[cfg(test)]
mod tests;
