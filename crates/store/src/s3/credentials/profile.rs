//! A profile of the files that AWS' tools share.
//!
//! "Shared config and credentials files" and "Assume role credential provider", AWS SDKs and
//! Tools reference. A profile is one section of each file, the one of `credentials` above the one
//! of `config`. It has keys, or a role that somebody's keys may take on.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::chain::{self, Look};
use super::giver::{Giver, Place};
use super::ini::{Ini, Section};
use super::key_files::{text_of, unreadable};
use super::no_keys::NoKeys;
use super::pair::Credentials;
use super::role::{AssumedRole, Base};
use super::sts::WebIdentity;
use super::surroundings::Surroundings;

/// Ways to sign in that need a browser or run a program.
const UNKNOWN: [&str; 5] = [
    "sso_session",
    "sso_start_url",
    "login_session",
    "credential_process",
    "mfa_serial",
];

/// The profile that is asked for, by name, by `AWS_PROFILE`, or `default`.
pub(super) async fn look(surroundings: &Surroundings) -> Result<Look, NoKeys> {
    let asked = surroundings.profile().or(surroundings.get("AWS_PROFILE"));
    let mut files = Files::read(surroundings).await?;
    let name = asked.unwrap_or("default");
    let nothing = |why: String| match asked {
        // Nobody asked for it, so it is no fault of anybody's.
        None => Ok(Look::Nothing(format!("profile {name}: {why}"))),
        Some(_) => Err(NoKeys::wrong(format!("profile {name}: {why}"))
            .with_hint("correct the name of the profile, or what stands in it")),
    };
    let Some(profile) = files.take(name) else {
        return nothing(format!("it is not in {}", files.told()));
    };
    if let Some(way) = UNKNOWN.iter().find(|way| profile.contains_key(**way)) {
        return nothing(format!("it signs in by {way}, which is not known here"));
    }
    if !profile.contains_key("role_arn") && keys_of(name, &profile)?.is_none() {
        return nothing("it has no keys".into());
    }
    let told = format!("profile {name} of {}", files.told());
    Ok(match place_of(surroundings, &mut files, name, &profile)? {
        Place::With(giver) => {
            let told = format!("{told}: {}", giver.told());
            Look::Found(Place::With(giver), told)
        }
        here @ Place::Here(_) => Look::Found(here, told),
    })
}

/// Where the keys of a profile are. A profile that is the source of another is taken out of the
/// files on the way, so that a circle ends.
fn place_of(
    surroundings: &Surroundings,
    files: &mut Files,
    name: &str,
    profile: &Section,
) -> Result<Place, NoKeys> {
    let wrong = |why: String| NoKeys::wrong(format!("profile {name}: {why}"));
    let said = |key: &str| profile.get(key).map(|value| value.as_str());
    let keys = keys_of(name, profile)?.map(Arc::new);
    let Some(role) = said("role_arn") else {
        return keys
            .map(Place::Here)
            .ok_or_else(|| wrong("it has no keys".into()));
    };
    if let Some(way) = UNKNOWN.iter().find(|way| profile.contains_key(**way)) {
        return Err(wrong(format!("it wants {way}, which is not known here")));
    }
    let session = said("role_session_name").unwrap_or(chain::session(surroundings));
    let service = surroundings.token_service(said("region"));
    if let Some(token) = said("web_identity_token_file") {
        return Ok(Place::With(Giver::WebIdentity(WebIdentity {
            role: role.to_owned(),
            session: session.to_owned(),
            token: token.into(),
            service,
        })));
    }
    let base = match (said("source_profile"), said("credential_source")) {
        (Some(source), None) if source == name => {
            Place::Here(keys.ok_or_else(|| wrong("it is its own source, but has no keys".into()))?)
        }
        (Some(source), None) => {
            let section = files.take(source).ok_or_else(|| {
                wrong(format!(
                    "its source profile {source} is missing or leads in a circle"
                ))
            })?;
            place_of(surroundings, files, source, &section)?
        }
        (None, Some(source)) => {
            let look = match source {
                "Environment" => chain::environment(surroundings)?,
                "EcsContainer" => chain::container(surroundings)?,
                "Ec2InstanceMetadata" => chain::instance(surroundings),
                _ => return Err(wrong("its credential_source is none that there is".into())),
            };
            match look {
                Look::Found(place, _) => place,
                Look::Nothing(why) => return Err(wrong(why)),
            }
        }
        (Some(_), Some(_)) => {
            return Err(wrong(
                "it has a source_profile and a credential_source".into(),
            ));
        }
        (None, None) => {
            return Err(wrong(
                "its role has no source_profile, credential_source or web_identity_token_file"
                    .into(),
            ));
        }
    };
    let seconds = said("duration_seconds").map(str::parse).transpose();
    let seconds = seconds.map_err(|_| wrong("its duration_seconds is no number".into()))?;
    Ok(Place::With(Giver::Role(AssumedRole {
        role: role.to_owned(),
        session: session.to_owned(),
        external_id: said("external_id").map(str::to_owned),
        duration: seconds.map(Duration::from_secs),
        // The one endpoint that is older than regions takes this one.
        region: surroundings
            .region()
            .or(said("region"))
            .unwrap_or("us-east-1")
            .to_owned(),
        service,
        base: Box::new(match base {
            Place::Here(keys) => Base::Keys(keys),
            Place::With(giver) => Base::Giver(giver),
        }),
    })))
}

/// The keys that stand in a profile.
fn keys_of(name: &str, profile: &Section) -> Result<Option<Credentials>, NoKeys> {
    let said = |key: &str| profile.get(key).filter(|value| !value.is_empty());
    let wrong = |why: String| NoKeys::wrong(format!("profile {name}: {why}"));
    let (access, secret) = match (said("aws_access_key_id"), said("aws_secret_access_key")) {
        (Some(access), Some(secret)) => (access, secret),
        (None, None) => return Ok(None),
        _ => return Err(wrong("one of its two keys is missing".into())),
    };
    let mut keys = Credentials::new(access.as_str(), secret.as_str());
    if let Some(token) = said("aws_session_token") {
        keys = keys.with_session_token(token.as_str());
    }
    let keys = keys.judged().map_err(|why| wrong(format!("its {why}")))?;
    Ok(Some(keys))
}

/// The two files, as they are now.
struct Files {
    credentials: Ini,
    config: Ini,
    paths: Vec<PathBuf>,
}

impl Files {
    /// Reads what is there. A file that a variable names must be.
    async fn read(surroundings: &Surroundings) -> Result<Self, NoKeys> {
        let mut paths = Vec::new();
        let mut inis = [Ini::default(), Ini::default()];
        for (ini, (variable, usual)) in inis.iter_mut().zip([
            ("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials"),
            ("AWS_CONFIG_FILE", ".aws/config"),
        ]) {
            let Some(path) = surroundings.file(variable, usual) else {
                continue;
            };
            *ini = read(&path, surroundings.get(variable).is_some()).await?;
            paths.push(path);
        }
        let [credentials, config] = inis;
        Ok(Self {
            credentials,
            config,
            paths,
        })
    }

    /// Takes a profile out.
    fn take(&mut self, name: &str) -> Option<Section> {
        let in_config = match name {
            "default" => self.config.take("default"),
            _ => None,
        };
        let in_config = self.config.take(&format!("profile {name}")).or(in_config);
        let in_credentials = self.credentials.take(name);
        if in_config.is_none() && in_credentials.is_none() {
            return None;
        }
        let mut profile = in_config.unwrap_or_default();
        profile.extend(in_credentials.unwrap_or_default());
        Some(profile)
    }

    /// Where they are, for people.
    fn told(&self) -> String {
        if self.paths.is_empty() {
            return String::from("any file, as HOME is not set");
        }
        let paths: Vec<_> = self
            .paths
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        paths.join(" and ")
    }
}

async fn read(path: &Path, must_be_there: bool) -> Result<Ini, NoKeys> {
    match text_of(path).await {
        Ok(text) => Ok(Ini::parse(&text)),
        Err(cause) if !must_be_there && is_absence(&cause) => Ok(Ini::default()),
        Err(cause) => Err(unreadable(path, &cause)),
    }
}

/// A home that is nobody's or somebody else's, as those of services often are, has no profile.
fn is_absence(cause: &io::Error) -> bool {
    matches!(
        cause.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::PermissionDenied
    )
}
