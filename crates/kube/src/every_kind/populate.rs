//! Objects with every field set, each to a value that tells its name.

use std::collections::HashMap;

use crate::schema::{Field, Kind, Many, Message, Schema};

/// The bytes of an object, and which number was given to which field.
pub(super) struct Populated {
    pub(super) message: Vec<u8>,
    numbers: HashMap<u64, &'static str>,
    within: Vec<usize>,
}

impl Populated {
    pub(super) fn of(api_version: &str, kind: &str) -> Self {
        let mut new = Self {
            message: Vec::new(),
            numbers: HashMap::new(),
            within: Vec::new(),
        };
        let schema = Schema::built_in();
        let message = schema
            .kind(api_version, kind)
            .unwrap_or_else(|| panic!("{kind}"));
        new.message = new.message_of(message);
        new
    }

    fn message_of(&mut self, message: &Message) -> Vec<u8> {
        let mut bytes = Vec::new();
        for field in &message.fields {
            let Some(value) = self.value(field) else {
                continue;
            };
            match field.many {
                Many::Map => {
                    let key = format!("{}Key", field.name.unwrap_or_default());
                    let entry = [bytes_field(1, key.as_bytes()), value.field(2)].concat();
                    bytes.extend(bytes_field(field.number, &entry));
                }
                _ => bytes.extend(value.field(field.number)),
            }
        }
        bytes
    }

    /// `None` where a message would have itself within for a third time.
    fn value(&mut self, field: &Field) -> Option<Set> {
        const TIMES: usize = 2;
        let name = field.name.unwrap_or_default();
        let text = format!("{name}Value");
        Some(match field.kind {
            Kind::Text => Set::Bytes(text.into_bytes()),
            Kind::Bool => Set::Varint(1),
            Kind::Int => Set::Varint(self.number(name)),
            Kind::Double => Set::Fixed64(1.5_f64.to_bits()),
            Kind::Bytes => Set::Bytes(b"\x01\xfe".to_vec()),
            Kind::Time => Set::Bytes([varint_field(1, 1_136_214_245), varint_field(2, 0)].concat()),
            Kind::MicroTime => {
                Set::Bytes([varint_field(1, 1_136_214_245), varint_field(2, 12_000)].concat())
            }
            Kind::Quantity => Set::Bytes(bytes_field(1, b"10Mi")),
            Kind::IntOrString => Set::Bytes(
                [
                    varint_field(1, 1),
                    varint_field(2, 0),
                    bytes_field(3, b"http"),
                ]
                .concat(),
            ),
            Kind::Raw => Set::Bytes(bytes_field(1, br#"{"a":[1,"b",null]}"#)),
            Kind::Strings => Set::Bytes([bytes_field(1, b"a"), bytes_field(1, b"b")].concat()),
            Kind::Message(at) => {
                if self.within.iter().filter(|it| **it == at).count() >= TIMES {
                    return None;
                }
                self.within.push(at);
                let message = Schema::built_in().message(at);
                let bytes = self.message_of(message);
                self.within.pop();
                if bytes.is_empty() && !message.fields.is_empty() {
                    return None;
                }
                Set::Bytes(bytes)
            }
        })
    }

    fn number(&mut self, name: &'static str) -> u64 {
        let number = 1000 + self.numbers.len() as u64;
        self.numbers.insert(number, name);
        number
    }

    /// Compares our names with those in `shown`, k8s-pb's own text of the message, where every
    /// text and every number says what we call its field.
    pub(super) fn assert_same_names(&self, shown: &str) {
        let mut compared = 0;
        for (before, after) in shown.match_indices(": ").map(|(at, _)| shown.split_at(at)) {
            let theirs = before.rsplit([' ', '{', '(']).next().unwrap_or_default();
            let after = &after[2..];
            let after = after
                .strip_prefix("Some(")
                .or(after.strip_prefix('['))
                .unwrap_or(after);
            let ours = if let Some(text) = after.strip_prefix('"') {
                text.split("Value\"").next().filter(|it| !it.contains('"'))
            } else {
                let digits = after.split([')', ',', ']']).next().unwrap_or_default();
                digits
                    .parse()
                    .ok()
                    .and_then(|it: u64| self.numbers.get(&it).copied())
            };
            // Keys of maps are values themselves.
            if let Some(ours) = ours.filter(|_| !theirs.ends_with('"')) {
                let theirs = theirs.trim_start_matches("r#");
                assert_eq!(letters(theirs), letters(ours));
                compared += 1;
            }
        }
        assert!(compared > 0, "{shown}");
    }
}

/// A value as it goes into a field.
enum Set {
    Varint(u64),
    Fixed64(u64),
    Bytes(Vec<u8>),
}

impl Set {
    fn field(&self, number: u32) -> Vec<u8> {
        match self {
            Self::Varint(value) => varint_field(number, *value),
            Self::Fixed64(value) => [tag(number, 1), value.to_le_bytes().to_vec()].concat(),
            Self::Bytes(bytes) => bytes_field(number, bytes),
        }
    }
}

/// The value that an API server would store.
pub(super) fn envelope(api_version: &str, kind: &str, message: &[u8]) -> Vec<u8> {
    let type_meta = [
        bytes_field(1, api_version.as_bytes()),
        bytes_field(2, kind.as_bytes()),
    ];
    [
        b"k8s\0".to_vec(),
        bytes_field(1, &type_meta.concat()),
        bytes_field(2, message),
        bytes_field(3, b""),
        bytes_field(4, b""),
    ]
    .concat()
}

fn letters(name: &str) -> String {
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    letters.collect::<String>().to_lowercase()
}

fn varint_field(number: u32, value: u64) -> Vec<u8> {
    [tag(number, 0), varint(value)].concat()
}

fn bytes_field(number: u32, bytes: &[u8]) -> Vec<u8> {
    [tag(number, 2), varint(bytes.len() as u64), bytes.to_vec()].concat()
}

fn tag(number: u32, kind: u32) -> Vec<u8> {
    varint(u64::from(number << 3 | kind))
}

fn varint(value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    prost::encoding::encode_varint(value, &mut bytes);
    bytes
}
