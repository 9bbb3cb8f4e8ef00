//! A pair of keys.

use std::fmt;

use zeroize::Zeroizing;

/// An access key with its secret. The memory is wiped when dropped, and `Debug` shows no value.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    access_key: Zeroizing<String>,
    secret_key: Zeroizing<String>,
    session_token: Option<Zeroizing<String>>,
}

impl Credentials {
    /// A pair of keys, unchecked.
    pub fn new(access_key: impl Into<String>, secret_key: impl Into<String>) -> Self {
        Self {
            access_key: Zeroizing::new(access_key.into()),
            secret_key: Zeroizing::new(secret_key.into()),
            session_token: None,
        }
    }

    /// Adds the token of temporary keys.
    #[must_use]
    pub fn with_session_token(mut self, token: impl Into<String>) -> Self {
        self.session_token = Some(Zeroizing::new(token.into()));
        self
    }

    pub(in crate::s3) fn access_key(&self) -> &str {
        &self.access_key
    }

    pub(in crate::s3) fn secret_key(&self) -> &str {
        &self.secret_key
    }

    /// What a request carries as `x-amz-security-token`.
    pub(in crate::s3) fn session_token(&self) -> Option<&str> {
        self.session_token.as_deref().map(String::as_str)
    }

    /// What cannot be a key, and under which name, in the operator's words.
    pub(in crate::s3) fn faults(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        [
            ("access_key", Some(self.access_key())),
            ("secret_key", Some(self.secret_key())),
            ("session_token", self.session_token()),
        ]
        .into_iter()
        .filter_map(|(key, value)| Some((key, wrong(value?)?)))
    }

    /// The keys, unless one of them cannot be one; then which, and why.
    pub(super) fn judged(self) -> Result<Self, String> {
        let fault = self.faults().next();
        match fault {
            None => Ok(self),
            Some((key, why)) => Err(format!("{key} {why}")),
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(redacted)")
    }
}

fn wrong(value: &str) -> Option<&'static str> {
    if value.is_empty() {
        Some("is empty: both access_key and secret_key are needed")
    } else if value.contains(char::is_whitespace) {
        Some("holds white space: copy it again without")
    } else if value.contains(|c: char| c.is_control() || !c.is_ascii()) {
        Some("holds characters that no key has: copy it again")
    } else {
        None
    }
}
