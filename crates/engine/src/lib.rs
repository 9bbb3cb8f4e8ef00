//! Decides what is saved, kept and copied, and carries it out.
//!
//! *Decide purely, act plainly*: [`schedule`] and [`retention`] are functions of their arguments,
//! time included; [`pipeline`] shows a whole save on one page; [`roller`] is the one loop that
//! owns state. Everything that happens is told as an [`event`].

pub mod backoff;
pub mod bundle;
pub mod catalog;
pub mod clock;
pub mod codec;
pub mod compare;
pub mod coverage;
pub mod debt;
pub mod drafts;
pub mod drill;
pub mod drills;
pub mod enclosure;
pub mod event;
pub mod examine;
pub mod follow;
pub mod gentle;
mod growth;
pub mod image;
pub mod key_index;
pub mod kind;
mod leftovers;
pub mod look;
pub mod manifest;
pub mod mirror;
pub mod name;
pub mod outlook;
mod pace;
pub mod pipeline;
pub mod plain;
pub mod proof;
mod proofs;
pub mod prune;
pub mod quarantine;
pub mod read_back;
mod readings;
pub mod reconcile;
pub mod recurring;
mod replacement;
pub mod restore;
pub mod retention;
pub mod roller;
pub mod room;
mod rounds;
pub mod save_error;
pub mod schedule;
pub mod standing;
pub mod tended;
pub mod tickets;
mod transfer;
mod worthy;

pub use catalog::{Catalog, Entry, Standing};
pub use clock::{Clock, SystemClock};
pub use codec::Codec;
pub use event::{Event, Observer};
pub use kind::Kind;
pub use manifest::Manifest;
pub use name::SnapshotName;
