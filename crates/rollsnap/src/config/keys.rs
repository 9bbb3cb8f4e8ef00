//! Whose the requests to the bucket are.

use std::path::PathBuf;

use rollsnap_rke::cluster_yml::{Located, S3BackupConfig};
use rollsnap_rke::{Secret, Wrong, key_in_environment};
use rollsnap_store::s3::{CredentialSource, Credentials, KeyFiles, KeyText, Surroundings};

use super::layers::{self, Layers, located_path};
use super::options::Id;
use super::{Origin, Sourced};

/// Whose the requests to the bucket are.
#[derive(Debug, Clone)]
pub enum Keys {
    /// Whoever has this pair.
    Pair(Pair),
    /// Whomever AWS' tools would take on this machine: environment, shared files, web identity,
    /// container, instance.
    Usual {
        /// A profile that somebody asked for by name.
        profile: Option<Sourced<String>>,
        /// What they are found by.
        surroundings: Surroundings,
    },
    /// Nobody's.
    Anonymous(Origin),
}

/// A pair of keys that somebody said.
#[derive(Debug, Clone)]
pub struct Pair {
    /// The access key.
    pub access_key: Sourced<Key>,
    /// The secret key.
    pub secret_key: Sourced<Key>,
    /// The token of temporary keys.
    pub session_token: Option<Sourced<Secret>>,
}

/// One key.
#[derive(Debug, Clone)]
pub struct Key {
    /// As it is, or was in its file at the start.
    pub secret: Secret,
    /// The file that holds it, read anew before each use.
    pub file: Option<PathBuf>,
}

impl Keys {
    /// The same as `rollsnap-store` takes it.
    pub(super) fn source(&self) -> CredentialSource {
        match self {
            Self::Pair(pair) => pair.source(),
            Self::Usual {
                profile,
                surroundings,
            } => {
                let surroundings = surroundings.clone();
                CredentialSource::Chain(match profile {
                    Some(profile) => surroundings.with_profile(&profile.value),
                    None => surroundings,
                })
            }
            Self::Anonymous(_) => CredentialSource::Anonymous,
        }
    }

    /// The same with keys as they were read at the start, so that they can be judged.
    pub(super) fn source_at_start(&self) -> CredentialSource {
        match self {
            Self::Pair(pair) => pair.credentials().into(),
            _ => self.source(),
        }
    }

    /// Who said a key of `s3backupconfig`, called as there.
    pub(super) fn origin_of(&self, key: &str) -> Option<&Origin> {
        match (self, key) {
            (Self::Pair(pair), "access_key") => Some(&pair.access_key.origin),
            (Self::Pair(pair), "secret_key") => Some(&pair.secret_key.origin),
            (Self::Pair(pair), "session_token") => {
                pair.session_token.as_ref().map(|token| &token.origin)
            }
            _ => None,
        }
    }

    /// The highest layer that says anything decides. What it says must be one thing.
    pub(super) fn of(layers: &mut Layers<'_>, s3: &S3BackupConfig) -> Self {
        let anonymous = layers.pick(Id::Anonymous, layers::switch, s3.anonymous.clone());
        let anonymous = anonymous.filter(|said| said.value);
        let profile = layers.pick(Id::AwsProfile, layers::text, s3.aws_profile.clone());
        let pair = Pair::of(layers, s3);

        let said = [
            pair.as_ref().map(Pair::origin),
            profile.as_ref().map(|said| &said.origin),
            anonymous.as_ref().map(|said| &said.origin),
        ];
        let decides = said.into_iter().flatten().map(rank).min();
        let [by_pair, by_profile, by_nobody] =
            said.map(|origin| origin.filter(|origin| Some(rank(origin)) == decides));
        for (one, other, name) in [
            (by_profile, by_pair, "keys are"),
            (by_nobody, by_pair, "keys are"),
            (by_nobody, by_profile, "a profile is"),
        ] {
            if let (Some(one), Some(_)) = (one, other) {
                let what = format!("is said, but {name} given too");
                layers.fault(one, Wrong::new(what, "keep one of them"));
            }
        }
        let (is_pair, is_profile) = (by_pair.is_some(), by_profile.is_some());
        match (pair, anonymous) {
            (Some(pair), _) if is_pair => Self::Pair(pair),
            (_, Some(said)) if !is_profile => Self::Anonymous(said.origin),
            _ => Self::Usual {
                profile: profile.filter(|_| is_profile),
                surroundings: layers.inputs.environment.iter().collect(),
            },
        }
    }
}

/// The layers from the highest.
fn rank(origin: &Origin) -> u8 {
    match origin {
        Origin::Flag(_) => 0,
        Origin::Environment(_) => 1,
        Origin::File { .. } => 2,
        Origin::Found(_) | Origin::Default => 3,
    }
}

impl Pair {
    /// Both keys, or neither. They may come from two layers: the access key from the file, its
    /// secret from the environment.
    fn of(layers: &mut Layers<'_>, s3: &S3BackupConfig) -> Option<Self> {
        let access_key = ACCESS.find(layers, s3.access_key.clone(), s3.access_key_file.clone());
        let secret_key = SECRET.find(layers, s3.secret_key.clone(), s3.secret_key_file.clone());
        let session_token = layers.pick(Id::SessionToken, layers::secret, None);
        match (&access_key, &secret_key) {
            (None, None) => return None,
            (Some(key), None) => SECRET.missed_by(key, layers),
            (None, Some(key)) => ACCESS.missed_by(key, layers),
            (Some(_), Some(_)) => {}
        }
        // What is missing is a fault by now: what stands in its place is used by nobody.
        let no_key = || {
            Sourced::default(Key {
                secret: Secret::new(""),
                file: None,
            })
        };
        Some(Self {
            access_key: access_key.unwrap_or_else(no_key),
            secret_key: secret_key.unwrap_or_else(no_key),
            session_token,
        })
    }

    /// Who said it: of two, the higher layer.
    fn origin(&self) -> &Origin {
        let (access, secret) = (&self.access_key.origin, &self.secret_key.origin);
        std::cmp::min_by_key(access, secret, |origin| rank(origin))
    }

    fn credentials(&self) -> Credentials {
        let keys = Credentials::new(
            self.access_key.value.secret.reveal(),
            self.secret_key.value.secret.reveal(),
        );
        match &self.session_token {
            Some(token) => keys.with_session_token(token.value.reveal()),
            None => keys,
        }
    }

    fn source(&self) -> CredentialSource {
        let keys = [&self.access_key, &self.secret_key];
        let in_files = keys.iter().any(|key| key.value.file.is_some());
        // A token belongs to one pair: nothing is exchanged below it.
        if !in_files || self.session_token.is_some() {
            return self.credentials().into();
        }
        CredentialSource::Files(KeyFiles {
            access_key: self.access_key.value.for_store(),
            secret_key: self.secret_key.value.for_store(),
        })
    }
}

impl Key {
    fn for_store(&self) -> KeyText {
        match &self.file {
            Some(path) => KeyText::File(path.clone()),
            None => KeyText::given(self.secret.reveal()),
        }
    }
}

/// One of the two keys: given, or in a file.
struct KeyOptions {
    given: Id,
    in_file: Id,
    /// What is said of the other when this one is not there, and the cure.
    missed: (&'static str, &'static str),
}

const ACCESS: KeyOptions = KeyOptions {
    given: Id::AccessKey,
    in_file: Id::AccessKeyFile,
    missed: (
        "gives the secret key, but there is no access key",
        "give --access-key-file, ROLLSNAP_ACCESS_KEY, or access_key in s3backupconfig",
    ),
};
const SECRET: KeyOptions = KeyOptions {
    given: Id::SecretKey,
    in_file: Id::SecretKeyFile,
    missed: (
        "gives the access key, but there is no secret key",
        "give --secret-key-file, ROLLSNAP_SECRET_KEY, or secret_key in s3backupconfig",
    ),
};

impl KeyOptions {
    /// The key by the highest layer that has it; one that has it twice is wrong.
    fn find(
        &self,
        layers: &mut Layers<'_>,
        given: Option<Located<Secret>>,
        in_file: Option<Located<String>>,
    ) -> Option<Sourced<Key>> {
        let ids = (self.given, self.in_file);
        given_or_in_file(layers, ids, given, in_file)
    }

    /// Tells that `other` is there without this one, if that is certain.
    fn missed_by(&self, other: &Sourced<Key>, layers: &mut Layers<'_>) {
        if layers.knows(&[self.given, self.in_file]) {
            let (what, cure) = self.missed;
            layers.fault(&other.origin, Wrong::new(what, cure));
        }
    }
}

/// A secret by the highest layer that has it, itself or in a file; one that has both is wrong.
pub(super) fn given_or_in_file(
    layers: &mut Layers<'_>,
    (id, file_id): (Id, Id),
    given: Option<Located<Secret>>,
    in_file: Option<Located<String>>,
) -> Option<Sourced<Key>> {
    let pairs = [
        (
            layers.flag(id, layers::secret),
            layers.flag(file_id, layers::path),
        ),
        (
            layers.environment(id, layers::secret).map(as_rke_meant),
            layers.environment(file_id, layers::path),
        ),
        (
            given.map(|given| layers.located(given)),
            located_path(in_file).map(|path| layers.located(path)),
        ),
    ];
    for pair in pairs {
        match pair {
            (None, None) => {}
            (Some(given), None) => {
                return Some(given.map(|secret| Key { secret, file: None }));
            }
            (None, Some(path)) => {
                let file = Some(path.value.clone());
                let read = layers.secret_in(id, path)?;
                return Some(read.map(|secret| Key { secret, file }));
            }
            (Some(_), Some(path)) => {
                let called = layers::called(id);
                let what = format!("names a file, but the {called} is given too");
                let wrong = Wrong::new(what, "keep one of them");
                layers.fault_of(id, &path.origin, wrong);
                return None;
            }
        }
    }
    None
}

/// RKE hands keys over in base64, in variables of these names only.
fn as_rke_meant(key: Sourced<Secret>) -> Sourced<Secret> {
    if let Origin::Environment("S3_ACCESS_KEY" | "S3_SECRET_KEY") = key.origin {
        return key.map(|secret| key_in_environment(&secret));
    }
    key
}
