//! JSON with two spaces, as Go's `json.Indent` writes it: the old program's form of the state.

use serde::de::IgnoredAny;
use zeroize::Zeroizing;

/// Writes JSON anew with other white space and nothing else changed: keys keep their order, and
/// numbers and texts their letters. No newline at the end. `None` where it is no JSON.
pub(super) fn indent(json: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    serde_json::from_slice::<IgnoredAny>(json).ok()?;
    // Room for all of it at once, for what a growing buffer leaves behind is not wiped.
    let mut counted = Count::default();
    write(json, &mut counted);
    let mut out = Zeroizing::new(Vec::with_capacity(counted.0));
    write(json, &mut *out);
    Some(out)
}

trait Sink {
    fn put(&mut self, byte: u8);
}

#[derive(Default)]
struct Count(usize);

impl Sink for Count {
    fn put(&mut self, _: u8) {
        self.0 += 1;
    }
}

impl Sink for Vec<u8> {
    fn put(&mut self, byte: u8) {
        self.push(byte);
    }
}

/// `json` is valid, so that its marks are all there is to look at.
fn write(json: &[u8], out: &mut impl Sink) {
    let (mut depth, mut in_text, mut escaped, mut is_fresh) = (0, false, false, false);
    for &byte in json {
        if in_text {
            out.put(byte);
            in_text = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            continue;
        }
        if byte.is_ascii_whitespace() {
            continue;
        }
        let closes = matches!(byte, b'}' | b']');
        if is_fresh && !closes {
            depth += 1;
            new_line(depth, out);
        } else if closes && !is_fresh {
            depth -= 1;
            new_line(depth, out);
        }
        out.put(byte);
        // An empty list stays on its line.
        is_fresh = matches!(byte, b'{' | b'[');
        in_text = byte == b'"';
        match byte {
            b',' => new_line(depth, out),
            b':' => out.put(b' '),
            _ => {}
        }
    }
}

fn new_line(depth: usize, out: &mut impl Sink) {
    out.put(b'\n');
    for _ in 0..depth {
        out.put(b' ');
        out.put(b' ');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn indented(json: &str) -> Option<String> {
        indent(json.as_bytes()).map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[test]
    fn only_white_space_changes() {
        let json =
            r#" {"z":{"a\"{,":[1.50,2e7,12345678901234567890123]},"a" : [ ] ,"e":{},"b":null} "#;
        let want = "{\n  \"z\": {\n    \"a\\\"{,\": [\n      1.50,\n      2e7,\n      \
                    12345678901234567890123\n    ]\n  },\n  \"a\": [],\n  \"e\": {},\n  \"b\": null\n}";
        assert_eq!(indented(json).as_deref(), Some(want));
        assert_eq!(indented(r#""\\""#).as_deref(), Some(r#""\\""#));
        for broken in ["", "{", "{} {}", "state"] {
            assert_eq!(indented(broken), None, "{broken}");
        }
    }

    proptest! {
        #[test]
        fn it_is_the_pretty_form_of_any_value(
            keys in proptest::collection::btree_map(".{0,8}", proptest::collection::vec(".{0,8}", 0..3), 0..4)
        ) {
            let value = serde_json::to_value(keys).unwrap();
            let plain = value.to_string();
            let pretty = serde_json::to_string_pretty(&value).unwrap();
            let ours = indented(&plain).unwrap();
            prop_assert_eq!(&ours, &pretty);
            prop_assert_eq!(indented(&pretty).unwrap(), pretty);
            prop_assert_eq!(serde_json::from_str::<Value>(&ours).unwrap(), value);
        }
    }
}
