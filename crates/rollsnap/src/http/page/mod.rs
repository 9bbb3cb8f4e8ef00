//! The page for people, and the one question that it asks. It is one file; nothing in it comes from
//! elsewhere, and the browser is told so.

use std::sync::{Arc, LazyLock};

use axum::extract::State;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rollsnap_engine::standing::Trouble;
use sha2::{Digest as _, Sha256};

use super::api;
use super::shared::Shared;
use crate::board::{self, Around};

/// The whole of it.
pub const PAGE: &str = include_str!("page.html");

/// What a browser may do with it: run the one script and the one style that are in it, told by their
/// digests, and ask this server.
pub static POLICY: LazyLock<String> = LazyLock::new(|| {
    let digest = |tag: &str| {
        let (start, end) = (format!("<{tag}>"), format!("</{tag}>"));
        let inside = PAGE
            .split_once(&start)
            .and_then(|(_, it)| it.split_once(&end));
        let inside = inside.map_or("", |(inside, _)| inside);
        BASE64_STANDARD.encode(Sha256::digest(inside))
    };
    let (script, style) = (digest("script"), digest("style"));
    format!(
        "default-src 'none'; script-src 'sha256-{script}'; style-src 'sha256-{style}'; \
         connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    )
});

/// The page.
pub(super) async fn page() -> Response {
    let policy = HeaderValue::from_str(&POLICY).expect("digests are text");
    let is = HeaderValue::from_static;
    let headers = [
        (CONTENT_TYPE, is("text/html; charset=utf-8")),
        (CONTENT_SECURITY_POLICY, policy),
        (X_CONTENT_TYPE_OPTIONS, is("nosniff")),
        (REFERRER_POLICY, is("no-referrer")),
        (CACHE_CONTROL, is("no-cache")),
    ];
    (headers, PAGE).into_response()
}

/// What `rollsnap board -o json` prints, as far as the daemon knows it: the bucket's as it was read
/// last.
pub(super) async fn status(State(shared): State<Arc<Shared>>) -> Response {
    let (Some(in_force), Some(sight)) = (shared.in_force(), shared.sight().await) else {
        return api::unread();
    };
    let sight = match sight {
        Ok(sight) => sight,
        Err(error) => return api::unreadable(error),
    };
    let troubles: Vec<_> = shared
        .failures()
        .into_iter()
        .map(|(stage, failure)| Trouble {
            work: stage.as_str(),
            at: failure.at,
            kind: failure.kind,
            message: failure.message,
            cure: failure.hint,
        })
        .collect();
    let dir = in_force.dir.clone();
    let room = tokio::task::spawn_blocking(move || board::room(&dir)).await;
    let is_active = in_force.is_active;
    let around = Around {
        schedule: is_active.then_some(&in_force.schedule),
        next: shared.next().filter(|_| is_active),
        room: room.ok().flatten(),
        troubles: &troubles,
        now: shared.now(),
    };
    let standing = board::judge(&sight, &in_force.rules, &around);
    api::json(StatusCode::OK, &standing)
}
