//! What a failed request means, and in whose words it is told.

mod line;
mod refusal;

use std::fmt;
use std::time::Duration;

use s3::error::S3Error;

pub(super) use self::line::LineFault;
pub(super) use self::refusal::Refusal;
use super::credentials::NoKeys;
use crate::{ErrorKind, StoreError};

/// Longest piece of a server's own words in a message.
const QUOTE: usize = 200;

/// One failed request.
#[derive(Debug)]
pub(super) enum Fault {
    /// No reply.
    Line(LineFault),
    /// A reply that refuses.
    Refusal(Box<Refusal>),
    /// A reply that S3 would not give.
    Nonsense(String),
    /// Not there, in the words of something that is no S3 server.
    Stranger,
    /// The request could not be made.
    Unsignable(S3Error),
    /// There are no keys to make it with.
    NoKeys(NoKeys),
}

impl From<LineFault> for Fault {
    fn from(fault: LineFault) -> Self {
        Self::Line(fault)
    }
}

impl From<S3Error> for Fault {
    fn from(fault: S3Error) -> Self {
        Self::Unsignable(fault)
    }
}

impl Fault {
    /// Whether the same request may succeed a little later.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Self::Line(line) => line.kind().is_transient(),
            Self::Refusal(refusal) => refusal.is_transient(),
            Self::Nonsense(_) => true,
            Self::NoKeys(why) => why.kind().is_transient(),
            Self::Stranger | Self::Unsignable(_) => false,
        }
    }

    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refusal(refusal) => refusal.retry_after,
            _ => None,
        }
    }

    /// Whether the server said this very code.
    pub(super) fn has_code(&self, code: &str) -> bool {
        matches!(self, Self::Refusal(refusal) if refusal.code == code)
    }

    pub(super) fn has_status(&self, status: u16) -> bool {
        matches!(self, Self::Refusal(refusal) if refusal.status == status)
    }

    /// Whether the server knows nothing of what was asked for.
    pub(super) fn is_unknown_there(&self) -> bool {
        self.has_status(501) || self.has_code("NotImplemented")
    }

    /// Whether a condition of the request does not hold.
    pub(super) fn is_failed_condition(&self) -> bool {
        self.has_status(412) || self.has_code("PreconditionFailed")
    }

    /// Whether the server has more to do than it can.
    pub(super) fn asks_for_less(&self) -> bool {
        self.has_status(429) || self.has_status(503) || self.has_code("SlowDown")
    }

    /// What it means that a listing was answered so. A bucket that is not there has its code, and
    /// a folder without objects is no fault: a bare 404 is the answer of something else.
    pub(super) fn of_a_listing(self) -> Self {
        if self.has_status(404) && self.has_code("") {
            Self::Stranger
        } else {
            self
        }
    }

    /// Tells it of `verb` on `object`. `place` is the bucket and its server, for the messages that
    /// are about them rather than about the object.
    pub(super) fn tell(
        self,
        verb: &'static str,
        object: impl fmt::Display,
        place: &Place<'_>,
    ) -> StoreError {
        match self {
            Self::Line(line) => line.tell(verb, object, place.endpoint),
            Self::Refusal(refusal) => refusal.tell(verb, object, place),
            Self::Nonsense(message) => {
                StoreError::at(ErrorKind::Unavailable, verb, object, message).with_hint(format!(
                    "see whether {} is an S3 server, and whether a proxy answers for it",
                    place.endpoint
                ))
            }
            Self::Stranger => {
                let message = format!("no S3 server answers at {}: 404", place.endpoint);
                StoreError::at(ErrorKind::Config, verb, object, message)
                    .with_hint("correct endpoint: something else answers there")
            }
            Self::Unsignable(cause) => {
                StoreError::at(ErrorKind::Config, verb, object, "sign the request").caused_by(cause)
            }
            Self::NoKeys(why) => why.tell(verb, object),
        }
    }
}

/// Where a bucket is, in words.
#[derive(Debug)]
pub(super) struct Place<'a> {
    pub(super) bucket: &'a str,
    pub(super) endpoint: &'a str,
}

/// Words of others in our style: first letter lowered unless a capital follows, no full stop, no
/// `(os error 111)`, no control characters, not too long.
fn lowered(text: &str) -> String {
    let text = text.split(" (os error").next().unwrap_or_default();
    let text = text.trim().trim_end_matches('.');
    let mut letters = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(QUOTE)
        .peekable();
    match letters.next() {
        Some(first) if !letters.peek().is_some_and(|c| c.is_uppercase()) => {
            first.to_lowercase().chain(letters).collect()
        }
        Some(first) => std::iter::once(first).chain(letters).collect(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests;
