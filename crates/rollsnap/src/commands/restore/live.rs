//! The live cluster beside a restore: whether one answers, and what it has to lose.

use std::sync::Arc;
use std::time::Duration;

use rollsnap_etcd::{ErrorKind, MemberStatus, Members, Source as _};
use tokio::time::timeout;

use super::Context;
use crate::assembly;
use crate::cli::restore::Restore;
use crate::config::{Origin, Settings};
use crate::report::{Failure, chain};

/// How long a member may take to answer: mostly they are gone, and nobody waits for the dead.
const EACH: Duration = Duration::from_secs(2);

/// The same of all of them.
const ALL: Duration = Duration::from_secs(5);

/// Whether one answers.
pub(super) enum Live {
    /// Nobody named one, or wanted it asked.
    Unasked,
    /// None does, for this reason.
    Silent(String),
    /// One does, and refuses to be asked.
    Refuses(Failure),
    /// One does.
    There(Arc<Members>, Box<MemberStatus>),
}

impl Live {
    /// The revision that clients may know of it.
    pub(super) fn revision(&self) -> Option<u64> {
        match self {
            Self::There(_, status) => Some(status.revision),
            _ => None,
        }
    }
}

/// Asks those that somebody named: what answers where etcd usually is may be anybody's.
pub(super) async fn ask(context: &Context, request: &Restore) -> Live {
    let settings = Settings::read(context.inputs()).0;
    if request.no_safety || settings.etcd.endpoints.origin == Origin::Default {
        return Live::Unasked;
    }
    let members = match assembly::source_to_try(&settings, EACH) {
        Ok(members) => members,
        Err(failure) => return Live::Silent(failure.message),
    };
    match timeout(ALL, members.status()).await {
        Ok(Ok(status)) => Live::There(members, Box::new(status)),
        Ok(Err(error)) => match error.kind() {
            ErrorKind::Denied | ErrorKind::Config => Live::Refuses(error.into()),
            _ => Live::Silent(chain(&error)),
        },
        Err(_) => Live::Silent(format!("no answer for {ALL:?}")),
    }
}

/// A snapshot that could not be taken stops the restore, and nothing was touched.
pub(super) fn not_saved(failure: Failure) -> Failure {
    let message = format!(
        "restore: a live member answers, and could not be saved first: {}",
        failure.message
    );
    let hint = match failure.hint {
        Some(hint) => format!("{hint}; --no-safety restores without"),
        None => "--no-safety restores without".to_owned(),
    };
    Failure::new(failure.kind, message).with_hint(hint)
}
