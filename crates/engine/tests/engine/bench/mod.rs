//! The engine between doors that a test holds: a scripted member, stores in memory that fail or
//! wait on demand, a clock that can be set, and a diary of everything told.

mod bucket;
mod clock;
mod cluster;
pub(crate) mod database;
mod diary;
mod drafts;
mod examiner;
mod gate;
mod member;
mod polls;
mod quarantine;
mod world;

pub(crate) use bucket::{Bucket, Deletes, Ways};
pub(crate) use clock::WallClock;
pub(crate) use cluster::{Cluster, Says};
pub(crate) use diary::{Diary, Told, chain};
pub(crate) use drafts::{LostDrafts, StoreDrafts};
pub(crate) use examiner::{FINDINGS, Finds, Script, index_of};
pub(crate) use gate::{Gate, Gated};
pub(crate) use member::{Answer, Member};
pub(crate) use polls::polled;
pub(crate) use quarantine::StoreQuarantine;
pub(crate) use world::{World, catalog, content, copied, decode, name_of, order, quiet, write};
