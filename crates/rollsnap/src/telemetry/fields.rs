//! The fields of one event, in the order in which they were written down.

use std::fmt;

use tracing::field::Visit;

/// One key and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The key.
    pub key: &'static str,
    /// The value.
    pub value: Value,
}

/// A value, with what JSON has to know of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Quoted where it has to be.
    Text(String),
    /// A number or a truth: never quoted.
    Bare(String),
}

/// The message and the fields of an event.
#[derive(Debug, Default)]
pub(super) struct Fields {
    pub(super) message: String,
    pub(super) rest: Vec<Field>,
}

impl Fields {
    fn push(&mut self, field: &tracing::field::Field, value: Value) {
        let key = field.name();
        match value {
            Value::Text(text) if key == "message" => self.message = text,
            value => self.rest.push(Field { key, value }),
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn fmt::Debug) {
        self.push(field, Value::Text(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &tracing::field::Field, value: &str) {
        self.push(field, Value::Text(value.to_owned()));
    }

    fn record_u64(&mut self, field: &tracing::field::Field, value: u64) {
        self.push(field, Value::Bare(value.to_string()));
    }

    fn record_i64(&mut self, field: &tracing::field::Field, value: i64) {
        self.push(field, Value::Bare(value.to_string()));
    }

    fn record_bool(&mut self, field: &tracing::field::Field, value: bool) {
        self.push(field, Value::Bare(value.to_string()));
    }
}
