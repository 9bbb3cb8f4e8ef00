//! To where a snapshot goes.
//!
//! A [`Store`] keeps whole objects under checked names. Whatever is written is invisible until
//! [`Upload::commit`], in a directory and in a bucket alike, so a save has one shape for both:
//! prepare, decide, commit. [`contract`] is the suite that every store passes.

pub mod contract;
pub mod error;
pub mod local;
mod mapped;
pub mod memory;
pub mod name;
mod probe;
mod remark;
pub mod s3;
mod store;
pub mod wrap;

pub use error::{ErrorKind, StoreError};
pub use name::{NameError, ObjectName};
pub use probe::{Effort, Outcome, Probe};
pub use remark::Remark;
pub use store::{
    BoxRead, Location, ObjectInfo, ReadBack, Spool, SpoolStore, Store, Tail, Terms, Ticket, Upload,
};
