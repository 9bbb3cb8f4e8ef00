//! The name of an object: one path component that every store keeps as it is.

use std::fmt;
use std::str::FromStr;

/// Longest name in bytes. File systems stop at 255; the rest is room for what a spool appends.
/// (A snapshot's own name is at most 200 bytes, so that its manifest's name fits.)
pub const MAX_LEN: usize = 220;

/// A name that is one path component in a directory and one key segment in a bucket.
///
/// At most [`MAX_LEN`] bytes of UTF-8 with no `/`, no `\`, no control characters, no white space
/// at either end, and no leading dot (dot names belong to the store itself).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName(String);

/// Why a text is no name. Prints the text escaped, shortened when it is long.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("name {name:?} {why}")]
pub struct NameError {
    name: String,
    why: Why,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    Empty,
    Long(usize),
    Slash,
    Dot,
    Control,
    Space,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "is empty: give at least one character"),
            Self::Long(len) => write!(f, "has {len} bytes: give one of at most {MAX_LEN}"),
            Self::Slash => write!(f, "holds a slash: give a name, not a path"),
            Self::Dot => write!(f, "begins with a dot: such names are reserved"),
            Self::Control => write!(
                f,
                "holds a control character or one that does not show: leave it out"
            ),
            Self::Space => write!(f, "begins or ends with white space: leave that out"),
        }
    }
}

impl ObjectName {
    /// Checks a text.
    pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
        let name = text.into();
        let why = if name.is_empty() {
            Why::Empty
        } else if name.len() > MAX_LEN {
            Why::Long(name.len())
        } else if name.contains(['/', '\\']) {
            Why::Slash
        } else if name.starts_with('.') {
            Why::Dot
        } else if name.contains(|c: char| c.is_control() || is_format(c)) {
            Why::Control
        } else if name.trim() != name {
            Why::Space
        } else {
            return Ok(Self(name));
        };
        Err(NameError {
            name: name.chars().take(40).collect(),
            why,
        })
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Characters that show nothing or turn the line around: they make one name look like another.
fn is_format(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ObjectName {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_rke_and_people_write() {
        for name in [
            "2018-05-04T18:40:16Z_etcd",
            "my snapshot.zip",
            "héllo",
            &"x".repeat(220),
        ] {
            assert_eq!(ObjectName::new(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn refuses_what_is_no_single_component_and_says_why() {
        let long = "x".repeat(221);
        for (name, why) in [
            ("", "is empty: give"),
            ("a/b", "slash: give"),
            ("a\\b", "slash: give"),
            ("..", "dot"),
            (".hidden", "dot"),
            ("a\nb", "does not show: leave it out"),
            ("a\u{202e}b", "does not show: leave it out"),
            (" a", "white space: leave that out"),
            (long.as_str(), "221 bytes: give one of at most 220"),
        ] {
            let error = ObjectName::new(name).unwrap_err().to_string();
            assert!(error.contains(why), "{name:?}: {error}");
        }
    }
}
