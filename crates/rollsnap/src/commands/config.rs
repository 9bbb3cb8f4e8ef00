//! `rollsnap config check` and `rollsnap config show`.

use serde::Serialize;

use super::Context;
use crate::config::{Row, Settings, as_table};
use crate::output;
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
    context.settings_with_etcd()?;
    output::tell(context.format, &Checked { valid: true }, || {
        "the configuration is right\n".to_owned()
    })
}

pub(super) fn show(context: &Context) -> Result<(), Failure> {
    let shown = Shown {
        settings: Settings::resolve_with_etcd(context.inputs())?.report(),
    };
    output::tell(context.format, &shown, || as_table(&shown.settings))
}
