//! Everything that is wrong with what was said, at once.

use std::error::Error;
use std::fmt;

use rollsnap_rke::Wrong;

/// One fault: `--interval-hours: is 0; write 1 to 8760 hours`. Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where it was said: `--dir`, `environment ROLLSNAP_DIR`, `cluster.yml:4: dir`.
    pub place: String,
    /// What is wrong, and what would be right.
    pub wrong: Wrong,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.wrong)
    }
}

impl From<rollsnap_rke::Fault> for Fault {
    fn from(fault: rollsnap_rke::Fault) -> Self {
        let mut place = fault.file;
        if let Some(line) = fault.line {
            place = format!("{place}:{line}");
        }
        if !fault.key_path.is_empty() {
            place = format!("{place}: {}", fault.key_path);
        }
        Self {
            place,
            wrong: fault.wrong,
        }
    }
}

/// Every fault of flags, environment and file, one a line. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    pub(crate) faults: Vec<Fault>,
}

impl ConfigError {
    /// What is right, unless something is wrong.
    pub(crate) fn unless_none<T>(faults: Vec<Fault>, right: T) -> Result<T, Self> {
        if faults.is_empty() {
            Ok(right)
        } else {
            Err(Self { faults })
        }
    }

    /// The faults: the file's first in the order of its lines, then the others.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.faults.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            fault.fmt(f)?;
        }
        Ok(())
    }
}

impl Error for ConfigError {}
