//! What is wrong in a file, where, and what would be right.

use std::error::Error;
use std::fmt;

/// What is wrong with one value, and what would be right. Knows nothing of the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// What is wrong: `is 0`.
    pub what: String,
    /// What would be right: `write 1 to 8760 hours`. Empty when there is nothing to say.
    pub cure: String,
}

impl Wrong {
    /// Says what is wrong and what would be right.
    pub fn new(what: impl Into<String>, cure: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            cure: cure.into(),
        }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if self.cure.is_empty() {
            return Ok(());
        }
        write!(f, "; {}", self.cure)
    }
}

/// One fault: `cluster.yml:7: services.etcd.backup_config.interval_hours: is 0; write …`.
///
/// Never holds the value of a key that keeps a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The file's name as it was given.
    pub file: String,
    /// The line, counted from 1. None when the fault is in the file as a whole.
    pub line: Option<u32>,
    /// The keys from the top of the file, joined by dots. Empty for the file as a whole.
    pub key_path: String,
    /// What is wrong, and what would be right.
    pub wrong: Wrong,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if !self.key_path.is_empty() {
            write!(f, ": {}", self.key_path)?;
        }
        write!(f, ": {}", self.wrong)
    }
}

/// Most faults that are told one by one.
const MOST: usize = 100;

/// Every fault of one file in the order of its lines, though no more than a hundred: the last one
/// then tells how many are left out. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// Faults in any order; an empty list is no error at all.
    pub(crate) fn from_list(mut faults: Vec<Fault>) -> Result<(), Self> {
        let Some(file) = faults.first().map(|fault| fault.file.clone()) else {
            return Ok(());
        };
        faults.sort_by_key(|fault| fault.line);
        let more = faults.len().saturating_sub(MOST);
        if more > 0 {
            faults.truncate(MOST);
            faults.push(Fault {
                file,
                line: None,
                key_path: String::new(),
                wrong: Wrong::new(format!("has {more} faults more"), ""),
            });
        }
        Err(Self(faults))
    }

    /// One fault of the file as a whole.
    pub(crate) fn whole(file: &str, line: Option<u32>, wrong: Wrong) -> Self {
        Self(vec![Fault {
            file: file.to_owned(),
            line,
            key_path: String::new(),
            wrong,
        }])
    }

    /// The faults in the order of their lines.
    pub fn as_slice(&self) -> &[Fault] {
        &self.0
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            fault.fmt(f)?;
        }
        Ok(())
    }
}

impl Error for Faults {}

impl IntoIterator for Faults {
    type Item = Fault;
    type IntoIter = std::vec::IntoIter<Fault>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
