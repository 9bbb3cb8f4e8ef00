//! From words on the command line to the keys that are meant.

use rollsnap_engine::Kind;
use rollsnap_engine::look::{LookError, ReadAt};
use rollsnap_kube::{Keys, Scope, Selection};

use super::definitions::definitions;
use crate::cli::look::What;
use crate::report::Failure;

/// The keys that are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) keys: Keys,
    pub(super) choice: Choice,
}

/// Which of all keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Choice {
    /// All, or those of a namespace.
    All { namespace: Option<String> },
    /// Those that begin so.
    Raw(Vec<u8>),
    /// Objects of a resource; `name` where one is meant.
    Objects {
        selection: Selection,
        name: Option<String>,
    },
}

impl Wanted {
    /// Reads the words. A word that no built-in resource has is looked for among the custom
    /// resources that the snapshot knows, which takes two passes over it.
    pub(super) fn read(
        what: &What,
        file: &dyn ReadAt,
        at: Option<u64>,
    ) -> Result<Result<Self, Failure>, LookError> {
        let keys = Keys::new(&what.etcd_prefix);
        let usage = |message: &str| Failure::new(Kind::Usage, message);
        let choice = match &what.words {
            None => Choice::All {
                namespace: what.namespace.clone(),
            },
            Some(words) if what.raw || words.starts_with('/') => {
                if what.name.is_some() || what.namespace.is_some() {
                    let failure = usage("a raw key has neither a name nor a namespace beside it")
                        .with_hint("say pods -n NAMESPACE NAME, or the whole key");
                    return Ok(Err(failure));
                }
                Choice::Raw(words.clone().into_bytes())
            }
            Some(words) => match objects(&keys, what, words, file, at)? {
                Ok(choice) => choice,
                Err(failure) => return Ok(Err(failure)),
            },
        };
        Ok(Ok(Self { keys, choice }))
    }

    /// Every wanted key begins so.
    pub(super) fn prefix(&self) -> &[u8] {
        match &self.choice {
            Choice::All { .. } => &[],
            Choice::Raw(prefix) => prefix,
            Choice::Objects { selection, .. } => &selection.prefix,
        }
    }

    /// Whether a key is wanted.
    pub(super) fn has(&self, key: &[u8]) -> bool {
        match &self.choice {
            Choice::All { namespace: None } => true,
            Choice::All { namespace } => {
                let object = self.keys.parse(key);
                object.is_some_and(|it| it.namespace == namespace.as_deref())
            }
            Choice::Raw(prefix) => key.starts_with(prefix),
            Choice::Objects { selection, .. } => {
                let object = self.keys.parse(key);
                object.is_some_and(|it| selection.matches(&it))
            }
        }
    }
}

fn objects(
    keys: &Keys,
    what: &What,
    words: &str,
    file: &dyn ReadAt,
    at: Option<u64>,
) -> Result<Result<Choice, Failure>, LookError> {
    let (word, own_name) = match words.split_once('/') {
        Some((word, name)) => (word, Some(name)),
        None => (words, None),
    };
    let name = what
        .name
        .as_deref()
        .or(own_name)
        .filter(|it| !it.is_empty());
    let namespace = what.namespace.as_deref();
    let choice = |selection| Choice::Objects {
        selection,
        name: name.map(str::to_owned),
    };
    let plain = keys.select(word, namespace, name);
    if let Ok(selection) = &plain
        && selection.scope != Scope::Unknown
    {
        return Ok(Ok(choice(selection.clone())));
    }
    let mut called = definitions(file, at, keys)?;
    called.retain(|definition| definition.is_called(word));
    if let [one, another, ..] = &called[..] {
        let message = format!("{word} may be {} or {}", one.full, another.full);
        return Ok(Err(
            Failure::new(Kind::Usage, message).with_hint("say which")
        ));
    }
    let selected = match called.pop() {
        Some(it) => keys.select(&it.full, namespace.filter(|_| it.is_namespaced), name),
        None => plain,
    };
    Ok(selected.map(choice).map_err(|unknown| {
        Failure::new(Kind::Usage, unknown.to_string()).with_hint(unknown.hint())
    }))
}
