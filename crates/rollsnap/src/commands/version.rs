//! `rollsnap version`.

use serde::Serialize;

use crate::output::{self, Format};
use crate::report::Failure;

#[derive(Serialize)]
struct Version {
    version: &'static str,
    manifest_format: u32,
}

pub(super) fn run(format: Format) -> Result<(), Failure> {
    let version = Version {
        version: env!("CARGO_PKG_VERSION"),
        manifest_format: rollsnap_engine::manifest::FORMAT,
    };
    output::tell(format, &version, || {
        format!("rollsnap {}\n", version.version)
    })
}
