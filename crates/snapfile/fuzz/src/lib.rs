//! What the targets share: questions for any database, small databases to begin with, and ways to
//! make one hostile without breaking its seals.

pub mod forge;
pub mod questions;
pub mod seeds;
