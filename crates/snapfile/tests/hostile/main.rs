//! What hostile files cost: never more than the documentation of each call says, whatever they
//! claim. Time is counted in bytes read or in work that would never end; memory is the most that
//! the process ever held, so each of these tests needs a process of its own, as nextest gives it.

#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test that cannot be set up has failed, and its numbers are small"
)]

mod forged;

mod memory;
mod time;

use std::ops::ControlFlow;

use forged::Forged;
use rollsnap_snapfile::{Report, verify};

fn examine(file: &Forged) -> Report {
    verify(file, &mut |_| ControlFlow::Continue(())).unwrap()
}

fn faults(report: &Report) -> Vec<String> {
    report.findings.iter().map(ToString::to_string).collect()
}

#[track_caller]
fn assert_told(report: &Report, what: &str) {
    let faults = faults(report);
    assert!(
        faults.iter().any(|fault| fault.contains(what)),
        "{faults:#?}"
    );
}
