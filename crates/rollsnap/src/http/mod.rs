//! What the daemon answers over HTTP: how it is, what it counts, what there is, and a snapshot on
//! request. Nothing here can hold up a save, and etcd asks nobody here.
//!
//! ```text
//! events ──┐
//! settings ┼── Shared ── health · metrics · api ── router ── door: port, TLS, Unix socket
//! listings ┘
//! ```

mod api;
mod auth;
mod door;
mod health;
pub mod metrics;
pub mod page;
mod request;
mod shared;
mod surroundings;
mod tls;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use rollsnap_engine::Clock;
use rollsnap_etcd::Members;
use rollsnap_store::local::LocalDir;
use tokio::sync::{Mutex, watch};
use tokio_util::task::AbortOnDropHandle;

use crate::config::{Http, Settings};

pub use request::{Answer, Request};
pub use shared::{InForce, LastFailure, Remote, Shared};
pub use surroundings::Surroundings;

/// Where requests for a snapshot come out, for one who carries them out at a time.
pub type Requests = Mutex<request::Waiting>;

/// Who sits at the door: answers where the settings say, from the first of them on.
pub struct Desk {
    shared: Arc<Shared>,
    wanted: watch::Sender<Option<Http>>,
    _attending: AbortOnDropHandle<()>,
}

impl Desk {
    /// Opens nothing yet. Dropped, it hangs up on everybody. The second is where requests for a
    /// snapshot come out.
    pub fn new(clock: Arc<dyn Clock>) -> (Self, Requests) {
        let (shared, waiting) = Shared::new(clock);
        let (wanted, heard) = watch::channel(None);
        let attending = tokio::spawn(door::attend(Arc::clone(&shared), heard));
        let desk = Self {
            shared,
            wanted,
            _attending: AbortOnDropHandle::new(attending),
        };
        (desk, Mutex::new(waiting))
    }

    /// What it answers from.
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Answers as these settings say from now on. Where nothing changed, nobody is disturbed.
    pub fn answer(&self, settings: &Settings, local: &LocalDir, members: &Arc<Members>) {
        self.shared.put_in_force(settings, local, members);
        self.wanted.send_if_modified(|wanted| {
            let is_new = wanted.as_ref() != Some(&settings.http);
            *wanted = Some(settings.http.clone());
            is_new
        });
    }
}

/// Every route. `docs/openapi.json` describes them, and a test compares it.
fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/", get(page::page))
        .route("/api/v1/status", get(page::status))
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(metrics::answer))
        .route("/api/v1/snapshots", get(api::list).post(api::take))
        .fallback(api::nowhere)
        .with_state(shared)
}
