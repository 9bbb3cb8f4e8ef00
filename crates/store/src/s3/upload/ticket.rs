//! What another run needs to go on with an upload.

use reqwest::header::HeaderValue;
use serde::{Deserialize, Serialize};

use crate::{Terms, Ticket};

/// Raised when an older program could not go on with what is written.
const VERSION: u32 = 1;

/// Longest upload id that is believed. Amazon's have about 130 characters.
const MAX_ID: usize = 4096;

/// Largest part that is believed: ten thousand of them are 10 TiB.
const MAX_PART: usize = 1 << 30;

/// A multipart upload at the server, as it was begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Begun {
    version: u32,
    pub(super) upload_id: String,
    /// Bytes of every part but the last.
    pub(super) part_size: usize,
    /// Tells the object from others of its name once it is there.
    mark: String,
    /// Whether the server was told that every part comes with its SHA-256.
    pub(super) checked: bool,
    replaces: bool,
    at_most: Option<u64>,
}

impl Begun {
    pub(super) fn new(
        upload_id: String,
        part_size: usize,
        mark: &HeaderValue,
        checked: bool,
        terms: Terms,
    ) -> Self {
        Self {
            version: VERSION,
            upload_id,
            part_size,
            mark: mark.to_str().unwrap_or_default().to_owned(),
            checked,
            replaces: terms.replaces,
            at_most: terms.at_most,
        }
    }

    /// Reads a ticket; none where it is not one of ours, or makes no sense.
    pub(super) fn read(ticket: &Ticket) -> Option<Self> {
        let begun: Self = serde_json::from_str(&ticket.0).ok()?;
        let makes_sense = begun.version == VERSION
            && (1..=MAX_ID).contains(&begun.upload_id.len())
            && (1..=MAX_PART).contains(&begun.part_size)
            && begun.mark().is_some();
        makes_sense.then_some(begun)
    }

    /// The same as text.
    pub(super) fn ticket(&self) -> Ticket {
        Ticket(serde_json::to_string(self).expect("text and numbers are JSON"))
    }

    pub(super) fn mark(&self) -> Option<HeaderValue> {
        HeaderValue::from_str(&self.mark)
            .ok()
            .filter(|mark| !mark.is_empty())
    }

    pub(super) fn terms(&self) -> Terms {
        Terms {
            at_most: self.at_most,
            replaces: self.replaces,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun() -> Begun {
        Begun::new(
            "2~a+b/c==".into(),
            8 << 20,
            &HeaderValue::from_static("00ff-1"),
            true,
            Terms::new_of(1 << 40),
        )
    }

    #[test]
    fn a_ticket_comes_back_as_it_was() {
        let ticket = begun().ticket();
        assert_eq!(
            ticket.0,
            r#"{"version":1,"upload_id":"2~a+b/c==","part_size":8388608,"mark":"00ff-1","checked":true,"replaces":false,"at_most":1099511627776}"#
        );
        let read = Begun::read(&ticket).unwrap();
        assert_eq!(read, begun());
        assert_eq!(read.terms(), Terms::new_of(1 << 40));
    }

    #[test]
    fn what_is_no_ticket_of_ours_is_none() {
        let good = begun().ticket().0;
        for (from, to) in [
            ("\"version\":1", "\"version\":2"),
            ("2~a+b/c==", ""),
            ("8388608", "0"),
            ("8388608", "18446744073709551615"),
            ("00ff-1", ""),
            ("00ff-1", "\\n"),
            ("{", ""),
        ] {
            let bad = good.replacen(from, to, 1);
            assert_ne!(bad, good);
            assert_eq!(Begun::read(&Ticket(bad.clone())), None, "{bad}");
        }
        assert_eq!(Begun::read(&Ticket(String::new())), None);
    }
}
