//! Everything that a command prints: the only place that writes to standard output and error.

use std::fmt;
use std::io::{self, Write};

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
        Format::Json => {
            let json = serde_json::to_string_pretty(json);
            print(&format!(
                "{}\n",
                json.expect("plain fields always serialise")
            ))
        }
    }
}

/// Prints to standard output. A reader that went away (`| head`) is no failure; a result that
/// could not be written is one.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(StoreError::io("write to", "standard output", error).into())
        }
        _ => Ok(()),
    }
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
