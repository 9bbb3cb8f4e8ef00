//! Durations as people write them: Go's form (`5m0s`, `1h30m`), which RKE documents, and
//! humantime's (`2days`, `1h 30m`).
//!
//! Both are read, with one trap taken out: in humantime `M` is a month, so that `5M` would be
//! 152 days where five minutes were meant. `M` is refused.

use std::fmt;
use std::time::Duration;

use crate::Wrong;

/// Shortest duration that is taken.
pub const SHORTEST: Duration = Duration::from_secs(1);
/// Longest duration that is taken: ten years of 365 days.
pub const LONGEST: Duration = Duration::from_secs(10 * 365 * 86_400);

/// Reads a duration between [`SHORTEST`] and [`LONGEST`].
pub fn parse(text: &str) -> Result<Duration, Wrong> {
    let shown = format!("is {:?}", text.chars().take(40).collect::<String>());
    let wrong = |cure: &str| Wrong::new(shown.clone(), cure);
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err(wrong("write a duration such as 5m0s, 12h or 2days"));
    }
    if trimmed.starts_with('-') {
        return Err(wrong(
            "a duration cannot be negative: write one such as 5m0s",
        ));
    }
    let unsigned = trimmed.strip_prefix('+').unwrap_or(trimmed);
    if unsigned
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.')
    {
        if unsigned.bytes().all(|byte| matches!(byte, b'0' | b'.')) {
            return Err(wrong("the shortest duration is 1s: write one such as 5m0s"));
        }
        let cure =
            format!("a unit is missing: write {unsigned}m0s for minutes or {unsigned}h for hours");
        return Err(wrong(&cure));
    }
    if let Some(number) = months(unsigned) {
        let cure = format!("M is no unit here: write {number}m for minutes");
        return Err(wrong(&cure));
    }
    let nanos = match go_nanos(unsigned) {
        Some(nanos) => nanos,
        None => match humantime::parse_duration(unsigned) {
            Ok(duration) => duration.as_nanos(),
            Err(humantime::DurationError::NumberOverflow) => u128::MAX,
            Err(_) => return Err(wrong("write a duration such as 5m0s, 12h or 2days")),
        },
    };
    if nanos < SHORTEST.as_nanos() {
        return Err(wrong("the shortest duration is 1s: write one such as 5m0s"));
    }
    if nanos > LONGEST.as_nanos() {
        return Err(wrong("the longest duration is 87600h (ten years)"));
    }
    u64::try_from(nanos)
        .map(Duration::from_nanos)
        .map_err(|_| wrong("the longest duration is 87600h (ten years)"))
}

/// Reads a duration as Go does (`time.ParseDuration`), zero included; none that is negative or
/// beyond Go's 292 years.
pub fn go(text: &str) -> Option<Duration> {
    let unsigned = text.strip_prefix('+').unwrap_or(text);
    if unsigned == "0" {
        return Some(Duration::ZERO);
    }
    let nanos = go_nanos(unsigned).filter(|_| !unsigned.is_empty())?;
    i64::try_from(nanos)
        .ok()?
        .try_into()
        .ok()
        .map(Duration::from_nanos)
}

/// The digits before a lone `M`, if there is one anywhere.
fn months(text: &str) -> Option<&str> {
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        let digits = rest.len()
            - rest
                .trim_start_matches(|c: char| c.is_ascii_digit() || c == '.')
                .len();
        let (number, tail) = rest.split_at(digits);
        let tail = tail.trim_start();
        let letters = tail.len() - tail.trim_start_matches(char::is_alphabetic).len();
        let (unit, tail) = tail.split_at(letters);
        if number.is_empty() || unit.is_empty() {
            return None;
        }
        if unit == "M" {
            return Some(number);
        }
        rest = tail;
    }
}

/// Go's `time.ParseDuration` without the sign, in nanoseconds; `u128::MAX` when it is too long
/// to count. None when the text is not of this form.
fn go_nanos(text: &str) -> Option<u128> {
    let mut total: u128 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let (whole, after) = digits(rest);
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => digits(after),
            None => ("", after),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let letters = after
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let unit = match unit {
            "ns" => 1,
            "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000_u128,
            _ => return None,
        };
        let whole = if whole.is_empty() {
            Some(0)
        } else {
            whole.parse::<u128>().ok()
        };
        let whole = whole
            .and_then(|whole| whole.checked_mul(unit))
            .unwrap_or(u128::MAX);
        // Digits past the eighteenth are below a nanosecond of any unit.
        let fraction = &fraction[..fraction.len().min(18)];
        let scale = 10_u128.pow(u32::try_from(fraction.len()).unwrap_or(18));
        let part = fraction.parse::<u128>().unwrap_or(0) * unit / scale;
        total = total.saturating_add(whole).saturating_add(part);
        rest = after;
    }
    Some(total)
}

fn digits(text: &str) -> (&str, &str) {
    text.split_at(
        text.find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len()),
    )
}

/// A duration as Go prints it: `5m0s`, `24h0m0s`, `1.5s`, `108.332814ms`, `0s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GoDuration(pub Duration);

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, nanos) = (self.0.as_secs(), self.0.subsec_nanos());
        if seconds == 0 {
            return match nanos {
                0 => f.write_str("0s"),
                1..1_000 => write!(f, "{nanos}ns"),
                1_000..1_000_000 => write!(f, "{}\u{b5}s", decimal(nanos.into(), 3)),
                _ => write!(f, "{}ms", decimal(nanos.into(), 6)),
            };
        }
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
        if hours > 0 {
            write!(f, "{hours}h")?;
        }
        if seconds >= 60 {
            write!(f, "{minutes}m")?;
        }
        let rest = seconds % 60 * 1_000_000_000 + u64::from(nanos);
        write!(f, "{}s", decimal(rest, 9))
    }
}

/// `units` with the last `places` digits behind the point, trailing zeros left out.
fn decimal(units: u64, places: u32) -> String {
    let scale = 10_u64.pow(places);
    let (whole, fraction) = (units / scale, units % scale);
    if fraction == 0 {
        return whole.to_string();
    }
    let width = places as usize;
    let text = format!("{whole}.{fraction:0width$}");
    text.trim_end_matches('0').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read() {
        for (text, seconds) in [
            ("5m0s", 300.0),
            ("24h", 86_400.0),
            ("1h30m", 5_400.0),
            ("72h0m0s", 259_200.0),
            ("1.5h", 5_400.0),
            (".5m", 30.0),
            ("1500ms", 1.5),
            ("2500000\u{b5}s", 2.5),
            ("+5m", 300.0),
            (" 5m ", 300.0),
            ("2days", 172_800.0),
            ("1h 30m", 5_400.0),
            ("1w", 604_800.0),
            ("87600h", 315_360_000.0),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_secs_f64(seconds)), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_the_cure() {
        for (text, complaint) in [
            (
                "5",
                r#"is "5"; a unit is missing: write 5m0s for minutes or 5h for hours"#,
            ),
            ("5M", r#"is "5M"; M is no unit here: write 5m for minutes"#),
            (
                "1h 5 M",
                r#"is "1h 5 M"; M is no unit here: write 5m for minutes"#,
            ),
            (
                "1000000h",
                r#"is "1000000h"; the longest duration is 87600h (ten years)"#,
            ),
            (
                "99999999999999999999999999999999999999999h",
                r#"is "9999999999999999999999999999999999999999"; the longest duration is 87600h (ten years)"#,
            ),
            (
                "99999999999999999999days",
                r#"is "99999999999999999999days"; the longest duration is 87600h (ten years)"#,
            ),
            (
                "-5m",
                r#"is "-5m"; a duration cannot be negative: write one such as 5m0s"#,
            ),
            (
                "0",
                r#"is "0"; the shortest duration is 1s: write one such as 5m0s"#,
            ),
            (
                "0h",
                r#"is "0h"; the shortest duration is 1s: write one such as 5m0s"#,
            ),
            (
                "999ms",
                r#"is "999ms"; the shortest duration is 1s: write one such as 5m0s"#,
            ),
            (
                "soon",
                r#"is "soon"; write a duration such as 5m0s, 12h or 2days"#,
            ),
            (
                "5 parsecs",
                r#"is "5 parsecs"; write a duration such as 5m0s, 12h or 2days"#,
            ),
            ("", r#"is ""; write a duration such as 5m0s, 12h or 2days"#),
            (
                "h",
                r#"is "h"; write a duration such as 5m0s, 12h or 2days"#,
            ),
            (
                "5h-3m",
                r#"is "5h-3m"; write a duration such as 5m0s, 12h or 2days"#,
            ),
        ] {
            assert_eq!(parse(text).unwrap_err().to_string(), complaint, "{text}");
        }
    }

    #[test]
    fn durations_print_as_go_prints_them() {
        for (nanos, text) in [
            (0, "0s"),
            (1, "1ns"),
            (1_100, "1.1\u{b5}s"),
            (108_332_814, "108.332814ms"),
            (1_000_000_000, "1s"),
            (1_500_000_000, "1.5s"),
            (60_000_000_000, "1m0s"),
            (86_400_000_000_000, "24h0m0s"),
            (3_600_000_000_001, "1h0m0.000000001s"),
        ] {
            assert_eq!(GoDuration(Duration::from_nanos(nanos)).to_string(), text);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in ".{0,60}") {
            let _ = parse(&text);
        }

        #[test]
        fn what_is_printed_is_read_back(nanos in 1_000_000_000_u64..315_360_000_000_000_000) {
            let duration = Duration::from_nanos(nanos);
            proptest::prop_assert_eq!(parse(&GoDuration(duration).to_string()), Ok(duration));
        }
    }
}
