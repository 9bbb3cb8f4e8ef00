//! What settings are made from: flags, environment and files, handed in so that tests own them.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::options::Id;

/// Everything that settings are made from.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    /// The command line.
    pub flags: &'a Flags,
    /// The environment.
    pub environment: &'a Environment,
    /// The files.
    pub files: &'a dyn Files,
}

/// What stands on the command line, as text. Prints names only, as values may be secret.
#[derive(Clone, Default)]
pub struct Flags(BTreeMap<Id, String>);

impl Flags {
    /// Notes a flag. A switch without a value is `true`.
    pub fn set(&mut self, id: Id, text: impl Into<String>) {
        self.0.insert(id, text.into());
    }

    pub(super) fn get(&self, id: Id) -> Option<&str> {
        self.0.get(&id).map(String::as_str)
    }
}

impl<T: Into<String>> FromIterator<(Id, T)> for Flags {
    fn from_iter<I: IntoIterator<Item = (Id, T)>>(flags: I) -> Self {
        Self(
            flags
                .into_iter()
                .map(|(id, text)| (id, text.into()))
                .collect(),
        )
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// The environment. Prints names only, as values may be secret.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// That of this process. Bytes that are no UTF-8 are replaced, so that they are at least seen.
    pub fn of_process() -> Self {
        let lossy = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        Self(
            std::env::vars_os()
                .map(|(name, value)| (lossy(name), lossy(value)))
                .collect(),
        )
    }

    /// A variable that is set and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// All that is set.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        let owned = |(name, value): (N, V)| (name.into(), value.into());
        Self(variables.into_iter().map(owned).collect())
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// The files that settings may name.
pub trait Files {
    /// The bytes of a file, but no more than `at_most` of them.
    fn read(&self, path: &Path, at_most: u64) -> io::Result<Vec<u8>>;

    /// Whether there is a file that can be opened.
    fn is_there(&self, path: &Path) -> bool;
}

/// The files of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path, at_most: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(path)?.take(at_most).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn is_there(&self, path: &Path) -> bool {
        File::open(path).is_ok()
    }
}
