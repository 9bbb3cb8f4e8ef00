//! What etcd keeps in the database: revisions and the records under them.

mod audit;
mod difference;
mod hashkv;
mod history;
mod latest;
mod member;
mod record;
mod revision;
mod scan;
mod status;
mod usage;
mod window;

pub(crate) use audit::Audit;
pub use difference::{Difference, difference};
pub use hashkv::{HashKv, hash_kv};
pub use history::{LiveKey, OwnedKey, get, live, versions};
pub(crate) use latest::fingerprint;
pub(crate) use member::id_of_members;
pub use member::{Member, cluster_id, members};
pub use record::{Record, RecordError};
pub(crate) use revision::KEY_BUCKET;
pub use revision::{Change, Revision, RevisionError, last_revision};
pub(crate) use scan::scan;
pub use status::Status;
pub(crate) use status::{Tally, record as record_of, tell_shares};
pub use usage::{BucketUsage, Fate, Stored, Usage, usage};
pub(crate) use window::Window;
pub use window::revisions;
