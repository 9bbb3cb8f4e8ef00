//! The engine against scripted doors: what it saves, keeps and copies, whatever goes wrong.
//!
//! Time is tokio's and stands still until everything waits, so that a year is over in seconds.

mod bench;
mod bundled;
mod by_the_clock;
mod clocks;
mod compared;
mod cut;
mod deep;
mod drilled;
mod dropped;
mod effects;
mod enclosed;
mod encoded;
mod examined;
mod foreign;
mod gentle;
mod indexed;
mod mirrored;
mod namesakes;
mod plainly;
mod read_back;
mod recorded;
mod replaced;
mod rotated;
mod saved;
mod stopped;
mod timed;
mod year;
