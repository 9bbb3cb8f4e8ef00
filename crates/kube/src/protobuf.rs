//! From protobuf to the JSON that Kubernetes would have written.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde_json::{Map, Number, Value};

use crate::object::Omission;
use crate::schema::{Field, Kind, Many, Message, Schema};
use crate::special;
use crate::wire::{Fields, Payload, varints};

/// Steps from an object to the deepest value within. A pod has 12; schemas of custom resources, two
/// for every level of theirs, have the most.
const DEEPEST: usize = 100;

/// What could not be decoded, past which it is only counted.
const LISTED: usize = 100;

/// Decodes `bytes` as `message` into `object`, and tells what it left out.
pub(crate) fn decode_into(
    object: &mut Map<String, Value>,
    message: &Message,
    bytes: &[u8],
) -> Vec<Omission> {
    let mut decoder = Decoder {
        schema: Schema::built_in(),
        path: Vec::new(),
        omissions: Vec::new(),
        unlisted: 0,
        // Every message costs a map however few bytes it has, so that few bytes could ask for
        // much memory. Real objects have one for every forty bytes or so.
        maps: 1024 + bytes.len() / 16,
    };
    decoder.message(object, message, bytes);
    decoder.finish()
}

struct Decoder<'a> {
    schema: &'static Schema,
    path: Vec<Step<'a>>,
    omissions: Vec<Omission>,
    unlisted: usize,
    maps: usize,
}

/// One step from an object to a value within.
enum Step<'a> {
    Field(&'static str),
    Embedded,
    Index(usize),
    Key(Cow<'a, str>),
}

impl<'a> Decoder<'a> {
    fn message(&mut self, object: &mut Map<String, Value>, message: &Message, bytes: &'a [u8]) {
        for field in Fields::of(bytes) {
            match field {
                Ok((number, payload)) => match message.field(number) {
                    Some(field) => self.field(object, field, payload),
                    None => self.omit(&format!("unknown field {number}, {payload}")),
                },
                Err(error) => self.omit(&error.to_string()),
            }
        }
        for field in message.fields.iter().filter(|it| it.always) {
            let Some(name) = field.name else { continue };
            if let Some(empty) = empty(field).filter(|_| !object.contains_key(name)) {
                object.insert(name.to_owned(), empty);
            }
        }
    }

    fn field(&mut self, object: &mut Map<String, Value>, field: &Field, payload: Payload<'a>) {
        let Some(name) = field.name else {
            return self.embedded(object, field.kind, payload);
        };
        self.path.push(Step::Field(name));
        match field.many {
            Many::One | Many::Pointer => {
                let before = object.remove(name);
                if let Some(value) = self.value(field.kind, payload, before) {
                    let unset = field.many == Many::One && !field.always && is_unset(name, &value);
                    if !unset {
                        object.insert(name.to_owned(), value);
                    }
                }
            }
            Many::List => self.list_item(object, name, field.kind, payload),
            Many::Map => self.map_entry(object, name, field.kind, payload),
        }
        self.path.pop();
    }

    /// A message whose fields stand in the one around it in JSON.
    fn embedded(&mut self, object: &mut Map<String, Value>, kind: Kind, payload: Payload<'a>) {
        let (Kind::Message(at), Payload::Bytes(bytes)) = (kind, payload) else {
            return self.wrong(payload);
        };
        if self.is_too_deep(bytes) {
            return;
        }
        self.path.push(Step::Embedded);
        self.message(object, self.schema.message(at), bytes);
        self.path.pop();
    }

    fn list_item(
        &mut self,
        object: &mut Map<String, Value>,
        name: &'static str,
        kind: Kind,
        payload: Payload<'a>,
    ) {
        if let (Kind::Int, Payload::Bytes(packed)) = (kind, payload) {
            match varints(packed) {
                Ok(numbers) => {
                    let numbers = numbers.into_iter().map(|it| it.cast_signed().into());
                    items_of(object, name).extend(numbers);
                }
                Err(error) => self.omit(&error.to_string()),
            }
            return;
        }
        self.path.push(Step::Index(items_of(object, name).len()));
        let item = self.value(kind, payload, None);
        self.path.pop();
        items_of(object, name).extend(item);
    }

    fn map_entry(
        &mut self,
        object: &mut Map<String, Value>,
        name: &'static str,
        kind: Kind,
        payload: Payload<'a>,
    ) {
        let Payload::Bytes(entry) = payload else {
            return self.wrong(payload);
        };
        let (mut key, mut said) = (Cow::Borrowed(""), None);
        for field in Fields::of(entry) {
            match field {
                Ok((1, Payload::Bytes(bytes))) => key = String::from_utf8_lossy(bytes),
                Ok((2, payload)) => said = Some(payload),
                Ok((number, payload)) => self.omit(&format!("unknown field {number}, {payload}")),
                Err(error) => self.omit(&error.to_string()),
            }
        }
        self.path.push(Step::Key(key.clone()));
        let value = self.value(kind, said.unwrap_or(Payload::Bytes(&[])), None);
        self.path.pop();
        let map = object
            .entry(name)
            .or_insert_with(|| Value::Object(Map::new()));
        if let (Value::Object(map), Some(value)) = (map, value) {
            map.insert(key.into_owned(), value);
        }
    }

    /// One value; `before` is what the same field of the same message held already.
    fn value(&mut self, kind: Kind, payload: Payload<'a>, before: Option<Value>) -> Option<Value> {
        let value = match (kind, payload) {
            (Kind::Bool, Payload::Varint(said)) => Ok(Value::Bool(said != 0)),
            (Kind::Int, Payload::Varint(said)) => Ok(said.cast_signed().into()),
            (Kind::Double, Payload::Fixed64(bits)) => number(f64::from_bits(bits)),
            (Kind::Text, Payload::Bytes(bytes)) => return Some(self.text(bytes).into()),
            (Kind::Bytes, Payload::Bytes(bytes)) => Ok(special::base64(bytes).into()),
            (Kind::Time, Payload::Bytes(bytes)) => special::time(bytes),
            (Kind::MicroTime, Payload::Bytes(bytes)) => special::micro_time(bytes),
            (Kind::Quantity, Payload::Bytes(bytes)) => special::quantity(bytes),
            (Kind::IntOrString, Payload::Bytes(bytes)) => special::int_or_string(bytes),
            (Kind::Raw, Payload::Bytes(bytes)) => special::raw(bytes),
            (Kind::Strings, Payload::Bytes(bytes)) => special::strings(bytes),
            (Kind::Message(at), Payload::Bytes(bytes)) => return self.inner(at, bytes, before),
            _ => {
                self.wrong(payload);
                return None;
            }
        };
        value.map_err(|what| self.omit(&what)).ok()
    }

    fn inner(&mut self, at: usize, bytes: &'a [u8], before: Option<Value>) -> Option<Value> {
        if self.is_too_deep(bytes) {
            return None;
        }
        let Some(maps) = self.maps.checked_sub(1) else {
            self.omit("more messages than an object of this size has");
            return None;
        };
        self.maps = maps;
        let message = self.schema.message(at);
        let mut object = match before {
            Some(Value::Object(object)) => object,
            _ => Map::new(),
        };
        self.message(&mut object, message, bytes);
        if !message.either {
            return Some(Value::Object(object));
        }
        let last_first = message.fields.iter().rev();
        let mut set = last_first.filter_map(|it| object.remove(it.name?));
        Some(set.next().unwrap_or(Value::Null))
    }

    fn is_too_deep(&mut self, bytes: &[u8]) -> bool {
        let deep = self.path.len() >= DEEPEST;
        if deep {
            self.omit(&format!("{} bytes, nested too deep", bytes.len()));
        }
        deep
    }

    fn text(&mut self, bytes: &[u8]) -> String {
        let text = String::from_utf8_lossy(bytes);
        if matches!(text, Cow::Owned(_)) {
            self.omit("bytes that are no text, shown as \u{fffd}");
        }
        text.into_owned()
    }

    fn wrong(&mut self, payload: Payload<'_>) {
        self.omit(&format!("{payload}, which is not what the schema says"));
    }

    fn omit(&mut self, what: &str) {
        if self.omissions.len() >= LISTED {
            self.unlisted += 1;
            return;
        }
        let path = path_text(&self.path);
        self.omissions.push(Omission {
            path,
            what: what.to_owned(),
        });
    }

    fn finish(mut self) -> Vec<Omission> {
        if self.unlisted > 0 {
            let what = format!("{} more", self.unlisted);
            self.omissions.push(Omission {
                path: String::new(),
                what,
            });
        }
        self.omissions
    }
}

fn path_text(path: &[Step<'_>]) -> String {
    let mut text = String::new();
    for step in path {
        // A String takes whatever is written to it.
        let _ = match step {
            Step::Embedded => Ok(()),
            Step::Field(name) if text.is_empty() => write!(text, "{name}"),
            Step::Field(name) => write!(text, ".{name}"),
            Step::Index(at) => write!(text, "[{at}]"),
            Step::Key(key) => write!(text, "[{key:?}]"),
        };
    }
    text
}

/// The list of that name, made if there is none.
#[expect(clippy::expect_used, reason = "made a list just before")]
fn items_of<'a>(object: &'a mut Map<String, Value>, name: &'static str) -> &'a mut Vec<Value> {
    let list = object.entry(name).or_insert(Value::Null);
    if !list.is_array() {
        *list = Value::Array(Vec::new());
    }
    list.as_array_mut().expect("made a list just before")
}

/// Whether the value of a field that is no pointer stands for *not set*. A time that is not set is
/// `null` in Kubernetes' JSON, but for the one that it leaves out since 1.34.
fn is_unset(name: &str, value: &Value) -> bool {
    match value {
        Value::Null => name == "creationTimestamp",
        Value::Bool(value) => !value,
        Value::Number(value) => value.as_f64() == Some(0.0),
        Value::String(value) => value.is_empty(),
        Value::Array(_) | Value::Object(_) => false,
    }
}

/// What a field that is always there has when the bytes do not.
fn empty(field: &Field) -> Option<Value> {
    match (field.many, field.kind) {
        (Many::One, Kind::Text) => Some("".into()),
        (Many::One, Kind::Bool) => Some(false.into()),
        (Many::One, Kind::Int | Kind::Double | Kind::IntOrString) => Some(0.into()),
        (Many::One, Kind::Quantity) => Some("0".into()),
        // A server writes these even when they are empty: this object is older than the field.
        (Many::One, Kind::Message(_)) => None,
        _ => Some(Value::Null),
    }
}

/// As Go writes floats: whole ones without a point.
fn number(value: f64) -> Result<Value, String> {
    /// Up to here every whole number is a float and the other way round.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() <= EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "whole and within bounds")]
        return Ok((value as i64).into());
    }
    Number::from_f64(value)
        .map(Value::Number)
        .ok_or_else(|| format!("{value}, which JSON has not"))
}
