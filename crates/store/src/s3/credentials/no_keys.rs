//! Why there are no keys to sign with.

use std::fmt;

use crate::{ErrorKind, StoreError};

/// Why there are no keys, in words without secrets, and the cure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::s3) struct NoKeys {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
}

impl NoKeys {
    /// Whoever gives keys out did not answer rightly this time.
    pub(super) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unavailable, message)
    }

    /// Whoever gives keys out refuses.
    pub(super) fn denied(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Denied, message)
    }

    /// What the operator wrote cannot be.
    pub(super) fn wrong(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Config, message)
    }

    fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hint: None,
        }
    }

    /// Adds what the operator may do about it.
    pub(super) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Takes over the cure of another where that has one.
    pub(super) fn or_hint_of(mut self, other: Self) -> Self {
        self.hint = other.hint.or(self.hint);
        self
    }

    /// Says at the beginning of the message whose keys they would have been.
    pub(super) fn of(mut self, place: &str) -> Self {
        self.message = format!("{place}: {}", self.message);
        self
    }

    pub(in crate::s3) fn kind(&self) -> ErrorKind {
        self.kind
    }

    pub(super) fn message(&self) -> &str {
        &self.message
    }

    /// Tells it of `verb` on `object`.
    pub(in crate::s3) fn tell(self, verb: &'static str, object: impl fmt::Display) -> StoreError {
        let error = StoreError::at(self.kind, verb, object, self.message);
        match self.hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }
}
