//! The verbs that look inside a snapshot: `ls`, `get`, `diff`, `du`.

use std::fmt;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use super::operand::{OPERAND, operand};
use super::{printing, verb};
use crate::config::options::Group;

/// What is looked at, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// Keys and objects.
    Ls(Ls),
    /// One value.
    Get(Get),
    /// What differs between two snapshots.
    Diff(Diff),
    /// What takes the room.
    Du(Du),
}

/// Keys, as somebody names them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct What {
    /// The words: a raw key or its beginning, a resource, `RESOURCE/NAME`. Without any, all keys.
    pub words: Option<String>,
    /// The name of an object.
    pub name: Option<String>,
    /// The namespace; without one, all of them.
    pub namespace: Option<String>,
    /// Whether the words are a raw key, also where they do not begin with `/`.
    pub raw: bool,
    /// The API server's `--etcd-prefix`.
    pub etcd_prefix: String,
}

/// As it was written, for messages.
impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words.as_deref().unwrap_or("keys"))?;
        if let Some(name) = &self.name {
            write!(f, " {name}")?;
        }
        if let Some(namespace) = &self.namespace {
            write!(f, " in namespace {namespace}")?;
        }
        Ok(())
    }
}

/// Keys and objects of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ls {
    /// The snapshot.
    pub snapshot: String,
    /// Which keys.
    pub what: What,
    /// At which revision; the last by default.
    pub at: Option<u64>,
}

/// One value of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Get {
    /// The snapshot.
    pub snapshot: String,
    /// Which key.
    pub what: What,
    /// At which revision; the last by default.
    pub at: Option<u64>,
    /// How it is printed; by default as suits the value.
    pub form: Option<Form>,
    /// Whether it is all of its versions that are asked for, and not a value.
    pub history: bool,
    /// Whether what servers put into an object is taken out.
    pub for_apply: bool,
    /// Whether a Secret's values are printed.
    pub show_secrets: bool,
}

/// How a value is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Its bytes.
    Raw,
    /// With its revisions, as JSON.
    Json,
    /// As `kubectl get -o yaml` prints an object.
    Yaml,
}

/// What differs between two snapshots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diff {
    /// The older one.
    pub a: String,
    /// The newer one.
    pub b: String,
    /// Which keys.
    pub what: What,
    /// At which revision of `a`; its last by default.
    pub at_a: Option<u64>,
    /// At which revision of `b`; its last by default.
    pub at_b: Option<u64>,
    /// Whether the differences within objects are printed too.
    pub full: bool,
    /// Whether a difference has an exit code of its own.
    pub exit_code: bool,
    /// Whether a Secret's values are printed.
    pub show_secrets: bool,
}

/// What takes the room in a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Du {
    /// The snapshot.
    pub snapshot: String,
    /// Only keys of this namespace.
    pub namespace: Option<String>,
    /// What is one row.
    pub by: By,
    /// The API server's `--etcd-prefix`.
    pub etcd_prefix: String,
}

/// What a row of [`Du`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// A resource.
    Resource,
    /// A namespace.
    Namespace,
    /// The first two segments of the key.
    Prefix,
}

/// The verbs, for the whole command line.
pub(super) fn commands() -> [Command; 4] {
    [ls(), get(), diff(), du()]
}

fn ls() -> Command {
    let about = "Lists keys or Kubernetes objects of a snapshot; without more, its resources";
    printing(reading("ls", about))
        .arg(operand())
        .args(what(
            "A raw key's beginning, such as /registry/pods/; or a resource in kubectl's words \
             (pods, deploy, widgets.example.com), or RESOURCE/NAME.",
        ))
        .arg(revision("at", "rev"))
}

fn get() -> Command {
    let about = "Prints a value of a snapshot: a Kubernetes object as YAML, others as their bytes";
    let [words, rest @ ..] = what(
        "A raw key, such as /registry/pods/default/web; or RESOURCE/NAME, or RESOURCE and NAME, \
         in kubectl's words.",
    );
    let format = Arg::new("output")
        .short('o')
        .long("output")
        .value_name("FORMAT")
        .value_parser(["raw", "json", "yaml"])
        .help(
            "raw: the value's bytes; yaml: as kubectl prints an object; json: either with its \
             revisions.",
        );
    reading("get", about)
        .arg(operand())
        .arg(words.required(true))
        .args(rest)
        .arg(revision("rev", "at"))
        .arg(format)
        .arg(
            flag(
                "history",
                "Lists every version that the snapshot still has, deletions too.",
            )
            .conflicts_with_all(["rev", "for-apply", "show-secrets"]),
        )
        .arg(flag(
            "for-apply",
            "Leaves out what servers put into an object (uid, resourceVersion, status and such), \
             so that kubectl apply takes it.",
        ))
        .arg(show_secrets())
}

fn diff() -> Command {
    let about = "Tells what was created, deleted and changed from snapshot A to snapshot B";
    printing(reading("diff", about))
        .arg(operand().value_name("A"))
        .arg(
            Arg::new("other").value_name("B").required(true).help(
                "The newer snapshot, written as A is; A again to compare two of its revisions.",
            ),
        )
        .args(what(
            "Which keys, as for ls. Of one object, and of one raw key, the difference itself is \
             printed.",
        ))
        .arg(revision("at-a", "rev-a").help("Reads A as it was at this revision."))
        .arg(revision("at-b", "rev-b").help("Reads B as it was at this revision."))
        .arg(flag(
            "full",
            "Prints the differences within all objects, as unified diffs of YAML.",
        ))
        .arg(flag(
            "exit-code",
            "Ends with exit code 1 where anything differs.",
        ))
        .arg(show_secrets())
}

fn du() -> Command {
    let about = "Tells what fills the database, and what compaction and defragmentation give back";
    printing(reading("du", about))
        .arg(operand())
        .arg(namespace())
        .arg(
            Arg::new("by")
                .long("by")
                .value_name("WHAT")
                .value_parser(["resource", "namespace", "prefix"])
                .default_value("resource")
                .help("What one row is; prefix: the first two segments of the key."),
        )
        .arg(etcd_prefix())
}

/// What a verb of [`commands`] is told to do.
pub(super) fn parse(name: &str, matches: &ArgMatches) -> Option<Look> {
    let snapshot = || text(matches, OPERAND).unwrap_or_default();
    let number = |id: &str| matches.get_one::<u64>(id).copied();
    Some(match name {
        "ls" => Look::Ls(Ls {
            snapshot: snapshot(),
            what: what_of(matches),
            at: number("at"),
        }),
        "get" => Look::Get(Get {
            snapshot: snapshot(),
            what: what_of(matches),
            at: number("rev"),
            form: match text(matches, "output").as_deref() {
                Some("raw") => Some(Form::Raw),
                Some("json") => Some(Form::Json),
                Some("yaml") => Some(Form::Yaml),
                _ => None,
            },
            history: matches.get_flag("history"),
            for_apply: matches.get_flag("for-apply"),
            show_secrets: matches.get_flag("show-secrets"),
        }),
        "diff" => Look::Diff(Diff {
            a: snapshot(),
            b: text(matches, "other").unwrap_or_default(),
            what: what_of(matches),
            at_a: number("at-a"),
            at_b: number("at-b"),
            full: matches.get_flag("full"),
            exit_code: matches.get_flag("exit-code"),
            show_secrets: matches.get_flag("show-secrets"),
        }),
        "du" => Look::Du(Du {
            snapshot: snapshot(),
            namespace: text(matches, "namespace"),
            by: match text(matches, "by").as_deref() {
                Some("namespace") => By::Namespace,
                Some("prefix") => By::Prefix,
                _ => By::Resource,
            },
            etcd_prefix: text(matches, "etcd-prefix").unwrap_or_default(),
        }),
        _ => return None,
    })
}

fn reading(name: &'static str, about: &'static str) -> Command {
    use Group::{Bucket, Directory, File, Log, Reading};
    verb(name, about, &[File, Directory, Bucket, Reading, Log])
}

fn what(help: &'static str) -> [Arg; 6] {
    [
        Arg::new("what").value_name("WHAT").help(help),
        Arg::new("object-name")
            .value_name("NAME")
            .help("The object's name, where WHAT is a resource."),
        namespace().conflicts_with("all-namespaces"),
        flag(
            "all-namespaces",
            "Objects of all namespaces, as without --namespace.",
        )
        .short('A'),
        flag(
            "raw",
            "Takes WHAT as a raw key also where it does not begin with /.",
        )
        .requires("what")
        .conflicts_with_all(["object-name", "namespace"]),
        etcd_prefix(),
    ]
}

fn what_of(matches: &ArgMatches) -> What {
    What {
        words: text(matches, "what"),
        name: text(matches, "object-name"),
        namespace: text(matches, "namespace"),
        raw: matches.get_flag("raw"),
        etcd_prefix: text(matches, "etcd-prefix").unwrap_or_default(),
    }
}

fn namespace() -> Arg {
    Arg::new("namespace")
        .short('n')
        .long("namespace")
        .value_name("NAMESPACE")
        .help("Only objects of this namespace; without it, of all.")
}

fn etcd_prefix() -> Arg {
    Arg::new("etcd-prefix")
        .long("etcd-prefix")
        .value_name("PREFIX")
        .default_value("/registry")
        .help("Where the API server keeps its objects: its own option of this name.")
}

fn revision(name: &'static str, alias: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .alias(alias)
        .value_name("REVISION")
        .value_parser(value_parser!(u64))
        .help("Reads the snapshot as it was at this revision.")
}

fn show_secrets() -> Arg {
    flag("show-secrets", "Prints the values of Secrets too.")
}

fn flag(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .action(ArgAction::SetTrue)
        .help(help)
}

fn text(matches: &ArgMatches, id: &str) -> Option<String> {
    matches.get_one::<String>(id).cloned()
}
