//! From what people call a resource to the resource.

use crate::resources::{Builtin, builtins};

/// What a word names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Named<'a> {
    Builtin(&'static Builtin),
    Custom { plural: &'a str, group: &'a str },
}

/// A word that names no resource.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no resource is called {word:?}")]
pub struct UnknownResource {
    /// What was said, cut to what a name may be long.
    pub word: String,
    /// The resource that was perhaps meant.
    pub nearest: Option<&'static str>,
}

impl UnknownResource {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self.nearest {
            Some(nearest) => format!("did you mean {nearest}?"),
            None => "a custom resource is written PLURAL.GROUP: widgets.example.com".to_owned(),
        }
    }
}

/// The resource that `word` names: `po`, `deployments.apps`, `deploy.v1.apps`,
/// `widgets.example.com`.
pub(crate) fn resource_of(word: &str) -> Result<Named<'_>, UnknownResource> {
    let Some((head, group)) = word.split_once('.') else {
        let found = builtins().iter().find(|it| it.is_called(word));
        return found.map(Named::Builtin).ok_or_else(|| unknown(word));
    };
    for group in [Some(group), after_version(group)].into_iter().flatten() {
        let serves = |it: &Builtin| it.groups.iter().any(|own| group.eq_ignore_ascii_case(own));
        let here = builtins()
            .iter()
            .find(|it| serves(it) && it.is_called(head));
        if let Some(builtin) = here {
            return Ok(Named::Builtin(builtin));
        }
    }
    let group = after_version(group).unwrap_or(group);
    let custom = !head.is_empty() && group.contains('.') && !word.contains('/');
    if custom && !builtins().iter().any(|it| it.groups.contains(&group)) {
        let plural = head;
        return Ok(Named::Custom { plural, group });
    }
    Err(unknown(head))
}

/// What follows a version: `apps` of `v1.apps`.
fn after_version(group: &str) -> Option<&str> {
    let (version, group) = group.split_once('.')?;
    let digits = version.strip_prefix('v')?;
    digits
        .starts_with(|c: char| c.is_ascii_digit())
        .then_some(group)
}

fn unknown(word: &str) -> UnknownResource {
    const LONGEST: usize = 64;
    let word: String = word.chars().take(LONGEST).collect();
    let nearest = nearest(&word);
    UnknownResource { word, nearest }
}

/// The plural of the resource whose name is nearest to `word`, if it is near enough to be a slip
/// of the hand: one edit for every three letters, three at most.
fn nearest(word: &str) -> Option<&'static str> {
    let word = word.to_lowercase();
    let allowed = (word.chars().count() / 3).min(3);
    let edits = |it: &Builtin| {
        let names = [it.plural.to_owned(), it.kind.to_lowercase()];
        let edits = names.iter().map(|name| strsim::osa_distance(&word, name));
        edits.min().unwrap_or(usize::MAX)
    };
    builtins()
        .iter()
        .map(|it| (edits(it), it.plural))
        .filter(|(edits, _)| *edits <= allowed)
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, plural)| plural)
}
