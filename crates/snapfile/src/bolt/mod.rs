//! The database file that etcd keeps and sends: bbolt's pages.
//!
//! Page *i* starts at `i x page size`. Pages 0 and 1 are metas; the one with the higher
//! transaction id that is valid names the root. Numbers are little endian (bbolt writes the
//! host's order; every host of etcd is little endian).

mod bits;
mod builder;
mod db;
mod meta;
mod page;
mod pages;
mod walk;

pub(crate) use bits::Bits;
pub use builder::{BuildError, Builder};
pub use db::{BoltError, Database};
pub use meta::Meta;
pub(crate) use walk::{Ended, Visitor, walk};
