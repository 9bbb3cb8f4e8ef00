//! What is wrong in a snapshot, and where.

use std::fmt;

use crate::mvcc::{Change, KEY_BUCKET};

/// One fault: everything that is known of its place, and what it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Finding {
    /// The page it was found on.
    pub page: Option<u64>,
    /// The bucket, where the fault lies in one.
    pub bucket: Option<Vec<u8>>,
    /// The key in that bucket, as the database has it, where it has no more than a kilobyte.
    pub key: Option<Vec<u8>>,
    /// The fault.
    pub what: String,
}

impl Finding {
    /// A fault of the whole file.
    pub fn of_file(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            ..Self::default()
        }
    }

    /// A fault of a page.
    pub fn of_page(page: u64, what: impl Into<String>) -> Self {
        Self {
            page: Some(page),
            ..Self::of_file(what)
        }
    }

    /// Tells the bucket too: at most the first kilobyte of its name.
    #[must_use]
    pub fn in_bucket(mut self, bucket: &[u8]) -> Self {
        self.bucket = Some(first(bucket));
        self
    }

    /// Tells the key too: at most its first kilobyte.
    #[must_use]
    pub fn at_key(mut self, key: &[u8]) -> Self {
        self.key = Some(first(key));
        self
    }

    /// The key as people write it: `12_0` for a record, else its bytes, escaped where they are no
    /// text.
    pub fn key_text(&self) -> Option<String> {
        let key = self.key.as_ref()?;
        let change = self.change(key).map(|change| change.to_string());
        Some(change.unwrap_or_else(|| key.escape_ascii().to_string()))
    }

    /// What a key of the bucket of records says: people know revisions by numbers.
    fn change(&self, key: &[u8]) -> Option<Change> {
        let is_record = self.bucket.as_deref() == Some(KEY_BUCKET);
        Change::parse(key).filter(|_| is_record)
    }
}

/// etcd's own keys have 18 bytes. What a broken page calls a key may be as long as the page.
fn first(bytes: &[u8]) -> Vec<u8> {
    const LONGEST: usize = 1024;
    bytes.iter().take(LONGEST).copied().collect()
}

/// `page 17, bucket "key", key 12_0: is out of order`; bytes that are no text are escaped.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut places = Vec::new();
        if let Some(page) = self.page {
            places.push(format!("page {page}"));
        }
        if let Some(bucket) = &self.bucket {
            places.push(format!("bucket \"{}\"", bucket.escape_ascii()));
        }
        if let Some(key) = &self.key {
            match self.change(key) {
                Some(change) => places.push(format!("key {change}")),
                None => places.push(format!("key \"{}\"", key.escape_ascii())),
            }
        }
        if !places.is_empty() {
            write!(f, "{}: ", places.join(", "))?;
        }
        f.write_str(&self.what)
    }
}
