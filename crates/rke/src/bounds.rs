//! How large and how small each value may be, wherever it comes from.

use crate::Wrong;

/// Fewest and most hours between two snapshots: one year at most.
pub const INTERVAL_HOURS: (u32, u32) = (1, 8760);
/// Fewest and most snapshots to keep.
pub const RETENTION_COUNT: (u32, u32) = (1, 100_000);
/// Fewest and most seconds for one attempt: one year at most.
pub const TIMEOUT_SECONDS: (u32, u32) = (1, 31_536_000);
/// Least and most that a thread may give way to others: Linux knows no more.
pub const NICE: (u32, u32) = (0, 19);

/// Checks a number of hours.
pub fn interval_hours(number: i128) -> Result<u32, Wrong> {
    within(number, INTERVAL_HOURS, "hours")
}

/// Checks a number of snapshots.
pub fn retention_count(number: i128) -> Result<u32, Wrong> {
    within(number, RETENTION_COUNT, "snapshots")
}

/// Checks a number of seconds for one attempt.
pub fn timeout_seconds(number: i128) -> Result<u32, Wrong> {
    within(number, TIMEOUT_SECONDS, "seconds")
}

/// Checks how much a thread gives way to others.
pub fn nice(number: i128) -> Result<u32, Wrong> {
    let (low, high) = NICE;
    let wrong = || Wrong::new(format!("is {number}"), format!("write {low} to {high}"));
    u32::try_from(number)
        .ok()
        .filter(|number| (low..=high).contains(number))
        .ok_or_else(wrong)
}

fn within(number: i128, (low, high): (u32, u32), noun: &str) -> Result<u32, Wrong> {
    u32::try_from(number)
        .ok()
        .filter(|number| (low..=high).contains(number))
        .ok_or_else(|| {
            Wrong::new(
                format!("is {number}"),
                format!("write {low} to {high} {noun}"),
            )
        })
}
