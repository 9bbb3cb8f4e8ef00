//! A machine whose clock is wrong, before servers that refuse its signatures.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{TimeDelta, Utc};
use rollsnap_store::s3::Clock;
use rollsnap_store::{Effort, Outcome};
use rollsnap_testkit::s3_proxy::S3Proxy;
use rollsnap_testkit::s3_real::{Radosgw, Rclone};

use super::*;

/// A clock that is so many seconds ahead of the right one, changed at will.
fn clock(ahead: &Arc<AtomicI64>) -> Clock {
    let ahead = Arc::clone(ahead);
    #[expect(clippy::disallowed_methods, reason = "the servers' clocks are real")]
    Clock::new(move || Utc::now() + TimeDelta::seconds(ahead.load(Ordering::Relaxed)))
}

/// Both ways: the first request of a run is refused once, and nothing after it; a clock that is
/// set right is noticed the same way.
async fn is_signed_for_by_the_servers_clock(endpoint: &str) {
    let proxy = S3Proxy::before(endpoint).await;
    for wrong in [3600, -3600] {
        let ahead = Arc::new(AtomicI64::new(wrong));
        let mut config = config(proxy.endpoint());
        config.tuning.clock = clock(&ahead);
        config.region = Some("us-east-1".into());
        let store = S3Store::open(&config).unwrap();
        proxy.forget();
        store.check_bucket().await.unwrap();
        assert_eq!(proxy.seen().len(), 2, "refused once, then not");
        proxy.forget();
        put(&store, "snapshot", b"whenever").await.unwrap();
        assert_eq!(get(&store, "snapshot").await.unwrap(), b"whenever");
        assert_eq!(proxy.count(&Method::PUT, ""), 1);

        let told = store.remarks();
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(store.remarks(), [], "told twice");

        let probes = store.probe(Effort::Harmless).await;
        let found = probes.iter().find(|probe| probe.what == "clock").unwrap();
        let side = if wrong > 0 { "ahead of" } else { "behind" };
        assert!(
            matches!(&found.outcome, Outcome::Weak { message, hint }
                if message.contains(side) && hint.contains("NTP")),
            "{found:?}"
        );

        ahead.store(0, Ordering::Relaxed);
        assert_eq!(get(&store, "snapshot").await.unwrap(), b"whenever");
        let probes = store.probe(Effort::Harmless).await;
        let found = probes.iter().find(|probe| probe.what == "clock").unwrap();
        assert!(matches!(found.outcome, Outcome::Held(_)), "{found:?}");
    }
}

#[tokio::test]
async fn a_clock_that_is_an_hour_off_costs_rclone_one_refusal() {
    let server = Rclone::start(None).await;
    is_signed_for_by_the_servers_clock(server.endpoint()).await;
}

#[tokio::test]
async fn a_clock_that_is_an_hour_off_costs_ceph_one_refusal() {
    let server = Radosgw::start().await;
    is_signed_for_by_the_servers_clock(server.endpoint()).await;
}
