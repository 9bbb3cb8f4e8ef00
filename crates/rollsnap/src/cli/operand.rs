//! The snapshot that a verb reads, as it stands on the command line.

use clap::Arg;

/// The argument's id.
pub const OPERAND: &str = "operand";

/// The argument of a verb that reads one snapshot, wherever it is.
pub fn operand() -> Arg {
    Arg::new(OPERAND)
        .value_name("SNAPSHOT")
        .required(true)
        .help(
            "The snapshot: its name, as list shows it, looked for in the directory, then as a \
             file here, then in the bucket; a file, which has a / in its path or a . at its \
             beginning; s3://BUCKET/KEY; or - for standard input. It may be raw, zip, gzip or \
             zstd.",
        )
}
