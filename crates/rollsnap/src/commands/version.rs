//! `rollsnap version`.

use serde::Serialize;

use crate::output::{self, Format};

#[derive(Serialize)]
struct Version {
    version: &'static str,
    manifest_format: u32,
}

pub(super) fn run(format: Format) {
    let version = Version {
        version: env!("CARGO_PKG_VERSION"),
        manifest_format: rollsnap_engine::manifest::FORMAT,
    };
    match format {
        Format::Text => output::print(&format!("rollsnap {}\n", version.version)),
        Format::Json => output::print_json(&version),
    }
}
