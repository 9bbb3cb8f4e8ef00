//! Everything that a command prints: the only place that writes to standard output and error.

use std::fmt;
use std::io::{self, BufWriter, IsTerminal, Write};

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
