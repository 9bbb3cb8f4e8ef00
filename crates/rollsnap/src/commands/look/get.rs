//! `rollsnap get`: one value of a snapshot, or all of its versions.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rollsnap_engine::Kind;
use rollsnap_engine::image::Access;
use rollsnap_engine::look::{self, LookError, OwnedKey, ReadAt};
use rollsnap_kube::{Encrypted, Keys, decode, to_yaml};
use serde::Serialize;
use serde_json::Value;

use super::find::{Found, find};
use super::history;
use super::indexed::{self, Told};
use super::legible;
use super::listed::{KeyFields, Listed, RevisionFields};
use super::value::{Manner, Shown, is_secret};
use crate::cli::look::{Form, Get};
use crate::commands::Context;
use crate::commands::opened::Indexed;
use crate::commands::operand::Operand;
use crate::output;
use crate::report::Failure;

/// A value and where it stands, in JSON.
#[derive(Serialize)]
struct Envelope<'a> {
    #[serde(flatten)]
    key: KeyFields<'a>,
    #[serde(flatten)]
    revisions: RevisionFields,
    /// `protobuf`, `json`, `encrypted` or `bytes`; absent where it is hidden.
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<&'a Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    omissions: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encrypted: Option<Encryption<'a>>,
    /// Whether a Secret's values were left out.
    hidden: bool,
}

#[derive(Serialize)]
struct Encryption<'a> {
    provider: &'a str,
    version: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
}

pub(super) async fn run(context: &Context, get: &Get) -> Result<(), Failure> {
    if get.history && matches!(get.form, Some(Form::Raw | Form::Yaml)) {
        return Err(usage("get: --history is text or -o json"));
    }
    if get.for_apply && get.form == Some(Form::Raw) {
        return Err(usage(
            "get: -o raw prints the value as it is, --for-apply does not",
        ));
    }
    let indexed = if get.history {
        None
    } else {
        Operand::open_indexed(context, &get.snapshot).await?
    };
    if let Some(indexed) = indexed
        && let Some((keys, found)) = by_index(context, get, &indexed).await?
    {
        return print(get, &keys, &found);
    }
    let opened = Operand::open(context, &get.snapshot, Access::All).await?;
    let asked = get.clone();
    let answer = opened.look(context, "get", move |file| ask(file, &asked));
    match answer.await?? {
        Answer::History(key, keys, versions) => {
            history::print(get.form == Some(Form::Json), &key, &keys, &versions)
        }
        Answer::Value(keys, found) => print(get, &keys, &found),
    }
}

/// What the index beside the snapshot tells; `None` where all records have to be read. That is also
/// done to say more of a key that is absent, but not from far away.
async fn by_index(
    context: &Context,
    get: &Get,
    indexed: &Indexed,
) -> Result<Option<(Keys, OwnedKey)>, Failure> {
    let (index, asked) = (Arc::clone(&indexed.index), get.clone());
    let told = indexed.snapshot.look(context, "get", move |file| {
        indexed::ask(file, &*index, &asked.what, asked.at)
    });
    match told.await? {
        Told::Key(keys, found) => Ok(Some((keys, *found))),
        Told::Absent if indexed.is_far => Err(indexed::absent(&get.what)),
        Told::Absent | Told::Nothing => Ok(None),
        Told::Doubt(why) => {
            let location = &indexed.snapshot.location;
            output::complain(&format!(
                "rollsnap: get: the index beside {location} does not serve: {why}"
            ));
            Ok(None)
        }
    }
}

enum Answer {
    Value(Keys, OwnedKey),
    History(Vec<u8>, Keys, Vec<history::Version>),
}

fn ask(file: &dyn ReadAt, get: &Get) -> Result<Result<Answer, Failure>, LookError> {
    let Found { wanted, key } = match find(file, &get.what, get.at)? {
        Ok(found) => found,
        Err(failure) => return Ok(Err(failure)),
    };
    if get.history {
        let versions = history::read(file, &key)?;
        if !versions.is_empty() {
            return Ok(Ok(Answer::History(key, wanted.keys, versions)));
        }
    } else if let Some(found) = look::get(file, &key, get.at)? {
        return Ok(Ok(Answer::Value(wanted.keys, found)));
    }
    let failure = super::find::absent(file, &wanted, &get.what, &key, get.at)?;
    Ok(Err(failure))
}

fn print(get: &Get, keys: &Keys, found: &OwnedKey) -> Result<(), Failure> {
    let name = legible::line(&found.key);
    let manner = Manner {
        for_apply: get.for_apply,
        show_secrets: get.show_secrets,
    };
    if get.form == Some(Form::Raw) {
        return raw(&name, keys, found, manner);
    }
    let shown = Shown::of(keys, &found.key, &found.value, manner);
    if get.for_apply {
        can_be_applied(&name, &shown)?;
    }
    if get.form == Some(Form::Json) {
        return output::json(&envelope(keys, found, &shown));
    }
    match &shown {
        Shown::Object {
            value, omissions, ..
        } => {
            for omission in omissions {
                let said = legible::line(omission.to_string().as_bytes());
                output::complain(&format!("rollsnap: get {name}: not shown: {said}"));
            }
            output::print(&to_yaml(value))
        }
        Shown::Encrypted(encrypted) => Err(unreadable(&name, encrypted)),
        Shown::Hidden => Err(hidden(&name)),
        Shown::Bytes(_) if get.form == Some(Form::Yaml) => Err(usage(&format!(
            "get {name}: its value is no Kubernetes object"
        ))
        .with_hint("-o raw prints it as it is")),
        Shown::Bytes(bytes) if output::is_seen() => {
            let text = legible::lines(bytes);
            let end = if text.ends_with('\n') { "" } else { "\n" };
            output::print(&format!("{text}{end}"))
        }
        Shown::Bytes(bytes) => output::pour(|out| out.write_all(bytes)),
    }
}

/// The bytes, whatever they are. Of a Secret they are printed only if that was said, unless they
/// are encrypted, and so nobody's secret.
fn raw(name: &str, keys: &Keys, found: &OwnedKey, manner: Manner) -> Result<(), Failure> {
    let object = decode(&found.value);
    let is_open = !matches!(object, rollsnap_kube::Object::Encrypted(_));
    if is_open && !manner.show_secrets && is_secret(keys, &found.key, &object) {
        return Err(hidden(name));
    }
    output::pour(|out| out.write_all(&found.value))
}

fn can_be_applied(name: &str, shown: &Shown) -> Result<(), Failure> {
    let refused = |why: &str| usage(&format!("get {name}: {why}"));
    match shown {
        Shown::Object {
            is_redacted: true, ..
        }
        | Shown::Hidden => Err(refused("a Secret without its values is not to be applied")
            .with_hint("add --show-secrets")),
        Shown::Object { omissions, .. } => match omissions.first() {
            None => Ok(()),
            Some(first) => {
                let first = legible::line(first.to_string().as_bytes());
                let why = format!("what would be applied is not all there is: {first}");
                let hint = "without --for-apply it is printed as far as it can be decoded";
                Err(refused(&why).with_hint(hint))
            }
        },
        Shown::Encrypted(encrypted) => Err(unreadable(name, encrypted)),
        Shown::Bytes(_) => Err(refused("its value is no Kubernetes object")),
    }
}

fn envelope<'a>(keys: &Keys, found: &'a OwnedKey, shown: &'a Shown) -> Envelope<'a> {
    let mut envelope = Envelope {
        key: KeyFields::of(&found.key, keys),
        revisions: RevisionFields::of(&Listed::of_found(found)),
        encoding: None,
        object: None,
        omissions: Vec::new(),
        value: None,
        value_base64: None,
        encrypted: None,
        hidden: false,
    };
    match shown {
        Shown::Object {
            value,
            encoding,
            is_redacted,
            omissions,
        } => {
            envelope.encoding = Some(encoding);
            envelope.object = Some(value);
            envelope.omissions = omissions.iter().map(ToString::to_string).collect();
            envelope.hidden = *is_redacted;
        }
        Shown::Encrypted(it) => {
            envelope.encoding = Some("encrypted");
            envelope.encrypted = Some(Encryption {
                provider: &it.provider,
                version: &it.version,
                key: it.key.as_deref(),
            });
        }
        Shown::Bytes(bytes) => {
            envelope.encoding = Some("bytes");
            match std::str::from_utf8(bytes) {
                Ok(text) => envelope.value = Some(text),
                Err(_) => envelope.value_base64 = Some(STANDARD.encode(bytes)),
            }
        }
        Shown::Hidden => envelope.hidden = true,
    }
    envelope
}

fn unreadable(name: &str, encrypted: &Encrypted) -> Failure {
    let message = format!("get {name}: the value is encrypted at rest by {encrypted}");
    Failure::new(Kind::Denied, message).with_hint(
        "only an API server with that key can read it; -o raw prints the bytes as they are",
    )
}

fn hidden(name: &str) -> Failure {
    usage(&format!("get {name}: the value belongs to a Secret"))
        .with_hint("--show-secrets prints it")
}

fn usage(message: &str) -> Failure {
    Failure::new(Kind::Usage, message)
}
