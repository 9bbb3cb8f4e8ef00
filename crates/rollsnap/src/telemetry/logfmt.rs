//! Lines as logrus 1.x writes them, for people's eyes, greps and parsers of ten years.
//!
//! ```text
//! time="2018-05-04T18:40:16Z" level=info msg="Created backup" name="2018-05-04T18:40:16Z_etcd" runtime=108.332814ms
//! ```
//!
//! A value stands bare when it is made of `A-Za-z0-9-._/@^+` only, the empty one included; any
//! other is quoted as Go's `%q` does (sirupsen/logrus `text_formatter.go`, `needsQuoting`).

use std::fmt::Write as _;

use super::line::{Line, Value};

/// The text of a line.
pub(super) fn render(line: &Line) -> String {
    let Line {
        time,
        level,
        message,
        fields,
    } = line;
    let mut text = format!("time=\"{time}\" level={level} msg=");
    push(&mut text, message);
    for (key, value) in fields {
        text.push(' ');
        text.push_str(key);
        text.push('=');
        match value {
            Value::Text(value) => push(&mut text, value),
            Value::Bare(value) => text.push_str(value),
        }
    }
    text
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
