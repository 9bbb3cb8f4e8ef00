//! A SHA-256, printed as lower-case hex.

use std::fmt;
use std::str::FromStr;

/// Bytes of a SHA-256.
pub(crate) const DIGEST_LEN: usize = 32;

/// A SHA-256. Always called digest here; `hash` is etcd's own CRC.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; DIGEST_LEN]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// The text is not 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a digest is 64 hexadecimal digits")]
pub struct DigestTextError;

impl FromStr for Digest {
    type Err = DigestTextError;

    fn from_str(text: &str) -> Result<Self, DigestTextError> {
        let mut bytes = [0; DIGEST_LEN];
        let digits = text.as_bytes();
        if digits.len() != bytes.len().saturating_mul(2) {
            return Err(DigestTextError);
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| DigestTextError)?;
            if pair.starts_with('+') {
                return Err(DigestTextError);
            }
            *byte = u8::from_str_radix(pair, 16).map_err(|_| DigestTextError)?;
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn text_and_bytes_are_one(bytes: [u8; 32]) {
            prop_assert_eq!(Digest(bytes).to_string().parse(), Ok(Digest(bytes)));
        }

        #[test]
        fn other_texts_are_refused(text in "\\PC{0,70}") {
            prop_assume!(text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()));
            prop_assert_eq!(text.parse::<Digest>(), Err(DigestTextError));
        }
    }
}
