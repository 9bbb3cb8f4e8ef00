//! What there is, and one more of it on request. `docs/openapi.json` describes the shapes.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Extension, State};
use axum::http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use rollsnap_engine::{Kind, SnapshotName};
use rollsnap_store::StoreError;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::timeout;

use super::auth::{self, Way};
use super::request::Busy;
use super::shared::Shared;
use crate::commands::list::Listing;
use crate::commands::save;
use crate::report::Failure;

/// The most bytes of a request's body.
const BODY: usize = 4096;

/// How long it may take to come.
const HASTE: Duration = Duration::from_secs(10);

/// What an error looks like, for programs: the words of the log.
#[derive(Debug, Serialize)]
struct Problem<'a> {
    error: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
}

/// What a snapshot is to be.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    name: Option<String>,
}

/// Whether this connection may outstay the usual time, for it waits for a snapshot.
#[derive(Debug, Clone)]
pub(super) struct Patience(Arc<watch::Sender<bool>>);

impl Default for Patience {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }
}

impl Patience {
    /// Whether it is asked for now.
    pub(super) fn is_asked(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until nobody waits.
    pub(super) async fn over(&self) {
        // The sender lives as long as we do.
        let _ = self.0.subscribe().wait_for(|waits| !waits).await;
    }
}

/// An answer in JSON.
pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    let text = serde_json::to_vec(body).expect("our shapes are JSON");
    let kind = HeaderValue::from_static("application/json");
    (status, [(CONTENT_TYPE, kind)], text).into_response()
}

fn problem(status: StatusCode, error: &str, hint: Option<&str>) -> Response {
    let kind = None;
    json(status, &Problem { error, kind, hint })
}

fn failed(status: StatusCode, failure: &Failure) -> Response {
    let problem = Problem {
        error: &failure.message,
        kind: Some(failure.kind.label()),
        hint: failure.hint.as_deref(),
    };
    json(status, &problem)
}

/// The directory cannot be read.
pub(super) fn unreadable(error: StoreError) -> Response {
    failed(StatusCode::SERVICE_UNAVAILABLE, &error.into())
}

/// Nothing is known yet.
pub(super) fn unread() -> Response {
    let status = StatusCode::SERVICE_UNAVAILABLE;
    problem(status, "the configuration has not been read yet", None)
}

/// Another path.
pub(super) async fn nowhere() -> Response {
    problem(
        StatusCode::NOT_FOUND,
        "there is nothing at this path",
        Some("docs/openapi.json tells what there is"),
    )
}

/// What `rollsnap list -o json` prints. The bucket's as the daemon read it last.
pub(super) async fn list(State(shared): State<Arc<Shared>>) -> Response {
    match shared.sight().await {
        None => unread(),
        Some(Err(error)) => unreadable(error),
        Some(Ok(sight)) => json(StatusCode::OK, &Listing::of(&sight, shared.now())),
    }
}

/// Takes one, and answers with what `rollsnap save -o json` prints.
pub(super) async fn take(
    State(shared): State<Arc<Shared>>,
    Extension(way): Extension<Way>,
    Extension(patience): Extension<Patience>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let token_file = shared.in_force().and_then(|it| it.token_file);
    if let Err(refusal) = auth::check(way, token_file.as_deref(), &headers).await {
        let (status, hint) = (refusal.status(), refusal.hint());
        let mut response = problem(status, refusal.message(), Some(hint));
        if status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(WWW_AUTHENTICATE, scheme);
        }
        return response;
    }
    let name = match wanted(body).await {
        Ok(name) => name,
        Err(response) => return *response,
    };
    patience.0.send_replace(true);
    let answer = shared.requests.ask(name).await;
    patience.0.send_replace(false);
    match answer {
        Ok(Ok(report)) => json(StatusCode::CREATED, &report),
        Ok(Err(failure)) => failed(status_of(&failure), &failure),
        Err(Busy::Another) => problem(
            StatusCode::CONFLICT,
            "another snapshot is being taken on request",
            Some("ask again when it is done"),
        ),
        Err(Busy::Leaving) => problem(
            StatusCode::SERVICE_UNAVAILABLE,
            "the daemon stops, or reads its configuration again",
            Some("ask again in a moment"),
        ),
    }
}

/// A name that is taken is the caller's affair, and everything else ours.
fn status_of(failure: &Failure) -> StatusCode {
    match failure.kind {
        Kind::Usage => StatusCode::CONFLICT,
        _ => StatusCode::BAD_GATEWAY,
    }
}

/// The name that is asked for: that of the body, if there is one.
async fn wanted(body: Body) -> Result<Option<SnapshotName>, Box<Response>> {
    let refused = |status, error: &str, hint| Err(Box::new(problem(status, error, Some(hint))));
    let hint = "send nothing, or {\"name\": \"before-upgrade\"}";
    let bytes = match timeout(HASTE, to_bytes(body, BODY)).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(_)) => {
            let status = StatusCode::PAYLOAD_TOO_LARGE;
            return refused(
                status,
                "the body is longer than 4096 bytes, or broken off",
                hint,
            );
        }
        Err(_) => {
            let status = StatusCode::REQUEST_TIMEOUT;
            return refused(status, "the body does not come", hint);
        }
    };
    if bytes.is_empty() {
        return Ok(None);
    }
    let wanted: Wanted = match serde_json::from_slice(&bytes) {
        Ok(wanted) => wanted,
        Err(error) => {
            let text = format!("the body is not what it should be: {error}");
            return refused(StatusCode::BAD_REQUEST, &text, hint);
        }
    };
    match wanted.name.map(|name| save::name(&name)).transpose() {
        Ok(name) => Ok(name),
        Err(failure) => Err(Box::new(failed(StatusCode::BAD_REQUEST, &failure))),
    }
}
