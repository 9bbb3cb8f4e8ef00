//! One line of the log: when, how bad, what, and the fields in the order they were written down.

use std::fmt;
use std::sync::Arc;

use rollsnap_engine::Clock;
use tracing::field::Visit;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::logfmt::Dialect;
use super::{Format, json, logfmt};
use crate::output::moment;

/// Makes lines of events.
pub(super) struct Lines {
    pub(super) format: Format,
    pub(super) clock: Arc<dyn Clock>,
}

/// What a line says.
#[derive(Debug)]
pub(super) struct Line {
    /// RFC 3339 in UTC, to the second.
    pub(super) time: String,
    /// logrus' word.
    pub(super) level: &'static str,
    pub(super) message: String,
    pub(super) fields: Vec<(&'static str, Value)>,
}

/// A value, with what JSON has to know of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// Quoted where it has to be.
    Text(String),
    /// A number or a truth: never quoted.
    Bare(String),
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = Line {
            time: time(&*self.clock),
            level: level_word(*event.metadata().level()),
            message: String::new(),
            fields: Vec::new(),
        };
        event.record(&mut line);
        writeln!(writer, "{}", render(self.format, &line))
    }
}

/// The text of a line, without its end.
pub(super) fn render(format: Format, line: &Line) -> String {
    match format {
        Format::Logfmt => logfmt::render(line, Dialect::V1),
        Format::OldLogfmt => logfmt::render(line, Dialect::V010),
        Format::Json => json::render(line),
    }
}

/// Now, as lines tell it.
pub(super) fn time(clock: &dyn Clock) -> String {
    moment(clock.now())
}

impl Line {
    fn push(&mut self, field: &tracing::field::Field, value: Value) {
        match value {
            Value::Text(text) if field.name() == "message" => self.message = text,
            value => self.fields.push((field.name(), value)),
        }
    }
}

impl Visit for Line {
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

/// The words that logrus has for the levels.
fn level_word(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warning",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}
