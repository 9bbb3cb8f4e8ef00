//! Values that are one of a few words.

use crate::Wrong;

use super::value::shortened;

/// How deep a snapshot is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verify {
    /// The digest that etcd sends with it.
    Digest,
    /// Every page, key and revision too.
    #[default]
    Deep,
}

impl Verify {
    /// The words for it, in the order of the variants.
    pub const WORDS: [&'static str; 2] = ["digest", "deep"];

    /// Reads one of [`WORDS`](Self::WORDS).
    pub fn parse(word: &str) -> Result<Self, Wrong> {
        chosen(word, Self::WORDS, [Self::Digest, Self::Deep])
    }
}

/// Where the old program's rolling snapshots go by their age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PruneForeign {
    /// Nowhere.
    #[default]
    Never,
    /// In the directory.
    Local,
    /// In the directory and the bucket.
    Everywhere,
}

impl PruneForeign {
    /// The words for it, in the order of the variants.
    pub const WORDS: [&'static str; 3] = ["never", "local", "everywhere"];

    /// Reads one of [`WORDS`](Self::WORDS).
    pub fn parse(word: &str) -> Result<Self, Wrong> {
        chosen(
            word,
            Self::WORDS,
            [Self::Never, Self::Local, Self::Everywhere],
        )
    }
}

/// How a snapshot is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// As etcd sent it.
    #[default]
    None,
    /// As a Zstandard frame.
    Zstd,
    /// As a zip, as RKE's sidecar does.
    Zip,
}

impl Compression {
    /// The words for it, in the order of the variants.
    pub const WORDS: [&'static str; 3] = ["none", "zstd", "zip"];

    /// Reads one of [`WORDS`](Self::WORDS).
    pub fn parse(word: &str) -> Result<Self, Wrong> {
        chosen(word, Self::WORDS, [Self::None, Self::Zstd, Self::Zip])
    }

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        Self::WORDS[self as usize]
    }
}

/// Where the bucket's name goes in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Addressing {
    /// As the server is known to want it.
    #[default]
    Auto,
    /// Into the path.
    Path,
    /// Into the host's name.
    Virtual,
}

impl Addressing {
    /// The words for it, in the order of the variants.
    pub const WORDS: [&'static str; 3] = ["auto", "path", "virtual"];

    /// Reads one of [`WORDS`](Self::WORDS).
    pub fn parse(word: &str) -> Result<Self, Wrong> {
        chosen(word, Self::WORDS, [Self::Auto, Self::Path, Self::Virtual])
    }

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        Self::WORDS[self as usize]
    }
}

/// Who encrypts an object in the bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sse {
    /// The server, with keys of its own.
    S3,
    /// The server, with a key of a key service.
    Kms,
    /// The server, with a key that comes with each request.
    Customer,
}

impl Sse {
    /// The words for it, in the order of the variants.
    pub const WORDS: [&'static str; 3] = ["s3", "kms", "customer"];

    /// Reads one of [`WORDS`](Self::WORDS).
    pub fn parse(word: &str) -> Result<Self, Wrong> {
        chosen(word, Self::WORDS, [Self::S3, Self::Kms, Self::Customer])
    }

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        Self::WORDS[self as usize]
    }
}

/// Who may delete a locked object before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockMode {
    /// Whoever has the right to.
    Governance,
    /// Nobody.
    Compliance,
}

impl LockMode {
    /// The words for it, in the order of the variants.
    pub const WORDS: [&'static str; 2] = ["governance", "compliance"];

    /// Reads one of [`WORDS`](Self::WORDS).
    pub fn parse(word: &str) -> Result<Self, Wrong> {
        chosen(word, Self::WORDS, [Self::Governance, Self::Compliance])
    }

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        Self::WORDS[self as usize]
    }
}

/// The value that stands where `word` stands among `words`.
fn chosen<T, const N: usize>(word: &str, words: [&str; N], values: [T; N]) -> Result<T, Wrong> {
    let found = words.iter().zip(values).find(|(right, _)| **right == word);
    found.map(|(_, value)| value).ok_or_else(|| {
        let [first @ .., last] = &words[..] else {
            unreachable!("there are words to choose from")
        };
        Wrong::new(
            format!("is {:?}", shortened(word)),
            format!("write {} or {last}", first.join(", ")),
        )
    })
}
