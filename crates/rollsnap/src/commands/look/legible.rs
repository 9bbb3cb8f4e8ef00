//! Bytes for people's eyes: whatever they are, a terminal shows them and obeys none of them.

/// One line: text as it is, the rest escaped, so that two keys never look alike.
pub(super) fn line(bytes: &[u8]) -> String {
    escaped(bytes, &[])
}

/// Text of several lines: as [`line()`], but tabs and the ends of lines stay.
pub(super) fn lines(bytes: &[u8]) -> String {
    escaped(bytes, &['\n', '\t'])
}

fn escaped(bytes: &[u8], kept: &[char]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' | '\'' => text.push(c),
                c if kept.contains(&c) => text.push(c),
                // What Unicode does not print, and the backslash.
                c => text.extend(c.escape_debug()),
            }
        }
        text.push_str(&chunk.invalid().escape_ascii().to_string());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_escaped_and_the_rest_is_not() {
        assert_eq!(line(b"/registry/pods/a\"b'"), "/registry/pods/a\"b'");
        assert_eq!(line("schlüssel".as_bytes()), "schlüssel");
        assert_eq!(line(b"\x1b[2J\x01\xff\\"), r"\u{1b}[2J\u{1}\xff\\");
        assert_eq!(line("a\u{202e}b".as_bytes()), r"a\u{202e}b");
        assert_eq!(line(b"a\nb"), r"a\nb");
        assert_eq!(lines(b"a\n\tb\r"), "a\n\tb\\r");
    }
}
