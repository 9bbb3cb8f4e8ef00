//! How one text is written.

use std::fmt::Write as _;

/// Whether a text is a key: those stay on one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Key,
    Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Plain,
    Single,
    Double,
    Literal,
}

/// Past this column a line is broken at the next single space.
const WIDTH: usize = 80;

/// Writes `text`, whose parent stands at `indent`, without the line feed after it.
pub(super) fn write(out: &mut String, text: &str, indent: usize, role: Role) {
    match style(text, role) {
        Style::Plain => flow(out, text, indent, role, None),
        Style::Single => flow(out, text, indent, role, Some('\'')),
        Style::Double => flow(out, text, indent, role, Some('"')),
        Style::Literal => literal(out, text, indent),
    }
}

fn style(text: &str, role: Role) -> Style {
    if text.chars().any(|c| !is_plain_char(c)) {
        return Style::Double;
    }
    if text.contains('\n') {
        let at_end = text.contains(" \n") || text.ends_with(' ');
        return match role {
            Role::Value if !at_end => Style::Literal,
            _ => Style::Double,
        };
    }
    if means_something_else(text) {
        Style::Double
    } else if text.starts_with(' ') || text.ends_with(' ') || has_indicator(text) {
        Style::Single
    } else {
        Style::Plain
    }
}

/// What may stand unescaped. Line breaks of other alphabets may, but are read as line feeds.
fn is_plain_char(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{a0}'..='\u{fffd}')
        && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')
}

/// Whether YAML would see its own syntax in the text.
fn has_indicator(text: &str) -> bool {
    if text.starts_with("---") || text.starts_with("...") {
        return true;
    }
    let alone = |rest: &str| rest.is_empty() || rest.starts_with(' ');
    let mut chars = text.chars();
    let first = match chars.next() {
        Some('?' | ':' | '-') => alone(chars.as_str()),
        Some(c) => "#,[]{}&*!|>'\"%@`".contains(c),
        None => false,
    };
    first || text.contains(": ") || text.ends_with(':') || text.contains(" #")
}

/// Whether a reader would take the unquoted text for a number, a date, a truth value or nothing.
fn means_something_else(text: &str) -> bool {
    const WORDS: [&str; 14] = [
        "y", "yes", "n", "no", "on", "off", "true", "false", "null", "~", "", ".nan", ".inf",
        "+.inf",
    ];
    let word = text.to_ascii_lowercase();
    WORDS.contains(&&*word)
        || word == "-.inf"
        || is_number(text)
        || is_base_60(text)
        || is_date(text)
}

fn is_number(text: &str) -> bool {
    let all = |digits: &str, test: fn(&char) -> bool| {
        !digits.is_empty() && digits.chars().all(|c| test(&c))
    };
    let plain = text.replace('_', "");
    let unsigned = plain.strip_prefix(['+', '-']).unwrap_or(&plain);
    if !text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) {
        return false;
    }
    let lower = unsigned.to_ascii_lowercase();
    let based = [
        ("0x", char::is_ascii_hexdigit as fn(&char) -> bool),
        ("0o", |c| ('0'..='7').contains(c)),
        ("0b", |c| ('0'..='1').contains(c)),
    ];
    for (prefix, test) in based {
        if lower
            .strip_prefix(prefix)
            .is_some_and(|digits| all(digits, test))
        {
            return true;
        }
    }
    let (mantissa, exponent) = match lower.split_once('e') {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (&*lower, None),
    };
    let exponent = exponent.is_none_or(|it| {
        all(
            it.strip_prefix(['+', '-']).unwrap_or(it),
            char::is_ascii_digit,
        )
    });
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    exponent && all(&format!("{whole}{fraction}"), char::is_ascii_digit)
}

/// `190:20:30`, a number of YAML 1.1.
fn is_base_60(text: &str) -> bool {
    let mut parts = text.strip_prefix(['+', '-']).unwrap_or(text).split(':');
    let digits = |it: &str| {
        it.chars()
            .all(|c| c.is_ascii_digit() || c == '_' || c == '.')
    };
    let first = parts.next().unwrap_or_default();
    let mut rest = parts.peekable();
    first.starts_with(|c: char| c.is_ascii_digit())
        && digits(first)
        && rest.peek().is_some()
        && rest.all(|it| it.starts_with(|c: char| c.is_ascii_digit()) && digits(it))
}

/// `2006-1-2`, alone or with a time after it.
fn is_date(text: &str) -> bool {
    let date_end = text.find(['T', 't', ' ']).unwrap_or(text.len());
    let mut parts = text[..date_end].split('-');
    let mut digits = |lengths: std::ops::RangeInclusive<usize>| {
        let part = parts.next().unwrap_or_default();
        lengths.contains(&part.len()) && part.chars().all(|c| c.is_ascii_digit())
    };
    digits(4..=4) && digits(1..=2) && digits(1..=2) && parts.next().is_none()
}

/// Writes the text on one line, or on several, broken at spaces past [`WIDTH`].
fn flow(out: &mut String, text: &str, indent: usize, role: Role, quote: Option<char>) {
    let line_start = out.rfind('\n').map_or(0, |at| at + 1);
    let mut column = out[line_start..].chars().count();
    let escaped = quote == Some('"');
    out.extend(quote);
    column += usize::from(quote.is_some());
    let mut before = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let next = chars.peek().copied();
        let inside = before.is_some_and(|it| it != ' ') && next.is_some();
        before = Some(c);
        let breaks = c == ' ' && inside && column > WIDTH && role == Role::Value;
        if breaks && (escaped || next != Some(' ')) {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent + 2));
            column = indent + 2;
            if next == Some(' ') {
                out.push('\\');
                column += 1;
            }
            continue;
        }
        let length = out.len();
        match quote {
            Some('"') => escape(out, c),
            Some('\'') if c == '\'' => out.push_str("''"),
            _ => out.push(c),
        }
        column += out[length..].chars().count();
    }
    out.extend(quote);
}

/// One character between double quotes.
fn escape(out: &mut String, c: char) {
    match c {
        '"' | '\\' => out.extend(['\\', c]),
        '\0' => out.push_str("\\0"),
        '\x07' => out.push_str("\\a"),
        '\x08' => out.push_str("\\b"),
        '\t' => out.push_str("\\t"),
        '\n' => out.push_str("\\n"),
        '\x0b' => out.push_str("\\v"),
        '\x0c' => out.push_str("\\f"),
        '\r' => out.push_str("\\r"),
        '\x1b' => out.push_str("\\e"),
        '\u{85}' => out.push_str("\\N"),
        '\u{2028}' => out.push_str("\\L"),
        '\u{2029}' => out.push_str("\\P"),
        c if is_plain_char(c) => out.push(c),
        c => {
            let code = u32::from(c);
            let (letter, digits) = match code {
                0..=0xff => ('x', 2),
                0x100..=0xffff => ('u', 4),
                _ => ('U', 8),
            };
            // A String takes whatever is written to it.
            let _ = write!(out, "\\{letter}{code:0digits$X}");
        }
    }
}

/// Writes the text line by line below the one that announces it.
fn literal(out: &mut String, text: &str, indent: usize) {
    out.push('|');
    if text.starts_with([' ', '\n']) {
        out.push('2');
    }
    match text.strip_suffix('\n') {
        None => out.push('-'),
        Some(body) if body.is_empty() || body.ends_with('\n') => out.push('+'),
        Some(_) => {}
    }
    for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
        out.push('\n');
        if !line.is_empty() {
            out.extend(std::iter::repeat_n(' ', indent + 2));
            out.push_str(line);
        }
    }
}
