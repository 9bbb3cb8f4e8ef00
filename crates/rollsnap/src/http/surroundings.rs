//! What lies around the daemon and changes without it: the member, the disk, the certificates.
//! Looked at once a minute, so that no caller ever waits for any of it.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use rollsnap_etcd::{MemberStatus, SourceError, TlsFiles};
use rollsnap_store::local::Space;
use tokio::time::{Instant, sleep};

use super::shared::{InForce, Shared};

/// How often.
const EVERY: Duration = Duration::from_secs(60);

/// How often the certificates that members show are looked at, which takes a handshake.
const EVERY_SHOWN: Duration = Duration::from_secs(3600);

/// What was seen last.
#[derive(Debug, Default)]
pub struct Surroundings {
    /// The file system of the directory.
    pub space: Option<Space>,
    /// A member of etcd; `None` before it was asked.
    pub member: Option<Result<MemberStatus, SourceError>>,
    /// By label, the last second of each certificate, since 1970.
    pub certificates: BTreeMap<&'static str, u64>,
}

/// Looks for ever, and at once when other settings come into force.
pub(super) async fn watch(shared: &Shared) -> Infallible {
    let mut shown: Option<(Instant, Option<u64>)> = None;
    loop {
        let Some(in_force) = shared.in_force() else {
            shared.changed.notified().await;
            continue;
        };
        if shown.is_none_or(|(at, _)| at.elapsed() >= EVERY_SHOWN) {
            shown = Some((Instant::now(), shown_end(&in_force).await));
        }
        let end = shown.and_then(|(_, end)| end);
        shared.see(look(&in_force, end).await);
        tokio::select! {
            () = sleep(EVERY) => {}
            () = shared.changed.notified() => shown = None,
        }
    }
}

/// When the first of the members' certificates ends.
async fn shown_end(in_force: &InForce) -> Option<u64> {
    if !in_force.tls.is_given() {
        return None;
    }
    let checkups = in_force.members.check_up().await;
    checkups.iter().filter_map(|it| it.certificate_end).min()
}

async fn look(in_force: &InForce, shown: Option<u64>) -> Surroundings {
    use rollsnap_etcd::Source as _;
    let member = in_force.members.status().await;
    let (dir, tls, http) = (
        in_force.dir.clone(),
        in_force.tls.clone(),
        in_force.http_cert.clone(),
    );
    let read = tokio::task::spawn_blocking(move || {
        let mut ends = BTreeMap::new();
        for expiry in tls.expiries() {
            let label = if expiry.what == "CA" {
                "etcd_ca"
            } else {
                "etcd_client"
            };
            ends.insert(label, expiry.at);
        }
        let own = TlsFiles {
            cert: http,
            ..TlsFiles::default()
        };
        ends.extend(own.expiries().first().map(|expiry| ("http", expiry.at)));
        (Space::of(&dir).ok().flatten(), ends)
    });
    // An error only where the program is shutting down.
    let (space, mut certificates) = read.await.unwrap_or_default();
    certificates.extend(shown.map(|end| ("etcd_server", end)));
    Surroundings {
        space,
        member: Some(member),
        certificates,
    }
}
