//! The directory and the memory store against everything that a machine does to them.

mod contract;
