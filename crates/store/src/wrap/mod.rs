//! Stores around stores.

mod faulty;

pub use faulty::{Effect, Fault, Faults, Faulty};
