//! A bucket as a store.
