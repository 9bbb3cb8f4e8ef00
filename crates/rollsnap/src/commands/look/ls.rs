//! `rollsnap ls`: keys and objects of a snapshot, or how many there are of each resource.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Write};

use rollsnap_engine::image::Access;
use rollsnap_engine::look::{self, LookError, ReadAt};
use rollsnap_kube::{Keys, Scope};
use serde::Serialize;

use super::legible;
use super::listed::{Listed, Rows, list};
use super::wanted::{Choice, Wanted};
use crate::cli::look::Ls;
use crate::commands::Context;
use crate::commands::operand::Operand;
use crate::output::{self, Format, Size, Table};
use crate::report::Failure;

/// What a snapshot has.
struct Answer {
    /// The revision that was looked at.
    revision: u64,
    wanted: Wanted,
    listed: Vec<Listed>,
}

/// How many keys there are of a resource.
#[derive(Debug, Default, Serialize)]
struct Count<'a> {
    /// As `kubectl` takes it: `deployments.apps`; `(other)` for keys of no object.
    name: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<&'a str>,
    keys: u64,
    size: u64,
}

#[derive(Serialize)]
struct Summary<'a> {
    revision: u64,
    resources: Vec<Count<'a>>,
}

#[derive(Serialize)]
struct Listing<'a> {
    revision: u64,
    keys: Rows<'a>,
}

pub(super) async fn run(context: &Context, ls: &Ls) -> Result<(), Failure> {
    let opened = Operand::open(context, &ls.snapshot, Access::All).await?;
    let asked = ls.clone();
    let answer = opened.look(context, "ls", move |file| ask(file, &asked));
    let answer = answer.await??;
    let Answer {
        revision,
        wanted,
        listed,
    } = &answer;
    let (revision, keys) = (*revision, &wanted.keys);
    if matches!(wanted.choice, Choice::All { .. }) {
        let resources = counts(listed, keys);
        let summary = Summary {
            revision,
            resources,
        };
        return output::tell(context.format, &summary, || table(&summary.resources));
    }
    match context.format {
        Format::Json => {
            let keys = Rows { listed, keys };
            output::json(&Listing { revision, keys })
        }
        Format::Text => output::pour(|out| match &wanted.choice {
            Choice::Objects { selection, .. } => objects(out, listed, keys, selection.scope),
            _ => raw(out, listed),
        }),
    }
}

fn ask(file: &dyn ReadAt, ls: &Ls) -> Result<Result<Answer, Failure>, LookError> {
    let revisions = look::revisions(file)?;
    let wanted = match Wanted::read(&ls.what, file, ls.at)? {
        Ok(wanted) => wanted,
        Err(failure) => return Ok(Err(failure)),
    };
    Ok(Ok(Answer {
        revision: ls.at.unwrap_or(*revisions.end()),
        listed: list(file, ls.at, &wanted)?,
        wanted,
    }))
}

fn counts<'a>(listed: &'a [Listed], keys: &Keys) -> Vec<Count<'a>> {
    let mut counts: BTreeMap<_, Count<'a>> = BTreeMap::new();
    for it in listed {
        let object = keys.parse(&it.key);
        let of = object.map(|object| (object.resource, object.group));
        let count = counts.entry(of).or_insert_with(|| Count {
            name: match of {
                None => "(other)".into(),
                Some((resource, "")) => resource.into(),
                Some((resource, group)) => format!("{resource}.{group}").into(),
            },
            group: of.map(|(_, group)| group).filter(|it| !it.is_empty()),
            resource: of.map(|(resource, _)| resource),
            ..Count::default()
        });
        count.keys += 1;
        count.size = count.size.saturating_add(it.size);
    }
    let mut counts: Vec<_> = counts.into_values().collect();
    // What is no object comes last.
    counts.sort_by_key(|count| count.resource.is_none());
    counts
}

fn table(counts: &[Count<'_>]) -> String {
    let mut table = Table::new(&["RESOURCE", "KEYS", "SIZE"]);
    for count in counts {
        table.push(vec![
            legible::line(count.name.as_bytes()),
            count.keys.to_string(),
            Size(count.size).to_string(),
        ]);
    }
    table.render()
}

fn raw(out: &mut dyn Write, listed: &[Listed]) -> io::Result<()> {
    let rows = listed.iter().map(|it| {
        let [created, revision, version, size] = numbers(it);
        [legible::line(&it.key), created, revision, version, size]
    });
    let heading = ["KEY", "CREATED", "REVISION", "VERSION", "SIZE"];
    output::columns(out, heading, rows)
}

fn objects(out: &mut dyn Write, listed: &[Listed], keys: &Keys, scope: Scope) -> io::Result<()> {
    let found = listed
        .iter()
        .filter_map(|it| Some((it, keys.parse(&it.key)?)));
    let text = |text: &str| legible::line(text.as_bytes());
    if scope == Scope::Cluster {
        let rows = found.map(|(it, object)| {
            let [created, revision, version, size] = numbers(it);
            [text(object.name), created, revision, version, size]
        });
        let heading = ["NAME", "CREATED", "REVISION", "VERSION", "SIZE"];
        return output::columns(out, heading, rows);
    }
    let rows = found.map(|(it, object)| {
        let namespace = object.namespace.map_or_else(|| "-".to_owned(), text);
        let [created, revision, version, size] = numbers(it);
        let name = text(object.name);
        [namespace, name, created, revision, version, size]
    });
    let heading = [
        "NAMESPACE",
        "NAME",
        "CREATED",
        "REVISION",
        "VERSION",
        "SIZE",
    ];
    output::columns(out, heading, rows)
}

fn numbers(listed: &Listed) -> [String; 4] {
    [
        listed.create_revision.to_string(),
        listed.mod_revision.to_string(),
        listed.version.to_string(),
        Size(listed.size).to_string(),
    ]
}
