//! Bytes a second as people write them: `20MB`, `512KiB/s`, or a bare number of bytes.

use std::num::NonZeroU64;

use crate::Wrong;

/// Slowest rate that is taken, in bytes a second: below it a part would be older than the
/// patience of most servers before its last byte is sent.
pub const SLOWEST: u64 = 64 << 10;

/// Units with their bytes. Without `i` they are powers of ten, as disks and lines are sold.
const UNITS: [(&str, u64); 11] = [
    ("", 1),
    ("b", 1),
    ("k", 1_000),
    ("kb", 1_000),
    ("kib", 1 << 10),
    ("m", 1_000_000),
    ("mb", 1_000_000),
    ("mib", 1 << 20),
    ("g", 1_000_000_000),
    ("gb", 1_000_000_000),
    ("gib", 1 << 30),
];

/// Reads a rate of at least [`SLOWEST`]. Letters may be of either case, but for bits: `Mb` and
/// `Mbit` are refused, for they would be eight times less than whoever wrote them gets.
pub fn parse(text: &str) -> Result<NonZeroU64, Wrong> {
    let shown = || format!("is {:?}", text.chars().take(40).collect::<String>());
    let wrong = |cure: &str| Wrong::new(shown(), cure);
    let rate = text.trim();
    let rate = rate.strip_suffix("/s").unwrap_or(rate).trim_end();
    let digits = rate.len() - rate.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = rate.split_at(digits);
    let unit = unit.trim_start();
    let lower = unit.to_ascii_lowercase();
    if lower.contains("bit") || lower.contains("bps") || (unit.len() == 2 && unit.ends_with('b')) {
        return Err(wrong(
            "bits are no unit here: write bytes a second such as 20MB",
        ));
    }
    let bytes = UNITS.iter().find(|(name, _)| *name == lower);
    let (Ok(number), Some((_, bytes))) = (number.parse::<u64>(), bytes) else {
        return Err(wrong("write whole bytes a second such as 20MB or 512KiB"));
    };
    let rate = number
        .checked_mul(*bytes)
        .ok_or_else(|| wrong("that is faster than any line: leave it out"))?;
    NonZeroU64::new(rate)
        .filter(|rate| rate.get() >= SLOWEST)
        .ok_or_else(|| wrong("write at least 64KiB; for no limit leave it out"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_in_powers_of_ten_and_of_two() {
        for (text, bytes) in [
            ("20MB", 20_000_000),
            ("20 MB/s", 20_000_000),
            ("20mB", 20_000_000),
            ("5M", 5_000_000),
            ("512KiB", 524_288),
            ("64kib", 65_536),
            ("1GiB/s", 1 << 30),
            ("100000", 100_000),
            ("100000B", 100_000),
        ] {
            assert_eq!(parse(text).map(NonZeroU64::get), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_could_mean_something_else_is_refused_with_a_cure() {
        for (text, cure) in [
            ("20Mb", "bits are no unit"),
            ("100Mbit", "bits are no unit"),
            ("100Mbps", "bits are no unit"),
            ("20MiBs", "write whole bytes a second"),
            ("1.5MB", "write whole bytes a second"),
            ("-1MB", "write whole bytes a second"),
            ("MB", "write whole bytes a second"),
            ("", "write whole bytes a second"),
            ("20TB", "write whole bytes a second"),
            ("99999999999999999999MB", "write whole bytes a second"),
            ("18446744073709551615GB", "faster than any line"),
            ("0", "at least 64KiB"),
            ("20", "at least 64KiB"),
            ("0GB", "at least 64KiB"),
        ] {
            let wrong = parse(text).unwrap_err();
            assert!(wrong.cure.contains(cure), "{text}: {wrong}");
        }
    }
}
