//! Which object it is that bytes are read of, as far as replies tell.

use std::sync::{Mutex, PoisonError};

use reqwest::header::{
    CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderMap, HeaderName, HeaderValue, LAST_MODIFIED,
};

use crate::ObjectInfo;

/// Objects whose identity is remembered. A command reads two at once at most.
const REMEMBERED: usize = 8;

/// What a reply tells of the object that its bytes are of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    etag: Option<HeaderValue>,
    modified: Option<HeaderValue>,
    /// The size of the whole.
    size: Option<u64>,
}

impl Identity {
    /// As the head of a reply to GET tells it.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let text = |name: HeaderName| headers.get(name)?.to_str().ok();
        // `bytes 0-4/10` (RFC 9110, 14.4); without it the reply is the whole.
        let size = match text(CONTENT_RANGE) {
            Some(range) => range.rsplit_once('/').map(|(_, size)| size),
            None => text(CONTENT_LENGTH),
        };
        Self {
            etag: headers.get(ETAG).cloned(),
            modified: headers.get(LAST_MODIFIED).cloned(),
            size: size.and_then(|size| size.parse().ok()),
        }
    }

    /// What a condition may name: `If-Match` holds of no weak one (RFC 9110, 13.1.1).
    pub(super) fn strong_etag(&self) -> Option<&HeaderValue> {
        let etag = self.etag.as_ref();
        etag.filter(|etag| !etag.as_bytes().starts_with(b"W/"))
    }

    pub(super) fn size(&self) -> Option<u64> {
        self.size
    }

    /// Whether another object could be told from this one. Sizes alone tell little: two snapshots
    /// of one database often have the same.
    pub(super) fn can_be_told(&self) -> bool {
        self.etag.is_some() || self.modified.is_some()
    }

    /// Whether nothing that both replies told differs.
    pub(super) fn may_be(&self, other: &Self) -> bool {
        fn differ<T: PartialEq>(this: Option<&T>, other: Option<&T>) -> bool {
            matches!((this, other), (Some(this), Some(other)) if this != other)
        }
        !differ(self.etag.as_ref(), other.etag.as_ref())
            && !differ(self.modified.as_ref(), other.modified.as_ref())
            && !differ(self.size.as_ref(), other.size.as_ref())
    }
}

/// Which object it was when the first part of it was read, for those of which parts were read
/// last.
#[derive(Debug, Default)]
pub(super) struct Seen(Mutex<Vec<(ObjectInfo, Identity)>>);

impl Seen {
    /// Whether an object as it was listed still is the one that parts were read of before. One
    /// that is not is forgotten: who lists and reads anew reads the new one.
    pub(super) fn is_same(&self, listed: &ObjectInfo, now: &Identity) -> bool {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = seen.iter().position(|(object, _)| object == listed);
        let before = place.map(|place| seen.remove(place).1);
        let is_same = before.as_ref().is_none_or(|before| before.may_be(now));
        if is_same {
            if seen.len() == REMEMBERED {
                seen.remove(0);
            }
            seen.push((listed.clone(), before.unwrap_or_else(|| now.clone())));
        }
        is_same
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ObjectName;

    fn told(headers: &[(HeaderName, &'static str)]) -> Identity {
        let pair = |(name, value): &(HeaderName, &'static str)| {
            (name.clone(), HeaderValue::from_static(value))
        };
        Identity::of(&headers.iter().map(pair).collect())
    }

    #[test]
    fn only_what_both_replies_tell_parts_two_objects() {
        let first = told(&[(ETAG, "\"a\""), (LAST_MODIFIED, "Monday")]);
        for (other, may_be) in [
            (told(&[]), true),
            (told(&[(ETAG, "\"a\"")]), true),
            (told(&[(ETAG, "\"a\""), (CONTENT_LENGTH, "7")]), true),
            (told(&[(ETAG, "\"b\"")]), false),
            (told(&[(LAST_MODIFIED, "Tuesday")]), false),
        ] {
            assert_eq!(first.may_be(&other), may_be, "{other:?}");
        }
    }

    #[test]
    fn the_size_is_that_of_the_whole_though_the_reply_holds_a_part() {
        let part = told(&[(CONTENT_RANGE, "bytes 2-4/10"), (CONTENT_LENGTH, "3")]);
        assert_eq!(part.size(), Some(10));
        assert_eq!(told(&[(CONTENT_LENGTH, "10")]).size(), Some(10));
        assert_eq!(told(&[(CONTENT_RANGE, "bytes 2-4/*")]).size(), None);
        assert!(!part.can_be_told(), "a size alone tells too little");
    }

    #[test]
    fn a_weak_etag_tells_objects_apart_and_is_no_condition() {
        let weak = told(&[(ETAG, "W/\"a\"")]);
        assert!(weak.can_be_told() && weak.strong_etag().is_none());
    }

    #[test]
    fn so_many_objects_are_remembered_and_the_oldest_is_forgotten() {
        let seen = Seen::default();
        let object = |size| ObjectInfo {
            name: ObjectName::new("x").unwrap(),
            size,
            modified: None,
        };
        let (first, other) = (told(&[(ETAG, "\"a\"")]), told(&[(ETAG, "\"b\"")]));
        for size in 0..REMEMBERED as u64 {
            assert!(seen.is_same(&object(size), &first));
        }
        assert!(!seen.is_same(&object(0), &other), "it is remembered");
        assert!(seen.is_same(&object(0), &other), "who begins anew may");
        assert!(seen.is_same(&object(100), &first));
        assert!(seen.is_same(&object(1), &other), "it was forgotten");
    }
}
