//! What etcd keeps in the database: revisions and the records under them.

mod revision;

pub use revision::{Revision, RevisionError, last_revision};
