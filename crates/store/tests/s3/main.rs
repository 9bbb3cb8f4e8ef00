//! The bucket store against real servers: the contract on three of them, and every fault that a
//! script can bring about.

#![expect(clippy::unwrap_used, reason = "panicking is how a test fails")]

mod clock;
mod contract;
mod credentials;
mod cut;
mod faults;
mod listing;
mod proxied;
mod refusals;
mod routes;
mod trial;
mod uploads;
mod writing;

use std::time::Duration;

use http::Method;
use rollsnap_store::s3::{Credentials, ProxyUse, S3Config, S3Store, Tuning};
use rollsnap_store::{ObjectName, Store, StoreError, Terms};
use rollsnap_testkit::s3_peer::{ACCESS_KEY, S3Peer, SECRET_KEY};

const BUCKET: &str = "snapshots";
/// The least that servers take.
const PART: usize = 5 * 1024 * 1024;

/// As in life, but with waits that a test can afford.
fn quick() -> Tuning {
    Tuning {
        connect_timeout: Duration::from_secs(5),
        stall_timeout: Duration::from_secs(20),
        first_delay: Duration::from_millis(5),
        max_delay: Duration::from_millis(100),
        part_size: PART,
        proxy: ProxyUse::Direct,
        ..Tuning::default()
    }
}

fn config(endpoint: impl Into<String>) -> S3Config {
    S3Config {
        endpoint: endpoint.into(),
        bucket: BUCKET.into(),
        folder: Some("clusters/east".into()),
        credentials: Credentials::new(ACCESS_KEY, SECRET_KEY).into(),
        tuning: quick(),
        ..S3Config::default()
    }
}

async fn peer() -> (S3Peer, S3Store) {
    let peer = S3Peer::start(BUCKET).await;
    let store = S3Store::open(&config(peer.endpoint())).unwrap();
    (peer, store)
}

fn name(text: &str) -> ObjectName {
    ObjectName::new(text).unwrap()
}

/// Bytes that show when parts are exchanged, repeated or missing.
fn pattern(size: usize) -> Vec<u8> {
    (0_u32..).flat_map(u32::to_le_bytes).take(size).collect()
}

async fn put(store: &S3Store, text: &str, content: &[u8]) -> Result<(), StoreError> {
    let mut upload = store.begin(&name(text), Terms::replacing()).await?;
    for piece in content.chunks(PART) {
        upload.write(piece.to_vec().into()).await?;
    }
    upload.commit().await?;
    Ok(())
}

async fn get(store: &S3Store, text: &str) -> Result<Vec<u8>, StoreError> {
    use futures_util::TryStreamExt as _;
    let pieces: Vec<_> = store.read(&name(text), None).await?.try_collect().await?;
    Ok(pieces.concat())
}

/// The error with all its causes and its hint: everything that an operator could see.
fn everything(error: &StoreError) -> String {
    let mut text = format!("{error} | {error:?}");
    let mut cause = std::error::Error::source(error);
    while let Some(below) = cause {
        text.extend([" | ", &below.to_string(), " | ", &format!("{below:?}")]);
        cause = below.source();
    }
    text.push_str(error.hint().unwrap_or_default());
    assert!(!text.contains(SECRET_KEY), "a secret is shown: {text}");
    text
}
