//! The bucket that snapshots are copied to.

use std::mem::discriminant;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use rollsnap_rke::cluster_yml::{Addressing, ClusterYml, Located, S3BackupConfig};
use rollsnap_rke::{Secret, Wrong, duration, key_in_environment, rate};
use rollsnap_store::s3::{self, Credentials, CustomCa, S3Config};

use super::layers::{self, Layers, located_path};
use super::options::{Group, Id, OPTIONS};
use super::{Origin, Sourced, Writing};

/// A bucket and the keys to it, as `rollsnap-store` finds them right.
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
    /// Where its name goes in a request.
    pub addressing: Option<Sourced<Addressing>>,
    /// Whether anybody may vouch for the server.
    pub insecure_skip_verify: Option<Sourced<bool>>,
    /// What every object is written with.
    pub writing: Writing,
    /// Most bytes a second for all uploads together.
    pub upload_rate: Option<Sourced<NonZeroU64>>,
    /// The time in which every copy is read back once; never without.
    pub verify_remote: Option<Sourced<Duration>>,
}

impl Bucket {
    /// The bucket as `rollsnap-store` takes it.
    pub fn s3_config(&self) -> S3Config {
        let text = |said: &Option<Sourced<String>>| said.as_ref().map(|said| said.value.clone());
        let keys = Credentials::new(
            self.access_key.value.reveal(),
            self.secret_key.value.reveal(),
        );
        S3Config {
            endpoint: self.endpoint.value.clone(),
            region: text(&self.region),
            bucket: self.name.value.clone(),
            folder: text(&self.folder),
            credentials: match &self.session_token {
                Some(token) => keys.with_session_token(token.value.reveal()),
                None => keys,
            }
            .into(),
            custom_ca: text(&self.custom_ca).map(CustomCa::new),
            addressing: match self.addressing.as_ref().map(|said| said.value) {
                None | Some(Addressing::Auto) => s3::Addressing::Auto,
                Some(Addressing::Path) => s3::Addressing::Path,
                Some(Addressing::Virtual) => s3::Addressing::VirtualHost,
            },
            insecure_skip_verify: self.is_insecure(),
            writing: self.writing.for_store(),
            upload_rate: self.upload_rate.as_ref().map(|said| said.value),
            ..S3Config::default()
        }
    }

    /// Whether the server's certificate is not checked.
    pub fn is_insecure(&self) -> bool {
        let said = self.insecure_skip_verify.as_ref();
        said.is_some_and(|said| said.value)
    }

    /// Who said the value of a key of `s3backupconfig`, called as there.
    fn origin_of(&self, key: &str) -> &Origin {
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
            "addressing" => of(self.addressing.as_ref()),
            "upload_rate" => of(self.upload_rate.as_ref()),
            "bucket_name" => Some(&self.name.origin),
            key => self.writing.origin_of(key),
        };
        origin.unwrap_or(&Origin::Default)
    }

    /// What the store complains of, at the place where it was said. What nobody said is not
    /// judged: where it is needed, it is told to be missing.
    fn check(&self, layers: &mut Layers<'_>) {
        for fault in self.s3_config().check() {
            match self.origin_of(fault.key) {
                Origin::Default => {}
                origin => layers.fault(origin, Wrong::new(fault.message, "")),
            }
        }
    }

    /// One key of `AWS_…`, which other programs read too, and one of another layer are halves of
    /// two pairs. Our own names may be mixed: a key in the file, its secret in the environment.
    fn check_pair(&self, layers: &mut Layers<'_>) {
        let (access, secret) = (&self.access_key.origin, &self.secret_key.origin);
        let of_amazon =
            |it: &Origin| matches!(it, Origin::Environment(name) if name.starts_with("AWS_"));
        let is_one_layer = discriminant(access) == discriminant(secret);
        if is_one_layer
            || !(of_amazon(access) || of_amazon(secret))
            || [access, secret].contains(&&Origin::Default)
            || !layers.read_rightly(&KEYS)
        {
            return;
        }
        let what = format!("is the access key, but the secret key comes from {secret}");
        layers.fault(access, Wrong::new(what, "give both in one place"));
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
            value: Some(Self::wanted(layers, s3, name, &origin)),
            origin,
        }
    }

    fn wanted(
        layers: &mut Layers<'_>,
        s3: S3BackupConfig,
        name: Option<Sourced<String>>,
        wanted: &Origin,
    ) -> Self {
        let writing = Writing::of(layers, &s3);
        let addressing = layers.pick(Id::S3Addressing, Addressing::parse, s3.addressing);
        let insecure = s3.insecure_skip_verify;
        let insecure = layers.pick(Id::S3InsecureSkipVerify, layers::switch, insecure);
        let upload_rate = layers.pick(Id::UploadRate, rate::parse, s3.upload_rate);
        let verify_remote = layers.pick(Id::VerifyRemote, duration::parse, s3.verify_remote);
        let endpoint = layers.pick(Id::S3Endpoint, layers::text_or_none, s3.endpoint);
        let custom_ca = layers.pick(Id::S3EndpointCa, layers::text_or_none, s3.custom_ca);
        let region = layers.pick(Id::Region, layers::text_or_none, s3.region);
        let folder = layers.pick(Id::Folder, layers::text_or_none, s3.folder);
        let access_key = ACCESS.find(layers, s3.access_key, s3.access_key_file);
        let secret_key = SECRET.find(layers, s3.secret_key, s3.secret_key_file);
        let token = layers.pick(Id::SessionToken, layers::secret, None);
        let mut needed = |is_there: bool, options: &[Id], what: &str, cure: &str| {
            if !is_there && layers.knows(options) {
                layers.fault(wanted, Wrong::new(what, cure));
            }
        };
        needed(
            name.is_some(),
            &[Id::BucketName],
            "asks for copies in a bucket, but none is named",
            "give --bucket-name, ROLLSNAP_BUCKET_NAME, or bucket_name in s3backupconfig",
        );
        needed(
            access_key.is_some(),
            &[Id::AccessKey, Id::AccessKeyFile],
            "asks for copies in a bucket, but there is no access key",
            "give --access-key-file, ROLLSNAP_ACCESS_KEY, or access_key in s3backupconfig",
        );
        needed(
            secret_key.is_some(),
            &[Id::SecretKey, Id::SecretKeyFile],
            "asks for copies in a bucket, but there is no secret key",
            "give --secret-key-file, ROLLSNAP_SECRET_KEY, or secret_key in s3backupconfig",
        );
        // What is missing is a fault by now: an empty text in its place is used by nobody.
        let nothing = || Sourced::default(String::new());
        let no_key = || Sourced::default(Secret::new(""));
        let (access_key, secret_key) = (
            access_key.unwrap_or_else(no_key),
            secret_key.unwrap_or_else(no_key),
        );
        let temporary = access_key.origin == Origin::Environment("AWS_ACCESS_KEY_ID");
        let not_empty = |said: &Sourced<String>| !said.value.is_empty();
        let bucket = Self {
            name: name.unwrap_or_else(nothing),
            endpoint: endpoint.unwrap_or_else(nothing),
            custom_ca: custom_ca.filter(not_empty),
            region: region.filter(not_empty),
            folder: folder.filter(not_empty),
            access_key,
            secret_key,
            session_token: token.filter(|_| temporary),
            addressing,
            insecure_skip_verify: insecure,
            writing,
            upload_rate,
            verify_remote,
        };
        bucket.check(layers);
        bucket.check_pair(layers);
        bucket
    }
}

/// Every option that gives a key.
const KEYS: [Id; 4] = [
    Id::AccessKey,
    Id::AccessKeyFile,
    Id::SecretKey,
    Id::SecretKeyFile,
];

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
                (None, Some(path)) => return layers.secret_in(self.given, path),
                (Some(_), Some(path)) => return self.twice(layers, &path),
            }
        }
        None
    }

    fn twice(&self, layers: &mut Layers<'_>, path: &Sourced<PathBuf>) -> Option<Sourced<Secret>> {
        let wrong = Wrong::new("names a file, but the key is given too", "keep one of them");
        layers.fault_of(self.given, &path.origin, wrong);
        None
    }
}

/// RKE hands keys over in base64, in variables of these names only.
fn as_rke_meant(key: Sourced<Secret>) -> Sourced<Secret> {
    if let Origin::Environment("S3_ACCESS_KEY" | "S3_SECRET_KEY") = key.origin {
        return key.map(|secret| key_in_environment(&secret));
    }
    key
}
