//! Everything that a command prints: the only place that writes to standard output and error.

use std::fmt;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use rollsnap_store::StoreError;
use serde::Serialize;

use crate::report::Failure;

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs; the shapes are in `docs/json.md`.
    Json,
}

/// Prints a result in the format that was asked for.
pub fn tell(
    format: Format,
    json: &impl Serialize,
    text: impl FnOnce() -> String,
) -> Result<(), Failure> {
    match format {
        Format::Text => print(&text()),
        Format::Json => self::json(json),
    }
}

/// Prints a JSON document while it is made: one of many rows is never held whole.
pub fn json(document: &impl Serialize) -> Result<(), Failure> {
    pour(|out| {
        serde_json::to_writer_pretty(&mut *out, document)?;
        out.write_all(b"\n")
    })
}

/// Prints to standard output. A reader that went away (`| head`) is no failure; a result that
/// could not be written is one.
pub fn print(text: &str) -> Result<(), Failure> {
    pour(|out| out.write_all(text.as_bytes()))
}

/// Prints what `write` writes, as it comes. Failures as of [`print()`].
pub fn pour(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    let mut out = BufWriter::with_capacity(64 << 10, io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(StoreError::io("write to", "standard output", error).into())
        }
        _ => Ok(()),
    }
}

/// Whether results are seen by somebody, and not read by a program.
pub fn is_seen() -> bool {
    io::stdout().is_terminal()
}

/// Prints a line to standard error.
pub fn complain(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Bytes for people: `1.2 GiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size(pub u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut unit = 0_usize;
        let mut tenths = u128::from(self.0) * 10;
        while tenths >= 10_240 && unit + 1 < UNITS.len() {
            tenths /= 1024;
            unit += 1;
        }
        match unit {
            0 => write!(f, "{} B", self.0),
            unit => write!(f, "{}.{} {}", tenths / 10, tenths % 10, UNITS[unit]),
        }
    }
}

/// A time as every output has it: RFC 3339 in UTC, whole seconds.
pub fn moment(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// A time span for people, two units at most: `3h25m`, `12d6h`.
pub fn coarse(time: Duration) -> String {
    let minutes = time.as_secs() / 60;
    let (days, hours, minutes) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{}s", time.as_secs()),
        (0, 0, minutes) => format!("{minutes}m"),
        (0, hours, 0) => format!("{hours}h"),
        (0, hours, minutes) => format!("{hours}h{minutes}m"),
        (days, 0, _) => format!("{days}d"),
        (days, hours, _) => format!("{days}d{hours}h"),
    }
}

const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];

/// Rows of text in columns, the first row being the heading.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with this heading.
    pub fn new(heading: &[&str]) -> Self {
        Self {
            rows: vec![heading.iter().map(ToString::to_string).collect()],
        }
    }

    /// Adds a row.
    pub fn push(&mut self, row: Vec<String>) {
        self.rows.push(row);
    }

    /// The text, columns two spaces apart, no space at the end of a line.
    pub fn render(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let mut widths = vec![0; columns];
        for row in &self.rows {
            for (widest, cell) in widths.iter_mut().zip(row) {
                *widest = cell.chars().count().max(*widest);
            }
        }
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (cell, wide) in row.iter().zip(&widths) {
                line.push_str(cell);
                line.extend(std::iter::repeat_n(' ', wide + 2 - cell.chars().count()));
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// Writes rows in columns as [`Table::render`] does, without holding them: they are made twice.
pub fn columns<const N: usize>(
    out: &mut dyn Write,
    heading: [&str; N],
    rows: impl Iterator<Item = [String; N]> + Clone,
) -> io::Result<()> {
    let rows = std::iter::once(heading.map(str::to_owned)).chain(rows);
    let mut widths = [0; N];
    for row in rows.clone() {
        for (widest, cell) in widths.iter_mut().zip(&row) {
            *widest = cell.chars().count().max(*widest);
        }
    }
    for row in rows {
        let mut line = String::new();
        for (cell, wide) in row.iter().zip(widths) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', wide + 2 - cell.chars().count()));
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_has_two_units_at_most() {
        let of = |seconds| coarse(Duration::from_secs(seconds));
        assert_eq!(
            [of(5), of(65), of(3600), of(3720), of(90_000), of(172_800)],
            ["5s", "1m", "1h", "1h2m", "1d1h", "2d"]
        );
    }

    #[test]
    fn rows_come_out_alike_whether_they_are_held_or_not() {
        let rows = [["a", "1"], ["schlüssel", ""], ["b", "22222"]];
        let mut table = Table::new(&["NAME", "N"]);
        for row in rows {
            table.push(row.map(str::to_owned).to_vec());
        }
        let mut out = Vec::new();
        let rows = rows.iter().map(|row| row.map(str::to_owned));
        columns(&mut out, ["NAME", "N"], rows).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), table.render());
    }
}
