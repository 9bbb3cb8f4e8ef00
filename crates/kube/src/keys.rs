//! Where in etcd an object lies, and what lies at a key.

use crate::resources::{Builtin, builtins};
use crate::words::{Named, UnknownResource, resource_of};

/// The keys below one server's prefix.
///
/// The prefix is the API server's `--etcd-prefix`: `/registry` unless somebody changed it. k3s,
/// RKE and kubeadm do not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    prefix: String,
}

/// What a key names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey<'a> {
    /// The group of the resource; empty for the core group.
    pub group: &'a str,
    /// The plural: `pods`, also where the key says something older (`minions` is `nodes`).
    pub resource: &'a str,
    /// The namespace, unless the resource has none.
    pub namespace: Option<&'a str>,
    /// The object's name.
    pub name: &'a str,
}

/// Whether objects of a resource lie in namespaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// They do: `pods`.
    Namespaced,
    /// They do not: `nodes`.
    Cluster,
    /// A custom resource: only its definition, itself an object in etcd, knows.
    Unknown,
}

/// Objects that somebody asked for: the keys to read, and a test for those found there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// The group of the resource; empty for the core group.
    pub group: String,
    /// The plural.
    pub resource: String,
    /// Whether it has namespaces.
    pub scope: Scope,
    /// Every object asked for lies at or below this.
    pub prefix: Vec<u8>,
    /// Whether `prefix` is the one key asked for, to be read alone.
    pub exact: bool,
    namespace: Option<String>,
    name: Option<String>,
}

impl Keys {
    /// Keys below `prefix`; slashes at its ends do not matter, as they do not to Kubernetes.
    pub fn new(prefix: &str) -> Self {
        let prefix = prefix.trim_matches('/');
        let prefix = match prefix {
            "" => String::new(),
            inner => format!("/{inner}"),
        };
        Self { prefix }
    }

    /// What lies at `key`, or `None` if that is not the key of an object: outside the prefix, not
    /// text, or too short or too long.
    ///
    /// A first segment that no built-in resource has is read as Kubernetes builds such keys: with
    /// a dot it is the group of a custom resource, without one a resource that this crate does
    /// not know, whose group is then unknown too and left empty.
    pub fn parse<'a>(&self, key: &'a [u8]) -> Option<ObjectKey<'a>> {
        let key = std::str::from_utf8(key).ok()?;
        let below = key.strip_prefix(&*self.prefix)?.strip_prefix('/')?;
        if let Some((builtin, rest)) = builtin_at(below) {
            let (namespace, name) = if builtin.namespaced {
                let (namespace, name) = rest.split_once('/')?;
                (Some(namespace), name)
            } else {
                (None, rest)
            };
            return ObjectKey::checked(builtin.group(), builtin.plural, namespace, name);
        }
        let (first, rest) = below.split_once('/')?;
        let (group, resource, rest) = if first.contains('.') {
            let (resource, rest) = rest.split_once('/')?;
            (first, resource, rest)
        } else {
            ("", first, rest)
        };
        match rest.split_once('/') {
            Some((namespace, name)) => ObjectKey::checked(group, resource, Some(namespace), name),
            None => ObjectKey::checked(group, resource, None, rest),
        }
    }

    /// The keys of what somebody asked for in `kubectl`'s words.
    ///
    /// `words` is a resource (plural, singular, short name, kind; `.group` and `.version.group`
    /// may follow) or `RESOURCE/NAME`; a custom resource is `PLURAL.GROUP`. `name` given beside
    /// `RESOURCE/NAME` is the one that counts. A namespace is ignored where a resource has none.
    /// Without a namespace, objects of all namespaces are meant: nothing defaults to `default`.
    pub fn select(
        &self,
        words: &str,
        namespace: Option<&str>,
        name: Option<&str>,
    ) -> Result<Selection, UnknownResource> {
        let (word, own_name) = match words.split_once('/') {
            Some((word, name)) => (word, Some(name)),
            None => (words, None),
        };
        let name = name.or(own_name).filter(|it| !it.is_empty());
        let named = resource_of(word)?;
        let (group, resource, path, scope) = match named {
            Named::Builtin(it) if it.namespaced => {
                (it.group(), it.plural, it.path.to_owned(), Scope::Namespaced)
            }
            Named::Builtin(it) => (it.group(), it.plural, it.path.to_owned(), Scope::Cluster),
            Named::Custom { plural, group } => {
                (group, plural, format!("{group}/{plural}"), Scope::Unknown)
            }
        };
        let namespace = namespace.filter(|it| scope != Scope::Cluster && !it.is_empty());
        let mut prefix = format!("{}/{path}/", self.prefix);
        if let Some(namespace) = namespace {
            prefix.push_str(namespace);
            prefix.push('/');
        }
        let whole = namespace.is_some() || scope == Scope::Cluster;
        if let Some(name) = name.filter(|_| whole) {
            prefix.push_str(name);
        }
        Ok(Selection {
            group: group.to_owned(),
            resource: resource.to_owned(),
            scope,
            prefix: prefix.into_bytes(),
            exact: whole && name.is_some(),
            namespace: namespace.map(str::to_owned),
            name: name.map(str::to_owned),
        })
    }
}

impl Default for Keys {
    /// Keys below `/registry`.
    fn default() -> Self {
        Self::new("/registry")
    }
}

impl<'a> ObjectKey<'a> {
    fn checked(
        group: &'a str,
        resource: &'a str,
        namespace: Option<&'a str>,
        name: &'a str,
    ) -> Option<Self> {
        let whole = |segment: &str| !segment.is_empty() && !segment.contains('/');
        let said = [Some(resource), namespace, Some(name)];
        said.into_iter().flatten().all(whole).then_some(Self {
            group,
            resource,
            namespace,
            name,
        })
    }
}

impl Selection {
    /// Whether what lies at `key` was asked for.
    pub fn matches(&self, key: &ObjectKey<'_>) -> bool {
        let named = self.name.as_deref().is_none_or(|it| it == key.name);
        let spaced = self.namespace.is_none() || self.namespace.as_deref() == key.namespace;
        named && spaced && key.group == self.group && key.resource == self.resource
    }
}

/// The built-in resource at the head of a key below the prefix, and the rest of the key.
fn builtin_at(below: &str) -> Option<(&'static Builtin, &str)> {
    builtins().iter().find_map(|builtin| {
        let rest = below.strip_prefix(builtin.path)?.strip_prefix('/')?;
        Some((builtin, rest))
    })
}
