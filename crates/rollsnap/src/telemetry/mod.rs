//! The log: where it goes, what passes, and how a line looks.

mod json;
mod line;
mod logfmt;

use std::io;
use std::sync::Arc;

use rollsnap_engine::Clock;
use tracing::Level;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::output;

/// How a line of the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// As logrus 1.x writes it: `time="…" level=info msg="…" key=value`.
    #[default]
    Logfmt,
    /// As logrus 0.10 wrote it, for readers of `rolling-backup`'s log.
    OldLogfmt,
    /// One JSON object a line, with the same keys in the same order.
    Json,
}

/// How much is said.
#[derive(Debug, Clone, Default)]
pub enum Verbosity {
    /// What an operator wants to know.
    #[default]
    Normal,
    /// What somebody who looks for a fault wants to know.
    Debug,
    /// `RUST_LOG`'s directives.
    Directives(String),
}

/// Libraries whose finer levels print headers and frames, and with them session tokens. They
/// are never heard below `info`, whatever `RUST_LOG` says.
const WIRE: [&str; 7] = [
    "h2",
    "hyper",
    "hyper_util",
    "reqwest",
    "rustls",
    "tonic",
    "tower",
];

/// Starts the log on standard error. Once per process; later calls are ignored.
///
/// Directives that cannot be read are an error that names them.
pub fn start(format: Format, verbosity: &Verbosity, clock: Arc<dyn Clock>) -> Result<(), String> {
    let filter = match verbosity {
        Verbosity::Normal => EnvFilter::new("warn,rollsnap=info"),
        Verbosity::Debug => EnvFilter::new("info,rollsnap=debug"),
        Verbosity::Directives(text) => EnvFilter::try_new(text)
            .map_err(|error| format!("RUST_LOG: {error}: write for instance rollsnap=debug"))?,
    };
    let quiet = tracing_subscriber::filter::filter_fn(|metadata| {
        let krate = metadata.target().split("::").next().unwrap_or_default();
        *metadata.level() <= Level::INFO || !WIRE.contains(&krate)
    });
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(false)
        .event_format(line::Lines { format, clock });
    // Already started: a second call in one process, as tests make it.
    drop(
        tracing_subscriber::registry()
            .with(filter)
            .with(quiet)
            .with(lines)
            .try_init(),
    );
    Ok(())
}

/// Writes the line with which the program ends without having done its work, whatever is
/// filtered: the last one, which is all that RKE shows of a log.
pub fn fatal(format: Format, clock: &dyn Clock, message: &str, hint: Option<&str>) {
    let line = line::Line {
        time: line::time(clock),
        level: "fatal",
        message: message.to_owned(),
        fields: Vec::from_iter(hint.map(|hint| ("hint", line::Value::Text(hint.to_owned())))),
    };
    output::complain(&line::render(format, &line));
}
