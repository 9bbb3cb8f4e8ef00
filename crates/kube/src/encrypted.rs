//! Values that an API server encrypts before it stores them.

use std::fmt;

/// Who encrypted a value, and with which key: all that can be known without the key.
///
/// Displayed as `aescbc v1, key "key1"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encrypted {
    /// `aescbc`, `aesgcm`, `secretbox`, `kms`, or whatever a server of another day writes.
    pub provider: String,
    /// The version of what follows: `v1`, `v2`.
    pub version: String,
    /// The name of the key, of the plugin for `kms`. `None` if the value is too damaged to tell.
    pub key: Option<String>,
}

impl Encrypted {
    /// Reads the head `k8s:enc:PROVIDER:VERSION:KEY:`; `None` if the value is not encrypted.
    ///
    /// Source: Kubernetes `apiserver/pkg/server/options/encryptionconfig/config.go`, the
    /// `…TransformerPrefix…` constants.
    pub(crate) fn of(value: &[u8]) -> Option<Self> {
        let mut rest = value.strip_prefix(b"k8s:enc:")?;
        let mut word = || {
            let word = word_at(rest)?;
            rest = &rest[word.len() + 1..];
            Some(word.to_owned())
        };
        Some(Self {
            provider: word().unwrap_or_default(),
            version: word().unwrap_or_default(),
            key: word(),
        })
    }
}

/// The printable text up to the next colon, if it is near.
fn word_at(bytes: &[u8]) -> Option<&str> {
    const LONGEST: usize = 253;
    let end = bytes
        .iter()
        .take(LONGEST + 1)
        .position(|byte| *byte == b':')?;
    let word = std::str::from_utf8(&bytes[..end]).ok()?;
    (!word.is_empty() && !word.chars().any(char::is_control)).then_some(word)
}

impl fmt::Display for Encrypted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let provider = match &*self.provider {
            "" => "an unknown provider",
            named => named,
        };
        f.write_str(provider)?;
        if !self.version.is_empty() {
            write!(f, " {}", self.version)?;
        }
        match &self.key {
            Some(key) => write!(f, ", key {key:?}"),
            None => f.write_str(", key unknown"),
        }
    }
}
