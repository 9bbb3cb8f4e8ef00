//! From bytes to text: what a file must be before anybody asks whether it is YAML.

use crate::Wrong;

/// Largest file that is read, in bytes. A `cluster.yml` with manifests inside has some hundred
/// thousand.
pub const MAX_BYTES: usize = 4 << 20;

/// A fault of the whole file and the line it was noticed on.
pub(crate) type FileWrong = (Option<u32>, Wrong);

/// The text in `bytes`: UTF-8 with or without a byte order mark, [`MAX_BYTES`] at most.
pub(crate) fn decode(bytes: &[u8]) -> Result<&str, FileWrong> {
    if bytes.len() > MAX_BYTES {
        return Err((
            None,
            Wrong::new(
                format!("has more than {MAX_BYTES} bytes"),
                "is this the right file?",
            ),
        ));
    }
    if is_utf16(bytes) {
        return Err((None, Wrong::new("is written in UTF-16", "save it as UTF-8")));
    }
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        let line = before.split(|byte| *byte == b'\n').count();
        (
            u32::try_from(line).ok(),
            Wrong::new("is not UTF-8 text", "save it as UTF-8"),
        )
    })
}

/// By its mark, or by the zero that UTF-16 has beside every Latin letter.
fn is_utf16(bytes: &[u8]) -> bool {
    match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => true,
        [first, second, ..] => (*first == 0) != (*second == 0),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16(text: &str, to_bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(to_bytes).collect()
    }

    #[test]
    fn utf_8_is_taken_with_or_without_a_mark() {
        assert_eq!(decode("é: 1".as_bytes()).unwrap(), "é: 1");
        assert_eq!(decode("\u{feff}a: 1".as_bytes()).unwrap(), "a: 1");
        assert_eq!(decode(b"").unwrap(), "");
    }

    #[test]
    fn utf_16_is_named_with_and_without_a_mark_in_both_orders() {
        for bytes in [
            utf16("\u{feff}services:", u16::to_le_bytes),
            utf16("\u{feff}services:", u16::to_be_bytes),
            utf16("services:", u16::to_le_bytes),
            utf16("services:", u16::to_be_bytes),
        ] {
            let (_, wrong) = decode(&bytes).unwrap_err();
            assert_eq!(wrong.to_string(), "is written in UTF-16; save it as UTF-8");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_named_with_their_line() {
        let (line, wrong) = decode(b"a: 1\nb: \xff\n").unwrap_err();
        assert_eq!(line, Some(2));
        assert_eq!(wrong.to_string(), "is not UTF-8 text; save it as UTF-8");
    }

    #[test]
    fn a_file_that_is_too_large_is_refused_by_its_size_alone() {
        assert!(decode(&vec![b' '; MAX_BYTES]).is_ok());
        let (_, wrong) = decode(&vec![0xff; MAX_BYTES + 1]).unwrap_err();
        assert_eq!(wrong.what, "has more than 4194304 bytes");
    }
}
