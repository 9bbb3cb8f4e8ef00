//! What is wrong in a snapshot, and where.

use std::fmt;

use crate::mvcc::Change;

/// One fault: everything that is known of its place, and what it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Finding {
    /// The page it was found on.
    pub page: Option<u64>,
    /// The bucket, where the fault lies in one.
    pub bucket: Option<Vec<u8>>,
    /// The key in that bucket, as the database has it.
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

    /// Tells the bucket too.
    #[must_use]
    pub fn in_bucket(mut self, bucket: &[u8]) -> Self {
        self.bucket = Some(bucket.to_vec());
        self
    }

    /// Tells the key too.
    #[must_use]
    pub fn at_key(mut self, key: &[u8]) -> Self {
        self.key = Some(key.to_vec());
        self
    }
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
            // The keys of the bucket of records are revisions: people know them by numbers.
            let text = match Change::parse(key) {
                Some(change) if self.bucket.as_deref() == Some(b"key") => change.to_string(),
                _ => format!("\"{}\"", key.escape_ascii()),
            };
            places.push(format!("key {text}"));
        }
        if !places.is_empty() {
            write!(f, "{}: ", places.join(", "))?;
        }
        f.write_str(&self.what)
    }
}
