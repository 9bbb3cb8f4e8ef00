//! The verbs that look inside a snapshot, and what they share: which keys are wanted, how a key
//! and a value are shown.

mod changes;
mod chart;
mod definitions;
mod diff;
pub(super) mod du;
mod find;
mod get;
mod history;
mod indexed;
mod legible;
mod listed;
mod ls;
mod patch;
mod value;
mod wanted;

use std::process::ExitCode;

use super::Context;
use crate::cli::look::Look;
use crate::report::Failure;

pub(super) async fn run(context: &Context, look: &Look) -> Result<ExitCode, Failure> {
    let done = |()| ExitCode::SUCCESS;
    match look {
        Look::Ls(ls) => ls::run(context, ls).await.map(done),
        Look::Get(get) => get::run(context, get).await.map(done),
        Look::Diff(diff) => diff::run(context, diff).await,
        Look::Du(du) => du::run(context, du).await.map(done),
    }
}
