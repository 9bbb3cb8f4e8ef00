//! The bucket that snapshots are copied to.

use std::path::PathBuf;

use rollsnap_rke::cluster_yml::{ClusterYml, Located, S3BackupConfig};
use rollsnap_rke::{Secret, Wrong, key_in_environment};

use super::layers::{self, Layers, located_path};
use super::options::{Group, Id, OPTIONS};
use super::{Fault, Origin, Sourced};

/// A bucket and the keys to it. Names and addresses are judged by the store that opens them.
#[derive(Debug, Clone)]
pub struct Bucket {
    /// Its name.
    pub name: Sourced<String>,
    /// The server; empty is Amazon's.
    pub endpoint: Sourced<String>,
    /// The CA that signed the server's certificate: a path, PEM text, or base64 of it.
    pub custom_ca: Option<Sourced<String>>,
    /// The region; none is to be found out.
    pub region: Option<Sourced<String>>,
    /// The folder inside the bucket.
    pub folder: Option<Sourced<String>>,
    /// The access key.
    pub access_key: Sourced<Secret>,
    /// The secret key.
    pub secret_key: Sourced<Secret>,
    /// The token of temporary keys.
    pub session_token: Option<Sourced<Secret>>,
}

impl Bucket {
    /// Who said the value of a key of `s3backupconfig`, called as there.
    pub fn origin_of(&self, key: &str) -> &Origin {
        fn of<T>(said: Option<&Sourced<T>>) -> Option<&Origin> {
            said.map(|said| &said.origin)
        }
        let origin = match key {
            "endpoint" => Some(&self.endpoint.origin),
            "custom_ca" => of(self.custom_ca.as_ref()),
            "region" => of(self.region.as_ref()),
            "folder" => of(self.folder.as_ref()),
            "access_key" => Some(&self.access_key.origin),
            "secret_key" => Some(&self.secret_key.origin),
            "session_token" => of(self.session_token.as_ref()),
            _ => Some(&self.name.origin),
        };
        origin.unwrap_or(&Origin::Default)
    }

    /// What the store complains of, at the place where it was said.
    pub fn fault(&self, key: &str, message: impl Into<String>) -> Fault {
        Fault {
            place: match self.origin_of(key) {
                Origin::Default => key.to_owned(),
                origin => origin.place(),
            },
            wrong: Wrong::new(message, ""),
        }
    }

    /// Copies are wanted where somebody says so, names a bucket, writes an `s3backupconfig`, or
    /// uses a flag about buckets. Variables alone that others read too (`AWS_…`) mean nothing.
    pub(super) fn of(layers: &mut Layers<'_>, file: &ClusterYml) -> Sourced<Option<Self>> {
        let backup = file.backup_config.as_ref();
        let section = backup.and_then(|backup| backup.value.s3backupconfig.clone());
        let said = layers.pick(Id::S3, layers::switch, None);
        if let Some(Sourced {
            value: false,
            origin,
        }) = said
        {
            return Sourced {
                value: None,
                origin,
            };
        }
        let (s3, section) = match section {
            Some(Located {
                value,
                line,
                key_path,
            }) => {
                let place = Located {
                    value: (),
                    line,
                    key_path,
                };
                (value, Some(layers.located(place).origin))
            }
            None => (S3BackupConfig::default(), None),
        };
        let name = layers.pick(Id::BucketName, layers::text, s3.bucket_name.clone());
        let flag = OPTIONS
            .iter()
            .find(|spec| spec.group == Group::Bucket && layers.inputs.flags.get(spec.id).is_some());
        let wanted = said
            .map(|said| said.origin)
            .or_else(|| name.as_ref().map(|name| name.origin.clone()))
            .or(section)
            .or(flag.map(|spec| Origin::Flag(spec.name)));
        let Some(origin) = wanted else {
            return Sourced::default(None);
        };
        Sourced {
            value: Self::wanted(layers, s3, name, &origin),
            origin,
        }
    }

    fn wanted(
        layers: &mut Layers<'_>,
        s3: S3BackupConfig,
        name: Option<Sourced<String>>,
        wanted: &Origin,
    ) -> Option<Self> {
        let endpoint = layers.pick(Id::S3Endpoint, layers::text_or_none, s3.endpoint);
        let custom_ca = layers.pick(Id::S3EndpointCa, layers::text_or_none, s3.custom_ca);
        let region = layers.pick(Id::Region, layers::text_or_none, s3.region);
        let folder = layers.pick(Id::Folder, layers::text_or_none, s3.folder);
        let access_key = ACCESS.find(layers, s3.access_key, s3.access_key_file);
        let secret_key = SECRET.find(layers, s3.secret_key, s3.secret_key_file);
        let token = layers.pick(Id::SessionToken, layers::secret, None);
        if !layers.is_sound() {
            return None;
        }
        let mut missing = |what: &str, cure: &str| layers.fault(wanted, Wrong::new(what, cure));
        if name.is_none() {
            missing(
                "asks for copies in a bucket, but none is named",
                "give --bucket-name, ROLLSNAP_BUCKET_NAME, or bucket_name in s3backupconfig",
            );
        }
        if access_key.is_none() {
            missing(
                "asks for copies in a bucket, but there is no access key",
                "give --access-key-file, ROLLSNAP_ACCESS_KEY, or access_key in s3backupconfig",
            );
        }
        if secret_key.is_none() {
            missing(
                "asks for copies in a bucket, but there is no secret key",
                "give --secret-key-file, ROLLSNAP_SECRET_KEY, or secret_key in s3backupconfig",
            );
        }
        let (access_key, secret_key) = (access_key?, secret_key?);
        let temporary = access_key.origin == Origin::Environment("AWS_ACCESS_KEY_ID");
        let not_empty = |said: &Sourced<String>| !said.value.is_empty();
        Some(Self {
            name: name?,
            endpoint: endpoint.unwrap_or_else(|| Sourced::default(String::new())),
            custom_ca: custom_ca.filter(not_empty),
            region: region.filter(not_empty),
            folder: folder.filter(not_empty),
            access_key,
            secret_key,
            session_token: token.filter(|_| temporary),
        })
    }
}

/// One of the two keys: given, or in a file.
struct KeyOptions {
    given: Id,
    in_file: Id,
}

const ACCESS: KeyOptions = KeyOptions {
    given: Id::AccessKey,
    in_file: Id::AccessKeyFile,
};
const SECRET: KeyOptions = KeyOptions {
    given: Id::SecretKey,
    in_file: Id::SecretKeyFile,
};

impl KeyOptions {
    /// The key by the highest layer that has it; one that has it twice is wrong.
    fn find(
        &self,
        layers: &mut Layers<'_>,
        given: Option<Located<Secret>>,
        in_file: Option<Located<String>>,
    ) -> Option<Sourced<Secret>> {
        let pairs = [
            (
                layers.flag(self.given, layers::secret),
                layers.flag(self.in_file, layers::path),
            ),
            (
                layers
                    .environment(self.given, layers::secret)
                    .map(as_rke_meant),
                layers.environment(self.in_file, layers::path),
            ),
            (
                given.map(|given| layers.located(given)),
                located_path(in_file).map(|path| layers.located(path)),
            ),
        ];
        for pair in pairs {
            match pair {
                (None, None) => {}
                (Some(given), None) => return Some(given),
                (None, Some(path)) => return layers.secret_in(path),
                (Some(_), Some(path)) => return twice(layers, &path),
            }
        }
        None
    }
}

fn twice(layers: &mut Layers<'_>, path: &Sourced<PathBuf>) -> Option<Sourced<Secret>> {
    let wrong = Wrong::new("names a file, but the key is given too", "keep one of them");
    layers.fault(&path.origin, wrong);
    None
}

/// RKE hands keys over in base64, in variables of these names only.
fn as_rke_meant(key: Sourced<Secret>) -> Sourced<Secret> {
    if let Origin::Environment("S3_ACCESS_KEY" | "S3_SECRET_KEY") = key.origin {
        return key.map(|secret| key_in_environment(&secret));
    }
    key
}
