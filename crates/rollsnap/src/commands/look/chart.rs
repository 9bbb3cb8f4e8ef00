//! Bars for people: 80 columns, live bytes full, history shaded.

use std::fmt::Write as _;

use super::du::Row;
use super::legible;
use crate::output::Size;

/// Columns of a line.
const WIDTH: usize = 80;

/// Most columns of a name.
const NAME: usize = 34;

/// Rows of their own; the others are one.
const ROWS: usize = 20;

/// A bar for each row, the greatest first, as they are sorted.
pub(super) fn of(by: &str, rows: &[Row]) -> String {
    let (shown, rest) = rows.split_at(rows.len().min(ROWS));
    let mut lines: Vec<_> = shown
        .iter()
        .map(|row| {
            let name = shortened(&legible::line(row.name.as_bytes()));
            (name, row.room.live_size, row.room.history_size)
        })
        .collect();
    if !rest.is_empty() {
        let sum = |of: fn(&Row) -> u64| rest.iter().map(of).fold(0, u64::saturating_add);
        let name = format!("({} others)", rest.len());
        lines.push((
            name,
            sum(|row| row.room.live_size),
            sum(|row| row.room.history_size),
        ));
    }
    let widest = lines.iter().map(|(name, ..)| name.chars().count()).max();
    let wide = widest.unwrap_or(0).max(by.len());
    let bar_wide = WIDTH.saturating_sub(wide + 2 + SIZE + 2);
    let all = |(_, live, history): &(String, u64, u64)| live.saturating_add(*history);
    let most = lines.iter().map(all).max().unwrap_or(0);
    let mut text = format!(
        "{:wide$}  {:>SIZE$}  █ live ▒ history\n",
        by.to_uppercase(),
        "SIZE"
    );
    for line in &lines {
        let (name, live, history) = line;
        let full = part(*live, most, bar_wide);
        let both = part(live.saturating_add(*history), most, bar_wide).max(full);
        let bar = "█".repeat(full) + &"▒".repeat(both - full);
        let size = Size(all(line)).to_string();
        // Writing to a text cannot fail.
        let _ = writeln!(
            text,
            "{}",
            format!("{name:wide$}  {size:>SIZE$}  {bar}").trim_end()
        );
    }
    text
}

/// Columns of a size: `1023.9 KiB`.
const SIZE: usize = 10;

/// The columns of a part, rounded.
fn part(size: u64, most: u64, wide: usize) -> usize {
    let (size, most) = (u128::from(size), u128::from(most.max(1)));
    let columns = (size * wide as u128 + most / 2) / most;
    usize::try_from(columns).unwrap_or(wide)
}

/// A name that is too long, without its middle: the end of a group tells as much as its head.
fn shortened(name: &str) -> String {
    let chars: Vec<_> = name.chars().collect();
    if chars.len() <= NAME {
        return name.to_owned();
    }
    let half = NAME / 2;
    let head = chars.iter().take(half - 1);
    let tail = chars.iter().skip(chars.len() - half);
    head.chain(&['…']).chain(tail).collect()
}

#[cfg(test)]
mod tests {
    use super::super::du::{Room, Row};
    use super::*;

    fn row(name: &str, live_size: u64, history_size: u64) -> Row {
        let room = Room {
            live_size,
            history_size,
            ..Room::default()
        };
        let name = name.to_owned();
        Row { name, room }
    }

    #[test]
    fn bars_are_as_long_as_what_they_stand_for() {
        let rows = [
            row("pods", 3 << 20, 1 << 20),
            row("events", 0, 2 << 20),
            row("(other)", 1, 0),
        ];
        let text = of("resource", &rows);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "RESOURCE        SIZE  █ live ▒ history");
        assert_eq!(lines[1].chars().count(), WIDTH, "{text}");
        let count = |line: &str, c| line.chars().filter(|it| *it == c).count();
        assert_eq!((count(lines[1], '█'), count(lines[1], '▒')), (44, 14));
        assert_eq!((count(lines[2], '█'), count(lines[2], '▒')), (0, 29));
        assert_eq!(lines[3], "(other)          1 B");
    }

    #[test]
    fn nothing_is_wider_than_a_terminal_nor_longer_than_a_screen() {
        let long = format!("{}.example.com", "x".repeat(90));
        let rows: Vec<_> = (0..50)
            .map(|n| row(&format!("{n}{long}"), 1 << 34, n))
            .collect();
        let text = of("resource", &rows);
        assert!(
            text.lines().all(|line| line.chars().count() <= WIDTH),
            "{text}"
        );
        assert_eq!(text.lines().count(), 1 + ROWS + 1);
        assert!(text.contains("(30 others)"), "{text}");
        assert!(
            text.contains("….example.com") || text.contains("x.example.com"),
            "{text}"
        );
        assert_eq!(of("prefix", &[]).lines().count(), 1);
    }
}
