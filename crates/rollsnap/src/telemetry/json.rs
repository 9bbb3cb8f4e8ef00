//! One JSON object a line: `time`, `level`, `msg`, then the event's own keys.

use std::fmt;
use std::sync::Arc;

use chrono::SecondsFormat;
use rollsnap_engine::Clock;
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::fields::{Fields, Value};
use super::level_word;

/// The formatter.
pub(super) struct Json {
    pub(super) clock: Arc<dyn Clock>,
}

impl<S, N> FormatEvent<S, N> for Json
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
        let mut fields = Fields::default();
        event.record(&mut fields);
        let time = self.clock.now().to_rfc3339_opts(SecondsFormat::Secs, true);
        let level = level_word(*event.metadata().level());
        let msg = text(&fields.message);
        write!(
            writer,
            "{{\"time\":\"{time}\",\"level\":\"{level}\",\"msg\":{msg}"
        )?;
        for field in &fields.rest {
            let value = match &field.value {
                Value::Text(value) => text(value),
                Value::Bare(value) => value.clone(),
            };
            write!(writer, ",{}:{value}", text(field.key))?;
        }
        writeln!(writer, "}}")
    }
}

fn text(value: &str) -> String {
    serde_json::Value::from(value).to_string()
}
