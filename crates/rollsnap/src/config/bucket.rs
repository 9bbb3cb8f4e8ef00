//! The bucket that snapshots are copied to.

use std::num::NonZeroU64;
use std::time::Duration;

use rollsnap_rke::cluster_yml::{Addressing, ClusterYml, Located, S3BackupConfig};
use rollsnap_rke::{Wrong, duration, rate};
use rollsnap_store::s3::{self, CustomCa, S3Config};

use super::layers::{self, Layers};
use super::options::{Group, Id, OPTIONS};
use super::{Keys, Origin, Sourced, Writing};

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
    /// Whose the requests are.
    pub keys: Keys,
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
        S3Config {
            endpoint: self.endpoint.value.clone(),
            region: text(&self.region),
            bucket: self.name.value.clone(),
            folder: text(&self.folder),
            credentials: self.keys.source(),
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
            "access_key" | "secret_key" | "session_token" => self.keys.origin_of(key),
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
        let config = S3Config {
            credentials: self.keys.source_at_start(),
            ..self.s3_config()
        };
        for fault in config.check() {
            match self.origin_of(fault.key) {
                Origin::Default => {}
                origin => layers.fault(origin, Wrong::new(fault.message, "")),
            }
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
        let keys = Keys::of(layers, &s3);
        let addressing = layers.pick(Id::S3Addressing, Addressing::parse, s3.addressing);
        let insecure = s3.insecure_skip_verify;
        let insecure = layers.pick(Id::S3InsecureSkipVerify, layers::switch, insecure);
        let upload_rate = layers.pick(Id::UploadRate, rate::parse, s3.upload_rate);
        let verify_remote = layers.pick(Id::VerifyRemote, duration::parse, s3.verify_remote);
        let endpoint = layers.pick(Id::S3Endpoint, layers::text_or_none, s3.endpoint);
        let custom_ca = layers.pick(Id::S3EndpointCa, layers::text_or_none, s3.custom_ca);
        let region = layers.pick(Id::Region, layers::text_or_none, s3.region);
        let folder = layers.pick(Id::Folder, layers::text_or_none, s3.folder);
        if name.is_none() && layers.knows(&[Id::BucketName]) {
            let wrong = Wrong::new(
                "is about a bucket, but none is named",
                "give --bucket-name, ROLLSNAP_BUCKET_NAME, or bucket_name in s3backupconfig",
            );
            layers.fault(wanted, wrong);
        }
        // What is missing is a fault by now: an empty text in its place is used by nobody.
        let nothing = || Sourced::default(String::new());
        let not_empty = |said: &Sourced<String>| !said.value.is_empty();
        let bucket = Self {
            name: name.unwrap_or_else(nothing),
            endpoint: endpoint.unwrap_or_else(nothing),
            custom_ca: custom_ca.filter(not_empty),
            region: region.filter(not_empty),
            folder: folder.filter(not_empty),
            keys,
            addressing,
            insecure_skip_verify: insecure,
            writing,
            upload_rate,
            verify_remote,
        };
        bucket.check(layers);
        bucket
    }
}
