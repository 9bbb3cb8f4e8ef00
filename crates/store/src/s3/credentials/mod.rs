//! Whose requests they are, and from where the keys come.
//!
//! | module | owns |
//! |---|---|
//! | `keys` | the keys of one store, asked for before each try of a request |
//! | `pair` | an access key with its secret |
//! | `key_files` | keys in files of their own |
//! | `surroundings` | the variables by which keys are looked up |
//! | `chain` | the usual places in their order |
//! | `profile`, `ini` | the files that AWS' tools share |
//! | `giver` | those who give keys out for a time: `sts`, `role`, `container`, `instance` |
//! | `tenancy` | keys that are held for a time, and renewed before it ends |
//! | `lease`, `line` | what a giver gave, and how it is asked |
//! | `no_keys` | why there are none |
//!
//! aws-creds, which rust-s3 brings along, is not used: it knows neither profiles by name nor roles,
//! renews keys only once they have expired, and asks EC2 by the old, unsafe way too.

mod chain;
mod container;
mod giver;
mod ini;
mod instance;
mod key_files;
mod keys;
mod lease;
mod line;
mod no_keys;
mod pair;
mod profile;
mod role;
mod sts;
mod surroundings;
mod tenancy;

pub use self::key_files::{KeyFiles, KeyText};
pub(super) use self::keys::Keys;
pub(super) use self::no_keys::NoKeys;
pub use self::pair::Credentials;
pub use self::surroundings::Surroundings;

/// From where the keys come.
#[derive(Debug, Clone)]
pub enum CredentialSource {
    /// These keys, as long as the store lives.
    Keys(Credentials),
    /// Keys in files, read anew before each use.
    Files(KeyFiles),
    /// The usual places of AWS' tools in their order: environment, shared files, web identity,
    /// container, EC2 instance.
    Chain(Surroundings),
    /// None: requests are not signed.
    Anonymous,
}

impl Default for CredentialSource {
    fn default() -> Self {
        Self::Keys(Credentials::default())
    }
}

impl From<Credentials> for CredentialSource {
    fn from(keys: Credentials) -> Self {
        Self::Keys(keys)
    }
}
