//! What can go wrong with a store, and what it means for whoever asked.

use std::error::Error;
use std::fmt::Display;
use std::io;

use crate::{Location, NameError, ObjectName};

type Cause = Box<dyn Error + Send + Sync>;

/// What an error means, whichever store it came from. Decides whether to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// No such object.
    NotFound,
    /// The name is taken by another object.
    AlreadyExists,
    /// The store refuses: rights, keys, signature, read-only file system.
    Denied,
    /// The object is under an object lock or a legal hold: nobody may delete it before its time.
    Locked,
    /// No room left.
    Full,
    /// What was asked or configured cannot be right: bucket missing, wrong region, bad CA.
    Config,
    /// The far side did not answer rightly this time. Worth another try.
    Unavailable,
    /// Bytes are not what they should be.
    Corrupt,
}

impl ErrorKind {
    /// Whether the same call may succeed a little later with nobody's help.
    pub fn is_transient(self) -> bool {
        matches!(self, Self::Unavailable)
    }
}

/// One failed call: `write /dir/name: no space left on device`.
#[derive(Debug, thiserror::Error)]
#[error("{verb} {object}: {message}")]
pub struct StoreError {
    kind: ErrorKind,
    verb: &'static str,
    object: String,
    message: String,
    hint: Option<String>,
    #[source]
    cause: Option<Cause>,
}

impl StoreError {
    /// An error of `verb` on the object called `name` in `location`.
    pub fn new(
        kind: ErrorKind,
        verb: &'static str,
        location: &Location,
        name: &ObjectName,
        message: impl Into<String>,
    ) -> Self {
        Self::at(kind, verb, format!("{location}/{name}"), message)
    }

    /// An error of `verb` on a place that is no object: a directory, a bucket, a folder.
    pub fn at(
        kind: ErrorKind,
        verb: &'static str,
        object: impl Display,
        message: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            verb,
            object: object.to_string(),
            message: message.into(),
            hint: None,
            cause: None,
        }
    }

    /// An error of the operating system, its kind read from its code.
    pub fn io(verb: &'static str, object: impl Display, cause: io::Error) -> Self {
        let error = Self::at(kind_of_io(&cause), verb, object, io_message(&cause));
        let error = match hint_of_io(&cause) {
            Some(hint) => error.with_hint(hint),
            None => error,
        };
        error.caused_by(cause)
    }

    /// Keeps what lies below.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<Cause>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// Adds what the operator may do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What it means.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What the operator may do about it.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl From<NameError> for StoreError {
    fn from(cause: NameError) -> Self {
        Self::at(ErrorKind::Config, "name", "object", cause.to_string())
    }
}

fn kind_of_io(error: &io::Error) -> ErrorKind {
    match error.kind() {
        io::ErrorKind::NotFound => ErrorKind::NotFound,
        io::ErrorKind::AlreadyExists => ErrorKind::AlreadyExists,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::Denied,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            ErrorKind::Full
        }
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData => ErrorKind::Corrupt,
        io::ErrorKind::NotADirectory | io::ErrorKind::InvalidFilename => ErrorKind::Config,
        _ => ErrorKind::Unavailable,
    }
}

/// Only where the cure is the same whatever was tried.
fn hint_of_io(error: &io::Error) -> Option<&'static str> {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            Some("give the user that runs this program the right to it, or run it as its owner")
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            Some("mount the file system for writing, or use another directory")
        }
        _ => None,
    }
}

/// The system's words without Rust's `(os error 28)`, first letter lowered.
pub(crate) fn io_message(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_lowercase().chain(letters).collect(),
        None => String::from("unknown error"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_forbids_is_told_with_a_cure() {
        for (kind, words, cure) in [
            (io::ErrorKind::PermissionDenied, "permission denied", "user"),
            (
                io::ErrorKind::ReadOnlyFilesystem,
                "read-only filesystem or storage medium",
                "mount",
            ),
        ] {
            let error = StoreError::io("list", "/dir", kind.into());
            assert_eq!(error.kind(), ErrorKind::Denied);
            assert_eq!(error.to_string(), format!("list /dir: {words}"));
            assert!(error.hint().is_some_and(|hint| hint.contains(cure)));
        }
    }
}
