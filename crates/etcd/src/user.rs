//! The user etcd knows, and the password nobody gets to see.

use std::fmt;
use std::fs;
use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::tls::io_words;
use crate::{ErrorKind, SourceError};

/// Text that is wiped when dropped and never printed.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the text over.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text itself, for the one place that sends it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Who asks.
#[derive(Debug, Clone)]
pub struct User {
    /// The user's name in etcd.
    pub name: String,
    /// Where its password is.
    pub password: Password,
}

/// Where a password is.
#[derive(Debug, Clone)]
pub enum Password {
    /// Here.
    Given(Secret),
    /// In this file, read again for each connection. One line break at the end is not part of it.
    File(PathBuf),
}

impl Password {
    /// The password as of now.
    pub(crate) fn read(&self) -> Result<Secret, SourceError> {
        let path = match self {
            Self::Given(secret) => return Ok(secret.clone()),
            Self::File(path) => path,
        };
        let fault = |message: String| {
            SourceError::new(
                ErrorKind::Config,
                "read password file",
                path.display().to_string(),
                message,
            )
            .with_hint("give a readable file with nothing but the password with --password-file")
        };
        let text = fs::read_to_string(path)
            .map(Zeroizing::new)
            .map_err(|e| fault(io_words(&e)))?;
        let line = text.strip_suffix('\n').unwrap_or(&text);
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.is_empty() {
            return Err(fault("is empty".to_owned()));
        }
        Ok(Secret::new(line))
    }
}
