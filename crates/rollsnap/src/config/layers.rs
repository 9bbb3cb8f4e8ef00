//! The three layers, asked option by option; what is wrong in them is collected on the way.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rollsnap_rke::cluster_yml::{self, ClusterYml, Located};
use rollsnap_rke::{Secret, Wrong};

use super::inputs::Inputs;
use super::options::Id;
use super::{Fault, Origin, Sourced};

/// Longest secret that is read from a file, in bytes.
const MAX_SECRET: u64 = 64 << 10;

/// Reads the text of a flag or a variable.
pub(super) type Parse<T> = fn(&str) -> Result<T, Wrong>;

pub(super) struct Layers<'a> {
    pub(super) inputs: Inputs<'a>,
    file: Arc<str>,
    faults: Vec<Fault>,
    /// The options of which somebody said something wrong.
    misread: BTreeSet<Id>,
    /// Whether the config file is named and could not be read whole, so that its silence about an
    /// option means nothing.
    file_is_lost: bool,
}

impl<'a> Layers<'a> {
    pub(super) fn new(inputs: Inputs<'a>) -> Self {
        Self {
            inputs,
            file: Arc::from(""),
            faults: Vec::new(),
            misread: BTreeSet::new(),
            file_is_lost: false,
        }
    }

    /// Reads the config file, if one is named, and what it says.
    pub(super) fn open_file(&mut self) -> (Option<Sourced<PathBuf>>, ClusterYml) {
        let Some(path) = self.pick(Id::Config, path, None) else {
            self.file_is_lost = !self.knows(&[Id::Config]);
            return (None, ClusterYml::default());
        };
        self.file = path.value.display().to_string().into();
        let at_most = cluster_yml::MAX_BYTES as u64 + 1;
        let said = match self.inputs.files.read(&path.value, at_most) {
            Err(error) => {
                let what = format!("{} cannot be read: {}", self.file, io_words(&error));
                self.fault(&path.origin, Wrong::new(what, "name a file that can be"));
                self.file_is_lost = true;
                ClusterYml::default()
            }
            Ok(bytes) => {
                let (said, faults) = cluster_yml::read(&self.file, &bytes);
                self.file_is_lost = faults.is_some();
                let faults = faults.into_iter().flatten().map(Fault::from);
                self.faults.extend(faults);
                said
            }
        };
        (Some(path), said)
    }

    /// The value of an option: from its flag, else its variables, else the file.
    pub(super) fn pick<T>(
        &mut self,
        id: Id,
        parse: Parse<T>,
        file: Option<Located<T>>,
    ) -> Option<Sourced<T>> {
        if self.inputs.flags.get(id).is_some() {
            return self.flag(id, parse);
        }
        let environment = self.environment(id, parse);
        environment.or_else(|| file.map(|located| self.located(located)))
    }

    /// What the command line says.
    pub(super) fn flag<T>(&mut self, id: Id, parse: Parse<T>) -> Option<Sourced<T>> {
        let text = self.inputs.flags.get(id)?;
        self.parsed(id, text, Origin::Flag(id.spec().name), parse)
    }

    /// What the environment says.
    pub(super) fn environment<T>(&mut self, id: Id, parse: Parse<T>) -> Option<Sourced<T>> {
        let environment = self.inputs.environment;
        let mut names = id.spec().env.iter();
        let (name, text) = names.find_map(|name| Some((*name, environment.get(name)?)))?;
        self.parsed(id, text, Origin::Environment(name), parse)
    }

    /// What the file says.
    pub(super) fn located<T>(&self, located: Located<T>) -> Sourced<T> {
        Sourced {
            value: located.value,
            origin: Origin::File {
                file: Arc::clone(&self.file),
                line: located.line,
                key_path: located.key_path,
            },
        }
    }

    fn parsed<T>(
        &mut self,
        id: Id,
        text: &str,
        origin: Origin,
        parse: Parse<T>,
    ) -> Option<Sourced<T>> {
        match parse(text) {
            Ok(value) => Some(Sourced { value, origin }),
            Err(wrong) => {
                self.fault_of(id, &origin, wrong);
                None
            }
        }
    }

    /// The secret `id` in a file that holds nothing else. White space around it is not part of it.
    pub(super) fn secret_in(&mut self, id: Id, path: Sourced<PathBuf>) -> Option<Sourced<Secret>> {
        let shown = path.value.display();
        let wrong = match self.inputs.files.read(&path.value, MAX_SECRET) {
            Err(error) => format!("{shown} cannot be read: {}", io_words(&error)),
            Ok(bytes) => match std::str::from_utf8(&bytes).map(str::trim) {
                Ok("") => format!("{shown} is empty"),
                Ok(text) => {
                    return Some(Sourced {
                        value: Secret::new(text),
                        origin: path.origin,
                    });
                }
                Err(_) => format!("{shown} is no text"),
            },
        };
        let cure = format!("name a file that holds nothing but the {}", called(id));
        self.fault_of(id, &path.origin, Wrong::new(wrong, cure));
        None
    }

    /// A value of an option that cannot be, for which nothing is put in its place.
    pub(super) fn fault_of(&mut self, id: Id, origin: &Origin, wrong: Wrong) {
        self.misread.insert(id);
        self.fault(origin, wrong);
    }

    pub(super) fn fault(&mut self, origin: &Origin, wrong: Wrong) {
        let place = origin.place();
        self.faults.push(Fault { place, wrong });
    }

    /// Whether it is certain what was said of these options, or that nothing was: only then can
    /// one be missed, or two be compared with each other.
    pub(super) fn knows(&self, options: &[Id]) -> bool {
        !self.file_is_lost && self.read_rightly(options)
    }

    /// Whether none of these options was said wrongly by a flag or in the environment.
    pub(super) fn read_rightly(&self, options: &[Id]) -> bool {
        !options.iter().any(|id| self.misread.contains(id))
    }

    /// The faults so far; they are not told again.
    pub(super) fn take_faults(&mut self) -> Vec<Fault> {
        std::mem::take(&mut self.faults)
    }
}

/// A text that is not empty.
pub(super) fn text(text: &str) -> Result<String, Wrong> {
    if text.trim().is_empty() {
        return Err(Wrong::new("is empty", "give a value, or leave it out"));
    }
    Ok(text.to_owned())
}

/// A text that may be empty to say "none", as in RKE's `region: ""`.
#[expect(clippy::unnecessary_wraps, reason = "one of several parsers")]
pub(super) fn text_or_none(text: &str) -> Result<String, Wrong> {
    Ok(text.to_owned())
}

pub(super) fn path(path: &str) -> Result<PathBuf, Wrong> {
    text(path).map(PathBuf::from)
}

pub(super) fn secret(secret: &str) -> Result<Secret, Wrong> {
    text(secret).map(Secret::new)
}

/// `true` or `false`, in the words that Go's flags take too.
pub(super) fn switch(text: &str) -> Result<bool, Wrong> {
    match text {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        other => Err(Wrong::new(
            format!("is {:?}", shortened(other)),
            "write true or false",
        )),
    }
}

/// What a secret is called that can be given in a file.
pub(super) fn called(id: Id) -> &'static str {
    match id {
        Id::PingUrl => "address",
        _ => "key",
    }
}

pub(super) fn located_path(located: Option<Located<String>>) -> Option<Located<PathBuf>> {
    let Located {
        value,
        line,
        key_path,
    } = located?;
    Some(Located {
        value: Path::new(&value).to_owned(),
        line,
        key_path,
    })
}

pub(super) fn shortened(text: &str) -> String {
    text.chars().take(40).collect()
}

/// The system's words without Rust's `(os error 2)`, first letter lowered.
pub(super) fn io_words(error: &std::io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_lowercase().chain(letters).collect())
        .unwrap_or_default()
}
