//! The usual places, in the usual order.
//!
//! A place that somebody filled in wrongly ends the search: to go on with other keys than those
//! that are meant would be a surprise. So does one that is named and gives nothing.

use std::sync::Arc;

use super::container::Container;
use super::giver::{Giver, Place};
use super::instance::Instance;
use super::no_keys::NoKeys;
use super::pair::Credentials;
use super::profile;
use super::sts::WebIdentity;
use super::surroundings::Surroundings;

const ACCESS_KEY: &str = "AWS_ACCESS_KEY_ID";
const SECRET_KEY: &str = "AWS_SECRET_ACCESS_KEY";
const SESSION_TOKEN: &str = "AWS_SESSION_TOKEN";
const ROLE: &str = "AWS_ROLE_ARN";
const IDENTITY: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";

/// What a place has.
pub(super) enum Look {
    /// The place to use, and what it is called.
    Found(Place, String),
    /// Nothing, and why.
    Nothing(String),
}

/// The first place that has keys or may have some.
#[derive(Debug)]
pub(super) struct Find {
    pub(super) place: Place,
    /// What it is called.
    pub(super) told: String,
    /// Why each place before it is not the one.
    pub(super) passed: Vec<String>,
}

/// Looks the places through. Reads files, asks nobody.
pub(super) async fn look(surroundings: &Surroundings) -> Result<Find, NoKeys> {
    let mut passed = Vec::new();
    let mut found = |look| match look {
        Look::Found(place, told) => Some(Find {
            place,
            told,
            passed: std::mem::take(&mut passed),
        }),
        Look::Nothing(why) => {
            passed.push(why);
            None
        }
    };
    let environment = match surroundings.profile() {
        // Who names a profile means that one.
        Some(profile) => Look::Nothing(format!("environment: the profile {profile} is asked for")),
        None => environment(surroundings)?,
    };
    if let Some(find) = found(environment) {
        return Ok(find);
    }
    if let Some(find) = found(profile::look(surroundings).await?) {
        return Ok(find);
    }
    if let Some(find) = found(web_identity(surroundings)?) {
        return Ok(find);
    }
    if let Some(find) = found(container(surroundings)?) {
        return Ok(find);
    }
    if let Some(find) = found(instance(surroundings)) {
        return Ok(find);
    }
    Err(nothing(&passed))
}

/// There are no keys anywhere.
pub(super) fn nothing(passed: &[String]) -> NoKeys {
    NoKeys::wrong(format!("there are no keys: {}", passed.join("; "))).with_hint(
        "give access_key and secret_key or one of these; anonymous: true is for a bucket that wants none",
    )
}

/// The keys in the environment.
pub(super) fn environment(surroundings: &Surroundings) -> Result<Look, NoKeys> {
    let (access, secret) = match (surroundings.get(ACCESS_KEY), surroundings.get(SECRET_KEY)) {
        (Some(access), Some(secret)) => (access, secret),
        (None, None) => {
            let why = format!("environment: {ACCESS_KEY} is not set");
            return Ok(Look::Nothing(why));
        }
        (Some(_), None) => return Err(half(ACCESS_KEY, SECRET_KEY)),
        (None, Some(_)) => return Err(half(SECRET_KEY, ACCESS_KEY)),
    };
    let mut keys = Credentials::new(access, secret);
    if let Some(token) = surroundings.get(SESSION_TOKEN) {
        keys = keys.with_session_token(token);
    }
    let keys = keys
        .judged()
        .map_err(|why| NoKeys::wrong(format!("environment: its {why}")))?;
    Ok(Look::Found(
        Place::Here(Arc::new(keys)),
        format!("environment, {ACCESS_KEY}"),
    ))
}

fn half(is_there: &str, is_missing: &str) -> NoKeys {
    NoKeys::wrong(format!(
        "environment: {is_there} is set, but {is_missing} is not"
    ))
    .with_hint("set both or none")
}

fn web_identity(surroundings: &Surroundings) -> Result<Look, NoKeys> {
    let (role, token) = match (surroundings.get(ROLE), surroundings.get(IDENTITY)) {
        (Some(role), Some(token)) => (role, token),
        (None, Some(_)) => {
            let why = format!("web identity: {IDENTITY} is set, but {ROLE} is not");
            return Err(NoKeys::wrong(why).with_hint("set both or none"));
        }
        (_, None) => {
            let why = format!("web identity: {IDENTITY} is not set");
            return Ok(Look::Nothing(why));
        }
    };
    let giver = Giver::WebIdentity(WebIdentity {
        role: role.to_owned(),
        session: session(surroundings).to_owned(),
        token: token.into(),
        service: surroundings.token_service(None),
    });
    Ok(with(giver))
}

/// What our sessions are called in AWS' log, unless somebody says otherwise.
pub(super) fn session(surroundings: &Surroundings) -> &str {
    surroundings
        .get("AWS_ROLE_SESSION_NAME")
        .unwrap_or("rollsnap")
}

pub(super) fn container(surroundings: &Surroundings) -> Result<Look, NoKeys> {
    Ok(match Container::of(surroundings)? {
        Some(it) => with(Giver::Container(it)),
        None => Look::Nothing("container: AWS_CONTAINER_CREDENTIALS_… is not set".into()),
    })
}

pub(super) fn instance(surroundings: &Surroundings) -> Look {
    match Instance::of(surroundings) {
        Some(it) => with(Giver::Instance(it)),
        None => Look::Nothing("EC2: AWS_EC2_METADATA_DISABLED is set".into()),
    }
}

fn with(giver: Giver) -> Look {
    let told = giver.told();
    Look::Found(Place::With(giver), told)
}
