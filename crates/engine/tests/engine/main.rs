//! The engine against scripted doors: what it saves, keeps and copies, whatever goes wrong.
//!
//! Time is tokio's and stands still until everything waits, so that a year is over in seconds.

mod bench;
mod clocks;
mod compared;
mod cut;
mod deep;
mod dropped;
mod effects;
mod encoded;
mod examined;
mod indexed;
mod mirrored;
mod read_back;
mod recorded;
mod rotated;
mod saved;
mod stopped;
mod timed;
mod year;
