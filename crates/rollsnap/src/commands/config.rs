//! `rollsnap config check` and `rollsnap config show`.

use serde::Serialize;

use super::Context;
use crate::assembly;
use crate::config::{Row, as_table};
use crate::output::{self, Format};
use crate::report::Failure;

#[derive(Serialize)]
struct Checked {
    valid: bool,
}

#[derive(Serialize)]
struct Shown {
    settings: Vec<Row>,
}

/// Everything that can be known without asking etcd or the bucket: the files of certificates
/// are read, addresses are taken apart.
pub(super) fn check(context: &Context) -> Result<(), Failure> {
    let settings = context.settings()?;
    let parts = [
        assembly::source(&settings).map(drop),
        assembly::remote(&settings).map(drop),
    ];
    let mut failures = parts.into_iter().filter_map(Result::err);
    if let Some(mut first) = failures.next() {
        for other in failures {
            first.message = format!("{}\n{}", first.message, other.message);
        }
        return Err(first);
    }
    match context.format {
        Format::Text => output::print("the configuration is right\n"),
        Format::Json => output::print_json(&Checked { valid: true }),
    }
    Ok(())
}

pub(super) fn show(context: &Context) -> Result<(), Failure> {
    let settings = context.settings()?.report();
    match context.format {
        Format::Text => output::print(&as_table(&settings)),
        Format::Json => output::print_json(&Shown { settings }),
    }
    Ok(())
}
