//! Uploads that can be trusted: checked, made once, gone on with, swept, and as fast as allowed.

use std::num::NonZeroU64;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use rollsnap_store::{ErrorKind, Terms, Ticket};
use rollsnap_testkit::s3_peer::{Fault, Rule, Seen};
use rollsnap_testkit::s3_proxy::S3Proxy;
use rollsnap_testkit::s3_real::{Radosgw, Rclone};

use super::*;

const SLOW_DOWN: Fault = Fault::Refuse {
    status: 503,
    code: "SlowDown",
    retry_after: None,
};

const NOT_IMPLEMENTED: Fault = Fault::Refuse {
    status: 501,
    code: "NotImplemented",
    retry_after: None,
};

/// Three parts, one of them short.
fn content() -> Bytes {
    pattern(PART * 2 + 1234).into()
}

async fn create(store: &S3Store, text: &str, content: &[u8]) -> Result<(), StoreError> {
    let terms = Terms::new_of(content.len() as u64);
    let mut upload = store.begin(&name(text), terms).await?;
    for piece in content.chunks(PART) {
        upload.write(piece.to_vec().into()).await?;
    }
    let info = upload.commit().await?;
    assert_eq!(info.size, content.len() as u64);
    assert!(info.modified.is_some(), "no time is told");
    Ok(())
}

fn heads(seen: &[Seen]) -> usize {
    seen.iter().filter(|it| it.method == Method::HEAD).count()
}

async fn a_taken_name_is_refused(store: &S3Store) {
    for (text, taken, other) in [
        ("small", &b"the first"[..], &b"the second"[..]),
        ("large", &content(), &pattern(PART + 1)),
        ("large over small", b"the first", &content()),
    ] {
        create(store, text, taken).await.unwrap();
        let error = create(store, text, other).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{text}: {error}");
        assert!(get(store, text).await.unwrap() == taken, "{text}");
    }
}

#[tokio::test]
async fn an_object_that_takes_nobodys_place_is_refused_a_taken_name_by_s3s() {
    let (peer, store) = peer().await;
    a_taken_name_is_refused(&store).await;
    assert_eq!(peer.pending_uploads(), 0, "parts were left behind");
}

#[tokio::test]
async fn an_object_that_takes_nobodys_place_is_refused_a_taken_name_by_rclone() {
    let server = Rclone::start(None).await;
    a_taken_name_is_refused(&S3Store::open(&config(server.endpoint())).unwrap()).await;
}

#[tokio::test]
async fn a_name_that_is_taken_after_the_look_is_refused_by_the_condition() {
    let (peer, store) = peer().await;
    for content in [Bytes::from_static(b"small"), content()] {
        put(&store, "snapshot", b"another's").await.unwrap();
        // The look before sees nothing, as if the other came only then.
        peer.script(Rule::on(
            Method::HEAD,
            Fault::Refuse {
                status: 404,
                code: "NoSuchKey",
                retry_after: None,
            },
        ));
        let error = create(&store, "snapshot", &content).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
        assert_eq!(
            error.to_string(),
            "commit s3://snapshots/clusters/east/snapshot: \
             another object has this name; nothing is overwritten"
        );
        assert_eq!(get(&store, "snapshot").await.unwrap(), b"another's");
    }
    assert_eq!(peer.pending_uploads(), 0, "parts were left behind");
}

#[tokio::test]
async fn a_condition_that_our_own_lost_request_broke_is_settled_by_the_mark() {
    let (peer, store) = peer().await;
    peer.script(Rule::on(Method::PUT, Fault::LoseReply));
    create(&store, "small", b"content").await.unwrap();
    assert_eq!(peer.count(&Method::PUT, ""), 2);
    assert_eq!(get(&store, "small").await.unwrap(), b"content");

    peer.script(Rule::on(Method::POST, Fault::LoseReply).with_query("uploadId="));
    create(&store, "large", &content()).await.unwrap();
    assert!(get(&store, "large").await.unwrap() == content());
}

#[tokio::test]
async fn a_server_that_knows_no_conditions_is_asked_without_from_then_on() {
    let (peer, store) = peer().await;
    let conditional = http::header::IF_NONE_MATCH;
    let rule = Rule::always(NOT_IMPLEMENTED).with_header(conditional.clone(), "*");
    peer.script(rule);
    create(&store, "one", b"small").await.unwrap();
    create(&store, "two", &content()).await.unwrap();
    create(&store, "three", b"small").await.unwrap();
    let asked = peer.seen();
    let asked = asked.iter().filter(|seen| seen.header(&conditional) == "*");
    assert_eq!(asked.count(), 1, "it was asked again");
    a_taken_name_is_refused(&store).await;
}

#[tokio::test]
async fn a_server_that_knows_no_checksums_is_asked_without_from_then_on() {
    let (peer, store) = peer().await;
    for (header, value) in [
        ("x-amz-checksum-algorithm", "SHA256"),
        ("x-amz-checksum-sha256", "="),
    ] {
        let header = http::HeaderName::from_static(header);
        peer.script(Rule::always(NOT_IMPLEMENTED).with_header(header, value));
    }
    create(&store, "one", &content()).await.unwrap();
    create(&store, "two", b"small").await.unwrap();
    assert_eq!(peer.count(&Method::POST, "uploads"), 2, "one more to learn");
    assert_eq!(peer.count(&Method::PUT, ""), 3 + 1);
}

#[tokio::test]
async fn every_part_and_every_object_is_sent_with_its_checksum() {
    let (peer, store) = peer().await;
    create(&store, "large", &content()).await.unwrap();
    create(&store, "small", b"abc").await.unwrap();
    put(&store, "manifest", b"{}").await.unwrap();
    let seen = peer.seen();
    let puts: Vec<_> = seen.iter().filter(|it| it.method == Method::PUT).collect();
    assert_eq!(puts.len(), 3 + 1 + 1);
    for put in puts {
        let checksum = put.header("x-amz-checksum-sha256");
        assert_eq!(checksum.len(), 44, "{put:?}");
        assert_eq!(put.header("content-md5"), "", "hashed once more");
    }
    // "abc" is FIPS 180's own example.
    let checksum = "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=";
    let put = seen
        .iter()
        .find(|it| it.method == Method::PUT && it.path.ends_with("/small"));
    assert_eq!(put.unwrap().header("x-amz-checksum-sha256"), checksum);
}

#[tokio::test]
async fn an_object_is_looked_at_after_it_was_made_and_a_manifest_is_not() {
    let (peer, store) = peer().await;
    store.check_bucket().await.unwrap();
    peer.forget();
    create(&store, "large", &content()).await.unwrap();
    assert_eq!(heads(&peer.seen()), 2, "before and after");
    peer.forget();
    put(&store, "large", &content()).await.unwrap();
    assert_eq!(heads(&peer.seen()), 1, "after");
    peer.forget();
    put(&store, "manifest", b"{}").await.unwrap();
    assert_eq!(heads(&peer.seen()), 0);
}

#[tokio::test]
async fn a_server_that_took_an_object_and_does_not_have_it_is_told() {
    let (peer, store) = peer().await;
    let gone = Fault::Refuse {
        status: 404,
        code: "",
        retry_after: None,
    };
    peer.script(Rule::on(Method::HEAD, gone).after(1));
    store.check_bucket().await.unwrap();
    let error = put(&store, "snapshot", &content()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("does not have it"), "{error}");
}

#[tokio::test]
async fn a_server_that_keeps_no_marks_is_believed_when_it_says_that_it_made_the_object() {
    let (peer, store) = peer().await;
    peer.script(
        Rule::on(
            Method::HEAD,
            Fault::LoseHeader("x-amz-meta-rollsnap-upload"),
        )
        .times(99),
    );
    create(&store, "snapshot", &content()).await.unwrap();
    let error = create(&store, "snapshot", &content()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
}

#[tokio::test]
async fn an_object_that_another_took_the_name_of_at_the_same_time_is_told() {
    let (peer, store) = peer().await;
    store.check_bucket().await.unwrap();
    let mark = Fault::SayHeader("x-amz-meta-rollsnap-upload", "another".into());
    peer.script(Rule::on(Method::HEAD, mark).after(1));
    let error = create(&store, "snapshot", &content()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
    assert!(error.to_string().contains("at the same time"), "{error}");
}

/// The checksum of `content()` as Amazon would tell it.
fn composite() -> String {
    use base64::prelude::{BASE64_STANDARD, Engine as _};
    use sha2::{Digest as _, Sha256};
    let parts = content();
    let digests: Vec<_> = parts.chunks(PART).map(Sha256::digest).collect();
    let whole = Sha256::digest(digests.concat());
    format!("{}-3", BASE64_STANDARD.encode(whole))
}

#[tokio::test]
async fn a_checksum_of_the_whole_that_the_server_tells_must_be_that_of_what_was_sent() {
    let (peer, store) = peer().await;
    let tells = |checksum: String| Fault::SayHeader("x-amz-checksum-sha256", checksum);
    peer.script(Rule::always(tells(composite())));
    create(&store, "right", &content()).await.unwrap();

    peer.behave();
    let wrong = composite().to_lowercase();
    peer.script(Rule::always(tells(wrong)));
    let error = create(&store, "wrong", &content()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    assert!(error.to_string().contains("SHA-256"), "{error}");

    // That of the bytes, which some tell instead, is another thing.
    peer.behave();
    peer.script(Rule::always(tells("YQ==".into())));
    create(&store, "of another kind", &content()).await.unwrap();
}

#[tokio::test]
async fn an_object_of_another_size_than_was_sent_is_told() {
    let (peer, store) = peer().await;
    store.check_bucket().await.unwrap();
    let size = Fault::SayHeader("content-length", "7".into());
    peer.script(Rule::on(Method::HEAD, size).after(1));
    let error = create(&store, "snapshot", &content()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    assert!(
        error.to_string().contains("the server has 7 bytes"),
        "{error}"
    );
}

/// Writes the first `parts` parts of an upload, and drops it when they are there.
async fn cut(store: &S3Store, text: &str, content: &Bytes, parts: usize) -> Ticket {
    let terms = Terms::new_of(content.len() as u64);
    let mut upload = store.begin(&name(text), terms).await.unwrap();
    assert_eq!(upload.ticket(), None, "there is nothing to go on with");
    // Two are under way at once: when two more are taken, all before are there.
    for piece in content.chunks(PART).take(parts + 2) {
        upload.write(Bytes::copy_from_slice(piece)).await.unwrap();
    }
    upload.ticket().unwrap()
}

async fn resumed(store: &S3Store, text: &str, ticket: &Ticket, content: &Bytes) -> Option<u64> {
    let source = Arc::new(content.clone());
    let resumed = store.resume(&name(text), ticket, source).await.unwrap();
    let mut upload = resumed?;
    let written = upload.written();
    let rest = content.slice(usize::try_from(written).unwrap()..);
    for piece in rest.chunks(PART) {
        upload.write(Bytes::copy_from_slice(piece)).await.unwrap();
    }
    assert_eq!(upload.ticket().as_ref(), Some(ticket), "another ticket");
    upload.commit().await.unwrap();
    Some(written)
}

async fn another_run_goes_on(endpoint: &str) {
    let proxy = S3Proxy::before(endpoint).await;
    let config = config(proxy.endpoint());
    let content = Bytes::from(pattern(PART * 6 + 1234));
    let ticket = cut(&S3Store::open(&config).unwrap(), "resumed", &content, 3).await;
    proxy.forget();

    let store = S3Store::open(&config).unwrap();
    let written = resumed(&store, "resumed", &ticket, &content).await;
    let written = usize::try_from(written.unwrap()).unwrap();
    assert!(written >= 3 * PART, "{written} bytes were kept");
    assert_eq!(written % PART, 0);
    let sent = proxy.seen().iter().filter(|seen| seen.is_part()).count();
    assert_eq!(sent, 7 - written / PART, "parts that were sent again");
    assert!(get(&store, "resumed").await.unwrap() == content);

    let again = resumed(&store, "resumed", &ticket, &content).await;
    assert_eq!(again, None, "a ticket that is spent");
}

async fn only_what_is_the_same_is_kept(endpoint: &str) {
    let store = S3Store::open(&config(endpoint)).unwrap();
    let content = Bytes::from(pattern(PART * 5));
    let ticket = cut(&store, "changed", &content, 3).await;
    let mut changed = content.to_vec();
    changed[PART + 5] ^= 1;
    let changed = Bytes::from(changed);
    let written = resumed(&store, "changed", &ticket, &changed).await;
    assert_eq!(written, Some(PART as u64));
    assert!(get(&store, "changed").await.unwrap() == changed);
}

#[tokio::test]
async fn another_run_goes_on_with_the_parts_that_are_there() {
    let (peer, _) = peer().await;
    another_run_goes_on(&peer.endpoint()).await;
    only_what_is_the_same_is_kept(&peer.endpoint()).await;
    assert_eq!(peer.pending_uploads(), 0, "parts were left behind");
}

#[tokio::test]
async fn an_upload_of_which_no_part_is_the_same_is_dropped() {
    let (peer, store) = peer().await;
    let content = Bytes::from(pattern(PART * 4));
    let ticket = cut(&store, "snapshot", &content, 2).await;
    assert_eq!(peer.pending_uploads(), 1);
    let other = Bytes::from(vec![7; PART * 4]);
    assert_eq!(resumed(&store, "snapshot", &ticket, &other).await, None);
    assert_eq!(peer.pending_uploads(), 0, "parts were left behind");
}

#[tokio::test]
async fn a_server_that_lists_no_parts_is_freed_of_them() {
    let (peer, store) = peer().await;
    let content = Bytes::from(pattern(PART * 4));
    for fault in [NOT_IMPLEMENTED, Fault::ReplyWith("<html>hello</html>")] {
        let ticket = cut(&store, "snapshot", &content, 2).await;
        peer.script(
            Rule::on(Method::GET, fault)
                .with_query("uploadId=")
                .times(99),
        );
        assert_eq!(resumed(&store, "snapshot", &ticket, &content).await, None);
        assert_eq!(peer.pending_uploads(), 0, "parts were left behind");
        peer.behave();
    }
}

#[tokio::test]
async fn a_server_that_is_away_keeps_what_there_is_to_go_on_with() {
    let (peer, store) = peer().await;
    let content = Bytes::from(pattern(PART * 4));
    let ticket = cut(&store, "snapshot", &content, 2).await;
    peer.script(Rule::always(SLOW_DOWN));
    let source = Arc::new(content.clone());
    let error = store.resume(&name("snapshot"), &ticket, source).await;
    let error = error.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    peer.behave();
    assert!(
        resumed(&store, "snapshot", &ticket, &content)
            .await
            .is_some()
    );
}

#[tokio::test]
async fn a_forgotten_upload_is_gone_and_may_be_forgotten_twice() {
    let (peer, store) = peer().await;
    let content = Bytes::from(pattern(PART * 3));
    let ticket = cut(&store, "snapshot", &content, 1).await;
    for _ in 0..2 {
        store.forget(&name("snapshot"), &ticket).await.unwrap();
        assert_eq!(peer.pending_uploads(), 0);
    }
    assert_eq!(resumed(&store, "snapshot", &ticket, &content).await, None);
    let nonsense = Ticket("{}".into());
    store.forget(&name("snapshot"), &nonsense).await.unwrap();
    assert_eq!(resumed(&store, "snapshot", &nonsense, &content).await, None);
}

#[expect(
    clippy::disallowed_methods,
    reason = "the servers' clock is this machine's"
)]
fn in_hours(hours: i64) -> DateTime<Utc> {
    Utc::now() + TimeDelta::hours(hours)
}

/// Three uploads without an end: ours, a foreign one beside it, ours in another folder.
async fn leftovers(endpoint: &str) -> S3Store {
    let content = Bytes::from(pattern(PART * 2));
    let store = S3Store::open(&config(endpoint)).unwrap();
    cut(&store, "snapshot", &content, 1).await;
    cut(&store, "foreign", &content, 1).await;
    let elsewhere = S3Config {
        folder: Some("clusters/east2".into()),
        ..config(endpoint)
    };
    let elsewhere = S3Store::open(&elsewhere).unwrap();
    cut(&elsewhere, "snapshot", &content, 1).await;
    store
}

async fn sweeps_what_is_old_and_ours(store: &S3Store) {
    let ours = |name: &ObjectName| name.as_str() == "snapshot";
    let young = store.sweep(&ours, in_hours(-1)).await.unwrap();
    assert_eq!(young, [], "swept while it may grow");
    let old = store.sweep(&ours, in_hours(1)).await.unwrap();
    assert_eq!(old, [name("snapshot")]);
    assert_eq!(store.sweep(&ours, in_hours(1)).await.unwrap(), []);
}

#[tokio::test]
async fn what_uploads_left_behind_is_swept_when_it_is_old_and_ours() {
    let (peer, _) = peer().await;
    let store = leftovers(&peer.endpoint()).await;
    sweeps_what_is_old_and_ours(&store).await;
    assert_eq!(
        peer.pending_uploads(),
        2,
        "the foreign one and the other folder's"
    );
}

#[tokio::test]
async fn an_upload_to_which_a_part_was_added_lately_is_not_swept() {
    let (peer, store) = peer().await;
    cut(&store, "snapshot", &Bytes::from(pattern(PART * 3)), 1).await;
    // Begun long ago: s3s-fs keeps that as the time of a file.
    let long_ago = std::time::SystemTime::UNIX_EPOCH;
    for entry in std::fs::read_dir(peer.dir()).unwrap() {
        let path = entry.unwrap().path();
        if path.to_string_lossy().contains("/.upload-") {
            let file = std::fs::File::options().write(true).open(path).unwrap();
            file.set_modified(long_ago).unwrap();
        }
    }
    let swept = store.sweep(&|_| true, in_hours(-1)).await.unwrap();
    assert_eq!(swept, []);
    let swept = store.sweep(&|_| true, in_hours(1)).await.unwrap();
    assert_eq!(swept, [name("snapshot")]);
}

#[tokio::test]
async fn a_list_of_uploads_is_read_to_its_last_page() {
    let (peer, store) = peer().await;
    let first = "<ListMultipartUploadsResult><IsTruncated>true</IsTruncated>\
        <NextKeyMarker>clusters/east/a&amp;b</NextKeyMarker>\
        <NextUploadIdMarker>i/d+</NextUploadIdMarker>\
        <Upload><Key>clusters/east/a&amp;b</Key><UploadId>i/d+</UploadId>\
        <Initiated>2026-05-01T12:00:00.000Z</Initiated></Upload></ListMultipartUploadsResult>";
    let last = "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>\
        <Upload><Key>clusters/east/c</Key><UploadId>id</UploadId>\
        <Initiated>2026-05-01T12:00:00.000Z</Initiated></Upload></ListMultipartUploadsResult>";
    let answer = |page| Rule::on(Method::GET, Fault::ReplyWith(page)).with_query("uploads=");
    peer.script(
        answer(last).with_query("key-marker=clusters%2Feast%2Fa%26b&upload-id-marker=i%2Fd%2B"),
    );
    peer.script(answer(first));
    let parts = "<ListPartsResult><IsTruncated>false</IsTruncated></ListPartsResult>";
    let parts = Rule::on(Method::GET, Fault::ReplyWith(parts)).with_query("uploadId=");
    peer.script(parts.times(2));
    let gone = Fault::Refuse {
        status: 404,
        code: "NoSuchUpload",
        retry_after: None,
    };
    peer.script(Rule::on(Method::DELETE, gone).times(2));
    let swept = store.sweep(&|_| true, in_hours(0)).await.unwrap();
    assert_eq!(swept, [name("a&b"), name("c")]);
    assert_eq!(peer.count(&Method::DELETE, "uploadId=i%2Fd%2B"), 1);
}

#[tokio::test]
async fn a_server_that_lists_no_uploads_has_none_to_sweep() {
    let (peer, store) = peer().await;
    for fault in [NOT_IMPLEMENTED, Fault::ReplyWith("<html>hello</html>")] {
        peer.script(Rule::on(Method::GET, fault).with_query("uploads").times(5));
        assert_eq!(store.sweep(&|_| true, in_hours(1)).await.unwrap(), []);
        peer.behave();
    }
    let server = Rclone::start(None).await;
    let store = S3Store::open(&config(server.endpoint())).unwrap();
    let content = Bytes::from(pattern(PART * 2));
    let ticket = cut(&store, "snapshot", &content, 1).await;
    store.sweep(&|_| true, in_hours(1)).await.unwrap();
    store.forget(&name("snapshot"), &ticket).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ceph_goes_on_with_uploads_and_is_swept_of_them() {
    let server = Radosgw::start().await;
    another_run_goes_on(server.endpoint()).await;
    only_what_is_the_same_is_kept(server.endpoint()).await;
    assert_eq!(server.pending_uploads(), 0, "parts were left behind");
    let store = leftovers(server.endpoint()).await;
    assert_eq!(server.pending_uploads(), 3);
    sweeps_what_is_old_and_ours(&store).await;
    assert_eq!(
        server.pending_uploads(),
        2,
        "the foreign one and the other folder's"
    );
    a_taken_name_is_refused(&store).await;
}

#[tokio::test]
async fn uploads_keep_their_rate_and_reading_has_none() {
    let (_peer, config) = {
        let peer = S3Peer::start(BUCKET).await;
        let mut config = config(peer.endpoint());
        config.upload_rate = NonZeroU64::new(8 * 1024 * 1024);
        (peer, config)
    };
    let store = S3Store::open(&config).unwrap();
    let content = pattern(PART * 2);
    let begun = tokio::time::Instant::now();
    put(&store, "snapshot", &content).await.unwrap();
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(1100), "10 MiB took {took:?}");
    assert!(get(&store, "snapshot").await.unwrap() == content);
}

#[tokio::test]
async fn a_slow_rate_of_our_own_is_no_stall() {
    let peer = S3Peer::start(BUCKET).await;
    let mut config = config(peer.endpoint());
    config.tuning.stall_timeout = Duration::from_secs(1);
    // What is sent at a time, 64 KiB, is three seconds.
    config.upload_rate = NonZeroU64::new(64 * 1024 / 3);
    let store = S3Store::open(&config).unwrap();
    let begun = tokio::time::Instant::now();
    put(&store, "manifest", &pattern(100 * 1024)).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(2500));
    assert_eq!(peer.count(&Method::PUT, ""), 1, "it was sent again");
}

#[tokio::test]
async fn a_server_that_asks_for_less_gets_one_part_at_a_time() {
    let (peer, store) = peer().await;
    peer.script(Rule::on(Method::PUT, SLOW_DOWN).with_query("partNumber=1"));
    let mut upload = store
        .begin(&name("snapshot"), Terms::replacing())
        .await
        .unwrap();
    let part = Bytes::from(vec![7; PART]);
    upload.write(part.clone()).await.unwrap();
    while peer.count(&Method::PUT, "partNumber=1") < 2 {
        tokio::task::yield_now().await;
    }
    peer.script(Rule::on(Method::PUT, Fault::Stall).times(99));
    upload.write(part.clone()).await.unwrap();
    peer.parts_under_way(1).await;
    {
        let next = upload.write(part);
        tokio::pin!(next);
        assert!(
            futures_util::poll!(&mut next).is_pending(),
            "a second part was taken"
        );
        peer.release();
        next.await.unwrap();
    }
    upload.commit().await.unwrap();
}
