//! Lines as logrus 1.x writes them, for people's eyes, greps and parsers of ten years.
//!
//! ```text
//! time="2018-05-04T18:40:16Z" level=info msg="Created backup" name="2018-05-04T18:40:16Z_etcd" runtime=108.332814ms
//! ```
//!
//! A value stands bare when it is made of `A-Za-z0-9-._/@^+` only, the empty one included; any
//! other is quoted as Go's `%q` does (sirupsen/logrus `text_formatter.go`, `needsQuoting`).

use std::fmt::{self, Write as _};
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
pub(super) struct Logfmt {
    pub(super) clock: Arc<dyn Clock>,
}

impl<S, N> FormatEvent<S, N> for Logfmt
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
        let mut line = format!("time=\"{time}\" level={level} msg=");
        push(&mut line, &fields.message);
        for field in &fields.rest {
            line.push(' ');
            line.push_str(field.key);
            line.push('=');
            match &field.value {
                Value::Text(text) => push(&mut line, text),
                Value::Bare(text) => line.push_str(text),
            }
        }
        writeln!(writer, "{line}")
    }
}

/// Appends a value, quoted if it needs it.
fn push(line: &mut String, value: &str) {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._/@^+".contains(c);
    if value.chars().all(is_plain) {
        line.push_str(value);
        return;
    }
    line.push('"');
    for c in value.chars() {
        match c {
            '"' => line.push_str("\\\""),
            '\\' => line.push_str("\\\\"),
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\t' => line.push_str("\\t"),
            '\u{7}' => line.push_str("\\a"),
            '\u{8}' => line.push_str("\\b"),
            '\u{b}' => line.push_str("\\v"),
            '\u{c}' => line.push_str("\\f"),
            c if (c as u32) < 0x20 || c == '\u{7f}' => {
                write!(line, "\\x{:02x}", c as u32).expect("a string takes everything");
            }
            c if is_unprintable(c) => {
                write!(line, "\\u{:04x}", c as u32).expect("a string takes everything");
            }
            c => line.push(c),
        }
    }
    line.push('"');
}

/// Characters beyond ASCII that a terminal would act on instead of showing.
fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::push;

    fn quoted(value: &str) -> String {
        let mut line = String::new();
        push(&mut line, value);
        line
    }

    #[test]
    fn values_are_quoted_as_logrus_quotes_them() {
        for (value, shown) in [
            ("1m0s", "1m0s"),
            ("108.332814ms", "108.332814ms"),
            ("", ""),
            ("a/b_c@d^e+f-g.h", "a/b_c@d^e+f-g.h"),
            ("680.971µs", "\"680.971µs\""),
            ("2018-05-04T18:40:16Z_etcd", "\"2018-05-04T18:40:16Z_etcd\""),
            ("a b", "\"a b\""),
            ("say \"hi\"\n", "\"say \\\"hi\\\"\\n\""),
            ("back\\slash", "\"back\\\\slash\""),
            ("\u{1b}[31m", "\"\\x1b[31m\""),
            ("a\u{202e}b", "\"a\\u202eb\""),
            ("zweiundvierzig Grüße", "\"zweiundvierzig Grüße\""),
        ] {
            assert_eq!(quoted(value), shown);
        }
    }
}
