//! What can go wrong on a line of TLS, before it and at its end.

use std::error::Error;
use std::fmt::Display;
use std::io;

use rollsnap_engine::Kind;

type Cause = Box<dyn Error + Send + Sync>;

/// One failed call: `dial 10.0.0.1:2379: connection refused`. Never holds a secret.
#[derive(Debug, thiserror::Error)]
#[error("{verb} {object}: {message}")]
pub struct LineError {
    kind: Kind,
    verb: &'static str,
    object: String,
    message: String,
    hint: Option<&'static str>,
    #[source]
    cause: Option<Cause>,
}

impl LineError {
    /// An error of `verb` on `object`.
    pub(crate) fn new(
        kind: Kind,
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

    /// An error of a file or a socket.
    pub(crate) fn io(verb: &'static str, object: impl Display, cause: io::Error) -> Self {
        let kind = match cause.kind() {
            io::ErrorKind::PermissionDenied => Kind::Denied,
            io::ErrorKind::NotFound | io::ErrorKind::AddrInUse => Kind::Config,
            _ => Kind::Source,
        };
        let text = cause.to_string();
        let text = text.split(" (os error").next().unwrap_or_default();
        Self::new(kind, verb, object, text.to_lowercase()).caused_by(cause)
    }

    /// Keeps what lies below.
    #[must_use]
    pub(crate) fn caused_by(mut self, cause: impl Into<Cause>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// Adds what the operator may do about it.
    #[must_use]
    pub(crate) fn with_hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }

    /// What it means.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What the operator may do about it.
    pub fn hint(&self) -> Option<&str> {
        self.hint
    }
}
