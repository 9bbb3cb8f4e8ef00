//! Which requests are struck.

use http::{HeaderName, Method};

use super::{Fault, Seen};

/// One line of the script.
#[derive(Debug, Clone)]
pub struct Rule {
    method: Option<Method>,
    path: Option<&'static str>,
    query: Option<&'static str>,
    header: Option<(HeaderName, String)>,
    passing: usize,
    striking: usize,
    fault: Fault,
}

impl Rule {
    /// Strikes the first request of this method.
    pub fn on(method: Method, fault: Fault) -> Self {
        Self {
            method: Some(method),
            ..Self::always(fault).times(1)
        }
    }

    /// Strikes every request.
    pub fn always(fault: Fault) -> Self {
        Self {
            method: None,
            path: None,
            query: None,
            header: None,
            passing: 0,
            striking: usize::MAX,
            fault,
        }
    }

    /// Only requests whose path holds this text.
    #[must_use]
    pub fn with_path(mut self, text: &'static str) -> Self {
        self.path = Some(text);
        self
    }

    /// Only requests whose query holds this text.
    #[must_use]
    pub fn with_query(mut self, text: &'static str) -> Self {
        self.query = Some(text);
        self
    }

    /// Only requests that have this header with this text in it.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, text: impl Into<String>) -> Self {
        self.header = Some((name, text.into()));
        self
    }

    /// Lets so many pass before.
    #[must_use]
    pub fn after(mut self, passing: usize) -> Self {
        self.passing = passing;
        self
    }

    /// Strikes so many in a row.
    #[must_use]
    pub fn times(mut self, striking: usize) -> Self {
        self.striking = striking;
        self
    }

    fn concerns(&self, seen: &Seen) -> bool {
        let header =
            |(name, text): &(HeaderName, String)| seen.header(name).contains(text.as_str());
        self.method
            .as_ref()
            .is_none_or(|method| *method == seen.method)
            && self.path.is_none_or(|text| seen.path.contains(text))
            && self.query.is_none_or(|text| seen.query.contains(text))
            && self.header.as_ref().is_none_or(header)
    }

    /// Counts a request if this line concerns it, and tells by what it is struck.
    pub(super) fn strikes(&mut self, seen: &Seen) -> Option<Fault> {
        if !self.concerns(seen) {
            return None;
        }
        if self.passing > 0 {
            self.passing -= 1;
            return None;
        }
        let struck = self.striking > 0;
        self.striking = self.striking.saturating_sub(1);
        struck.then(|| self.fault.clone())
    }
}
