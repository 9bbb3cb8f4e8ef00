//! What every object of the bucket is written with: class, tags, encryption, lock.

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rollsnap_rke::Wrong;
use rollsnap_rke::cluster_yml::{self, S3BackupConfig, Sse};
use rollsnap_rke::duration;
use rollsnap_store::s3::{self, CustomerKey, Encryption, LockMode};

use super::layers::{self, Layers, io_words, located_path, shortened};
use super::options::Id;
use super::{Origin, Sourced};

/// Most bytes of a key file that are read: more than any form of 32 bytes has.
const MAX_KEY: u64 = 1024;

/// What every object is written with. What nobody said is the bucket's own default.
#[derive(Debug, Clone, Default)]
pub struct Writing {
    /// The storage class.
    pub storage_class: Option<Sourced<String>>,
    /// Tags, each a key and a value.
    pub tags: Option<Sourced<Vec<(String, String)>>>,
    /// Who encrypts.
    pub sse: Option<Sourced<Sse>>,
    /// The key service's key; only with [`Sse::Kms`].
    pub kms_key_id: Option<Sourced<String>>,
    /// Our own key; there if and only if it is [`Sse::Customer`].
    pub customer_key: Option<Sourced<CustomerKey>>,
    /// Who may lift the lock; there if and only if `lock_period` is.
    pub lock_mode: Option<Sourced<cluster_yml::LockMode>>,
    /// How long an object is locked.
    pub lock_period: Option<Sourced<Duration>>,
    /// Whether each is held until somebody lifts the hold.
    pub legal_hold: Option<Sourced<bool>>,
}

impl Writing {
    pub(super) fn of(layers: &mut Layers<'_>, s3: &S3BackupConfig) -> Self {
        let tags = layers.pick(Id::Tags, words, s3.tags.clone());
        let class = s3.storage_class.clone();
        let file = located_path(s3.sse_customer_key_file.clone());
        let mode = s3.object_lock_mode.clone();
        let period = s3.object_lock_period.clone();
        let key_file = layers.pick(Id::SseCustomerKeyFile, layers::path, file);
        let mut writing = Self {
            storage_class: layers.pick(Id::StorageClass, layers::text, class),
            tags: tags.and_then(|said| pairs(layers, said)),
            sse: layers.pick(Id::Sse, Sse::parse, s3.sse.clone()),
            kms_key_id: layers.pick(Id::KmsKeyId, layers::text, s3.kms_key_id.clone()),
            customer_key: None,
            lock_mode: layers.pick(Id::ObjectLockMode, cluster_yml::LockMode::parse, mode),
            lock_period: layers.pick(Id::ObjectLockPeriod, duration::parse, period),
            legal_hold: layers.pick(Id::LegalHold, layers::switch, s3.legal_hold.clone()),
        };
        writing.check_encryption(layers, key_file);
        writing.check_lock(layers);
        writing
    }

    /// The same as `rollsnap-store` takes it.
    pub(super) fn for_store(&self) -> s3::Writing {
        let kms_key = || self.kms_key_id.as_ref().map(|said| said.value.clone());
        let encryption = match self.sse.as_ref().map(|said| said.value) {
            None => None,
            Some(Sse::S3) => Some(Encryption::S3),
            Some(Sse::Kms) => Some(Encryption::Kms { key: kms_key() }),
            Some(Sse::Customer) => {
                let key = self.customer_key.as_ref();
                key.map(|said| Encryption::Customer(said.value.clone()))
            }
        };
        let mode = self.lock_mode.as_ref().map(|said| match said.value {
            cluster_yml::LockMode::Governance => LockMode::Governance,
            cluster_yml::LockMode::Compliance => LockMode::Compliance,
        });
        let period = self.lock_period.as_ref().map(|said| said.value);
        s3::Writing {
            storage_class: self.storage_class.as_ref().map(|said| said.value.clone()),
            tags: self
                .tags
                .as_ref()
                .map_or_else(Vec::new, |said| said.value.clone()),
            encryption,
            lock: mode
                .zip(period)
                .map(|(mode, period)| s3::Lock { mode, period }),
            legal_hold: self.legal_hold.as_ref().is_some_and(|said| said.value),
        }
    }

    /// Who said the value of a key of `s3backupconfig`, called as there; none of another's key.
    pub(super) fn origin_of(&self, key: &str) -> Option<&Origin> {
        fn of<T>(said: Option<&Sourced<T>>) -> Option<&Origin> {
            said.map(|said| &said.origin)
        }
        match key {
            "storage_class" => of(self.storage_class.as_ref()),
            "tags" => of(self.tags.as_ref()),
            "sse" => of(self.sse.as_ref()),
            "kms_key_id" => of(self.kms_key_id.as_ref()),
            "sse_customer_key_file" => of(self.customer_key.as_ref()),
            "object_lock_mode" => of(self.lock_mode.as_ref()),
            "object_lock_period" => of(self.lock_period.as_ref()),
            "legal_hold" => of(self.legal_hold.as_ref()),
            _ => None,
        }
    }

    /// A key for another encryption than the one that was asked for would be used by nobody, and
    /// whoever wrote it believes that it is.
    fn check_encryption(&mut self, layers: &mut Layers<'_>, file: Option<Sourced<PathBuf>>) {
        let said = self.sse.as_ref().map(|said| said.value);
        let knows = layers.knows(&[Id::Sse]);
        if let Some(id) = &self.kms_key_id
            && said != Some(Sse::Kms)
            && knows
        {
            let wrong = Wrong::new("names a key that nothing uses", "give --sse kms too");
            layers.fault(&id.origin, wrong);
        }
        match (said, file) {
            (Some(Sse::Customer), Some(file)) => self.customer_key = customer_key(layers, file),
            (_, Some(file)) if knows => {
                let wrong = Wrong::new("names a key that nothing uses", "give --sse customer too");
                layers.fault(&file.origin, wrong);
            }
            (Some(Sse::Customer), None) if layers.knows(&[Id::SseCustomerKeyFile]) => {
                let Some(sse) = &self.sse else { return };
                let wrong = Wrong::new(
                    "wants a key of your own",
                    "give a file of 32 random bytes with --sse-customer-key-file",
                );
                layers.fault(&sse.origin, wrong);
            }
            _ => {}
        }
    }

    fn check_lock(&mut self, layers: &mut Layers<'_>) {
        if !layers.knows(&[Id::ObjectLockMode, Id::ObjectLockPeriod]) {
            return;
        }
        let (origin, cure) = match (&self.lock_mode, &self.lock_period) {
            (Some(mode), None) => (&mode.origin, "say for how long: --object-lock-period"),
            (None, Some(period)) => (
                &period.origin,
                "say who may lift the lock: --object-lock-mode governance or compliance",
            ),
            _ => return,
        };
        layers.fault(origin, Wrong::new("is only half of a lock", cure));
    }
}

#[expect(clippy::unnecessary_wraps, reason = "one of several parsers")]
fn words(text: &str) -> Result<Vec<String>, Wrong> {
    Ok(text.split(',').map(|word| word.trim().to_owned()).collect())
}

/// Tags of texts such as `team=etcd`.
fn pairs(
    layers: &mut Layers<'_>,
    said: Sourced<Vec<String>>,
) -> Option<Sourced<Vec<(String, String)>>> {
    let mut pairs = Vec::new();
    for text in &said.value {
        let Some((key, value)) = text.split_once('=').filter(|(key, _)| !key.is_empty()) else {
            let what = format!("holds {:?}", shortened(text));
            let wrong = Wrong::new(what, "write key=value, several with commas between them");
            layers.fault_of(Id::Tags, &said.origin, wrong);
            return None;
        };
        pairs.push((key.to_owned(), value.to_owned()));
    }
    Some(said.map(|_| pairs))
}

/// The key in a file that holds its 32 bytes, or their base64 text, and nothing else.
fn customer_key(layers: &mut Layers<'_>, file: Sourced<PathBuf>) -> Option<Sourced<CustomerKey>> {
    let shown = file.value.display();
    let wrong = match layers.inputs.files.read(&file.value, MAX_KEY) {
        Err(error) => format!("{shown} cannot be read: {}", io_words(&error)),
        Ok(bytes) => match key_of(&bytes) {
            Some(key) => return Some(file.map(|_| CustomerKey::new(key))),
            None => format!("{shown} holds no key of 32 bytes"),
        },
    };
    let wrong = Wrong::new(wrong, "make one: openssl rand -base64 32");
    layers.fault_of(Id::SseCustomerKeyFile, &file.origin, wrong);
    None
}

fn key_of(bytes: &[u8]) -> Option<[u8; 32]> {
    let decoded = || STANDARD.decode(bytes.trim_ascii()).ok()?.try_into().ok();
    bytes.try_into().ok().or_else(decoded)
}
