//! The board in 80 columns.

use std::fmt::Write as _;
use std::time::Duration;

use rollsnap_engine::manifest::{Method, Outcome};
use rollsnap_engine::standing::{Row, Standing, State, words};

use crate::output::{Size, Table};

/// Columns of a line.
const WIDTH: usize = 80;

/// Columns of the strip, whose ends are the oldest snapshot and now.
const STRIP: usize = 60;

/// Snapshots that have a line of their own.
const ROWS: usize = 12;

/// Most columns of a name.
const NAME: usize = 26;

/// How it is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// With colours, for a terminal.
    Coloured,
    /// In characters that everything can read, for a pipe.
    Plain,
}

/// Everything that is known, the headline first.
pub fn text(standing: &Standing, look: Look) -> String {
    let mut out = String::new();
    headline(&mut out, standing, look);
    facts(&mut out, standing);
    for finding in &standing.findings {
        let mark = look.paint(finding.level, look.mark(finding.level));
        lines(&mut out, &format!("{mark} "), "  ", &finding.text);
        lines(&mut out, "  ", "  ", &format!("cure: {}", finding.cure));
    }
    if !standing.findings.is_empty() {
        out.push('\n');
    }
    if !standing.snapshots.is_empty() {
        strip(&mut out, standing, look);
        table(&mut out, &standing.snapshots);
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

fn headline(out: &mut String, standing: &Standing, look: Look) {
    let headline = &standing.headline;
    let mut first = String::new();
    let mark = look.mark(headline.state);
    lines(&mut first, &format!("{mark} "), "  ", &headline.text);
    for line in first.lines() {
        // Writing to a text cannot fail, here and below.
        let _ = writeln!(out, "{}", look.paint(headline.state, line));
    }
    if !headline.detail.is_empty() {
        lines(out, "  ", "  ", &headline.detail);
    }
    out.push('\n');
}

fn facts(out: &mut String, standing: &Standing) {
    let now = standing.at;
    let mut rows = Vec::new();
    if let Some(next) = standing.next {
        let at = words::moment(next);
        rows.push((
            "next",
            match (next - now).to_std() {
                Ok(wait) if !wait.is_zero() => format!("in {}, at {at}", words::span(wait)),
                _ => format!(
                    "due for {}, since {at}",
                    words::span(words::since(next, now))
                ),
            },
        ));
    }
    let kept = standing.retention;
    let stay = match kept.keep {
        1 => "1 snapshot stays".to_owned(),
        many => format!("{many} snapshots stay"),
    };
    rows.push((
        "retention",
        match kept.delete {
            0 => stay,
            1 => format!("{stay}, 1 goes"),
            many => format!("{stay}, {many} go"),
        },
    ));
    if let Some(room) = standing.room {
        let (free, total) = (Size(room.free), Size(room.total));
        rows.push(("room", format!("{free} of {total} are free")));
    }
    for (what, text) in rows {
        let _ = writeln!(out, "  {what:<11}{text}");
    }
    out.push('\n');
}

/// One cell for each part of the time: what there is of it, at best.
fn strip(out: &mut String, standing: &Standing, look: Look) {
    let now = standing.at;
    let times = standing.snapshots.iter().filter_map(|row| row.taken_at);
    let Some(first) = times.min().filter(|first| *first < now) else {
        return;
    };
    let all = words::since(first, now);
    let mut cells = [Cell::Empty; STRIP];
    for row in &standing.snapshots {
        let Some(at) = row.taken_at else { continue };
        if let Some(cell) = cells.get_mut(place(words::since(first, at), all)) {
            *cell = (*cell).max(Cell::of(row));
        }
    }
    let strip: String = cells.iter().map(|cell| cell.drawn(look)).collect();
    let ago = format!("{} ago", words::span(all));
    let gap = STRIP.saturating_sub(ago.len() + "now".len());
    let _ = writeln!(out, "  {strip}\n  {ago}{:gap$}now", "");
    let legend = [Cell::Proved, Cell::Unproved, Cell::Broken, Cell::Empty];
    let legend: Vec<_> = legend
        .iter()
        .map(|cell| format!("{} {}", cell.drawn(look), cell.word()))
        .collect();
    let _ = writeln!(out, "  {}\n", legend.join("   "));
}

/// The cell of a moment.
fn place(since: Duration, all: Duration) -> usize {
    let (since, all) = (since.as_secs(), all.as_secs().max(1));
    let cells = u128::try_from(STRIP).unwrap_or(1);
    let place = u128::from(since) * cells / u128::from(all);
    usize::try_from(place).unwrap_or(STRIP).min(STRIP - 1)
}

/// What there is of a part of the time. The greater counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cell {
    Empty,
    Broken,
    Unproved,
    Proved,
}

impl Cell {
    fn of(row: &Row) -> Self {
        let is_broken = row.drill_result == Some(Outcome::Corrupt);
        match (row.standing, row.verified) {
            ("corrupt" | "suspect", _) => Self::Broken,
            _ if is_broken => Self::Broken,
            ("proved", Some(_)) => Self::Proved,
            _ => Self::Unproved,
        }
    }

    fn drawn(self, look: Look) -> char {
        match (self, look) {
            (Self::Proved, Look::Coloured) => '█',
            (Self::Unproved, Look::Coloured) => '▒',
            (Self::Broken, Look::Coloured) => '✗',
            (Self::Empty, Look::Coloured) => '·',
            (Self::Proved, Look::Plain) => '#',
            (Self::Unproved, Look::Plain) => '?',
            (Self::Broken, Look::Plain) => 'x',
            (Self::Empty, Look::Plain) => '.',
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Proved => "proved",
            Self::Unproved => "not proved",
            Self::Broken => "broken",
            Self::Empty => "none",
        }
    }
}

fn table(out: &mut String, rows: &[Row]) {
    let mut table = Table::new(&["  AGE", "SIZE", "TOOK", "PROVED", "WHERE", "NAME"]);
    let dash = || "-".to_owned();
    let span = |seconds| words::span(Duration::from_secs(seconds));
    for row in rows.iter().take(ROWS) {
        table.push(vec![
            format!("  {}", row.age_seconds.map_or_else(dash, span)),
            Size(row.size).to_string(),
            row.seconds.map_or_else(dash, took),
            match (row.standing, row.verified) {
                ("proved", Some(Method::Deep)) => "deep".to_owned(),
                ("proved", _) => "digest".to_owned(),
                (standing, _) => standing.to_owned(),
            },
            match row.stores.as_slice() {
                ["remote"] => "bucket",
                ["local"] => "here",
                _ => "both",
            }
            .to_owned(),
            shortened(&row.name),
        ]);
    }
    out.push_str(&table.render());
    if let Some(more) = rows.len().checked_sub(ROWS).filter(|more| *more > 0) {
        let _ = writeln!(out, "  and {more} more: rollsnap list");
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "seconds of a save, above one"
)]
fn took(seconds: f64) -> String {
    if seconds < 120.0 {
        return format!("{seconds:.1} s");
    }
    format!("{} min", (seconds / 60.0).round() as u64)
}

/// Without its middle: the time is at the end.
fn shortened(name: &str) -> String {
    let chars: Vec<_> = name.chars().collect();
    if chars.len() <= NAME {
        return name.to_owned();
    }
    let half = NAME / 2 - 1;
    let ends = chars.iter().take(half).chain(['.', '.'].iter());
    ends.chain(chars.iter().skip(chars.len() - half)).collect()
}

/// A text in lines of 80 columns, the first of them after `first`, the others after `then`, which
/// takes as many columns.
fn lines(out: &mut String, first: &str, then: &str, text: &str) {
    let wide = WIDTH - then.len();
    let mut line = String::new();
    let mut lead = first;
    for word in text.split_whitespace() {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > wide {
            let _ = writeln!(out, "{lead}{line}");
            (lead, line) = (then, String::new());
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    let _ = writeln!(out, "{lead}{line}");
}

impl Look {
    fn mark(self, state: State) -> &'static str {
        match (state, self) {
            (State::Held, Self::Coloured) => "✓",
            (State::Failed, Self::Coloured) => "✗",
            (State::Held, Self::Plain) => "+",
            (State::Failed, Self::Plain) => "x",
            (State::Weak, _) => "!",
        }
    }

    fn paint(self, state: State, text: &str) -> String {
        let colour = match state {
            State::Held => 32,
            State::Weak => 33,
            State::Failed => 31,
        };
        match self {
            Self::Coloured => format!("\u{1b}[1;{colour}m{text}\u{1b}[0m"),
            Self::Plain => text.to_owned(),
        }
    }
}
