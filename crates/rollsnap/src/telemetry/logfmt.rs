//! Lines as logrus writes them, for people's eyes, greps and parsers of ten years.
//!
//! ```text
//! time="2018-05-04T18:40:16Z" level=info msg="Created backup" name="2018-05-04T18:40:16Z_etcd" runtime=108.332814ms
//! ```
//!
//! A value stands bare when it is made of certain characters only, the empty one included; any
//! other is quoted as Go's `%q` does (sirupsen/logrus `text_formatter.go`, `needsQuoting`):
//!
//! | | logrus 0.10 | logrus 1.x |
//! |---|---|---|
//! | stand bare | `A-Za-z0-9-.` | `/`, `@`, `^`, `+`, `_` too |
//! | a duration with `µ` | bare, for it is no text to Go | quoted |
//! | before the end of the line | a space | nothing |

use std::fmt::Write as _;

use super::line::{Line, Value};

/// Which logrus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// 0.10, of the old program's releases up to v0.1.61.
    V010,
    /// 1.x, of those since.
    V1,
}

impl Dialect {
    fn is_bare(self, value: &str) -> bool {
        let more = match self {
            Self::V010 => "-.",
            Self::V1 => "-._/@^+",
        };
        let is_bare = |c: char| c.is_ascii_alphanumeric() || more.contains(c);
        value.chars().all(is_bare) || (self == Self::V010 && is_micros(value))
    }
}

/// Whether this is how Go prints some microseconds.
fn is_micros(value: &str) -> bool {
    let number = value.strip_suffix("\u{b5}s").unwrap_or_default();
    number.starts_with(|c: char| c.is_ascii_digit()) && number.parse::<f64>().is_ok()
}

/// The text of a line.
pub(super) fn render(line: &Line, dialect: Dialect) -> String {
    let Line {
        time,
        level,
        message,
        fields,
    } = line;
    let mut text = format!("time=\"{time}\" level={level} msg=");
    push(&mut text, message, dialect);
    for (key, value) in fields {
        text.push(' ');
        text.push_str(key);
        text.push('=');
        match value {
            Value::Text(value) => push(&mut text, value, dialect),
            Value::Bare(value) => text.push_str(value),
        }
    }
    if dialect == Dialect::V010 {
        text.push(' ');
    }
    text
}

/// Appends a value, quoted if it needs it.
fn push(line: &mut String, value: &str, dialect: Dialect) {
    if dialect.is_bare(value) {
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
    use super::*;

    fn quoted(value: &str, dialect: Dialect) -> String {
        let mut line = String::new();
        push(&mut line, value, dialect);
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
            assert_eq!(quoted(value, Dialect::V1), shown);
        }
    }
    #[test]
    fn the_older_logrus_leaves_less_bare_and_durations_always() {
        for (value, shown) in [
            ("108.332814ms", "108.332814ms"),
            ("", ""),
            ("680.971µs", "680.971µs"),
            ("1µs", "1µs"),
            ("µs", "\"µs\""),
            ("infµs", "\"infµs\""),
            ("my-snap.1", "my-snap.1"),
            ("my_snap", "\"my_snap\""),
            ("/backup", "\"/backup\""),
        ] {
            assert_eq!(quoted(value, Dialect::V010), shown);
        }
    }

    #[test]
    fn the_older_logrus_ends_a_line_with_a_space() {
        let line = Line {
            time: "2018-05-04T18:40:16Z".to_owned(),
            level: "info",
            message: "Created backup".to_owned(),
            fields: vec![("runtime", Value::Text("1.5s".to_owned()))],
        };
        let bare = r#"time="2018-05-04T18:40:16Z" level=info msg="Created backup" runtime=1.5s"#;
        assert_eq!(render(&line, Dialect::V1), bare);
        assert_eq!(render(&line, Dialect::V010), format!("{bare} "));
    }
}
