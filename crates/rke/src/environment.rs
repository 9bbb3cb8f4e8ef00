//! Keys as RKE hands them to its containers: in variables, in base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::Secret;

/// The key in `S3_ACCESS_KEY` or `S3_SECRET_KEY`: decoded where it is base64 of plain visible
/// text, as it is otherwise.
///
/// RKE has encoded both since v1.1.19, v1.2.8 and v1.3.0; before, and by hand, they are plain. The
/// old program decodes whatever decodes, and so garbles plain keys that happen to be base64 (most
/// of Amazon's are). Those decode to bytes that nobody can type, which tells them apart: 15 random
/// bytes are all visible once in three million times.
pub fn key_in_environment(text: &Secret) -> Secret {
    STANDARD
        .decode(text.reveal())
        .ok()
        .map(Zeroizing::new)
        .filter(|bytes| !bytes.is_empty() && bytes.iter().all(u8::is_ascii_graphic))
        .and_then(|bytes| Some(Secret::new(str::from_utf8(&bytes).ok()?)))
        .unwrap_or_else(|| text.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_decoded_only_where_they_must_have_been_encoded() {
        for (text, key) in [
            ("QUtJQUlPU0ZPRE5ON0VYQU1QTEU=", "AKIAIOSFODNN7EXAMPLE"),
            ("AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"),
            (
                "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            ),
            ("minioadmin", "minioadmin"),
            ("", ""),
        ] {
            assert_eq!(key_in_environment(&Secret::new(text)).reveal(), key);
        }
    }
}
