//! What the line and the server do wrong, and that it costs nothing but time, or is told.

use std::time::Duration;

use rollsnap_store::{ErrorKind, Terms};
use rollsnap_testkit::s3_peer::{Fault, Rule};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;

use super::*;

const SLOW_DOWN: Fault = Fault::Refuse {
    status: 503,
    code: "SlowDown",
    retry_after: None,
};

fn on_part_two(fault: Fault) -> Rule {
    Rule::on(Method::PUT, fault).with_query("partNumber=2")
}

fn on_completion(fault: Fault) -> Rule {
    Rule::on(Method::POST, fault).with_query("uploadId=")
}

/// Three parts, one of them short.
fn content() -> Vec<u8> {
    pattern(PART * 2 + 1234)
}

async fn comes_whole_despite(rule: Rule) -> S3Peer {
    let (peer, store) = peer().await;
    peer.script(rule);
    put(&store, "snapshot", &content()).await.unwrap();
    assert!(get(&store, "snapshot").await.unwrap() == content());
    assert_eq!(peer.pending_uploads(), 0, "parts were left behind");
    peer
}

#[tokio::test]
async fn a_part_whose_connection_is_reset_is_sent_again_alone() {
    let peer = comes_whole_despite(on_part_two(Fault::Reset)).await;
    assert_eq!(peer.count(&Method::PUT, "partNumber=1"), 1);
    assert_eq!(peer.count(&Method::PUT, "partNumber=2"), 2);
}

#[tokio::test]
async fn a_part_refused_three_times_with_503_arrives_the_fourth_time() {
    let peer = comes_whole_despite(on_part_two(SLOW_DOWN).times(3)).await;
    assert_eq!(peer.count(&Method::PUT, "partNumber=2"), 4);
}

#[tokio::test]
async fn a_part_whose_reply_is_lost_is_sent_again() {
    let peer = comes_whole_despite(on_part_two(Fault::LoseReply)).await;
    assert_eq!(peer.count(&Method::PUT, "partNumber=2"), 2);
}

#[tokio::test]
async fn a_part_that_stalls_is_given_up_after_the_stall_timeout_and_sent_again() {
    let peer = S3Peer::start(BUCKET).await;
    let mut config = config(peer.endpoint());
    config.tuning.stall_timeout = Duration::from_secs(2);
    let store = S3Store::open(&config).unwrap();
    peer.script(on_part_two(Fault::Stall));
    put(&store, "snapshot", &content()).await.unwrap();
    assert_eq!(peer.count(&Method::PUT, "partNumber=2"), 2);
}

#[tokio::test]
async fn the_beginning_of_an_upload_is_tried_again() {
    let rule = Rule::on(Method::POST, SLOW_DOWN).with_query("uploads");
    let peer = comes_whole_despite(rule.times(2)).await;
    assert_eq!(peer.count(&Method::POST, "uploads"), 3);
}

#[tokio::test]
async fn a_completion_answered_200_with_an_error_is_no_success_and_is_tried_again() {
    let rule = on_completion(Fault::ErrorInSuccess("InternalError"));
    let peer = comes_whole_despite(rule.times(2)).await;
    assert_eq!(peer.count(&Method::POST, "uploadId="), 3);
}

#[tokio::test]
async fn a_completion_whose_reply_is_lost_is_settled_by_the_mark_of_the_upload() {
    let peer = comes_whole_despite(on_completion(Fault::LoseReply)).await;
    assert_eq!(peer.count(&Method::POST, "uploadId="), 2);
    let heads = peer.seen();
    let heads = heads.iter().filter(|seen| seen.method == Method::HEAD);
    assert!(heads.count() >= 1, "nobody looked");
}

#[tokio::test]
async fn an_older_object_of_the_same_bytes_is_not_taken_for_ours() {
    let (peer, store) = peer().await;
    put(&store, "snapshot", &content()).await.unwrap();
    peer.script(on_completion(SLOW_DOWN).times(99));
    let error = put(&store, "snapshot", &content()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert_eq!(peer.pending_uploads(), 0, "parts were left behind");
}

#[tokio::test]
async fn endless_503_ends_in_an_error_that_names_the_part_and_leaves_no_parts() {
    let (peer, store) = peer().await;
    peer.script(on_part_two(SLOW_DOWN).times(99));
    let error = put(&store, "snapshot", &content()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "write s3://snapshots/clusters/east/snapshot: part 2: \
         503 SlowDown: as the script says"
    );
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(peer.count(&Method::PUT, "partNumber=2"), 5, "tries");
    assert_eq!(peer.pending_uploads(), 0, "parts were left behind");
    assert!(store.list("").await.unwrap().is_empty());
}

#[tokio::test]
async fn a_part_without_an_etag_is_no_part() {
    let (peer, store) = peer().await;
    peer.script(on_part_two(Fault::LoseHeader("etag")));
    let error = put(&store, "snapshot", &content()).await.unwrap_err();
    assert!(error.to_string().contains("no ETag"), "{error}");
    assert_eq!(peer.pending_uploads(), 0, "parts were left behind");
}

#[tokio::test]
async fn nothing_more_is_taken_once_an_upload_has_failed() {
    let (peer, store) = peer().await;
    peer.script(
        Rule::on(
            Method::PUT,
            Fault::Refuse {
                status: 403,
                code: "AccessDenied",
                retry_after: None,
            },
        )
        .times(99),
    );
    let mut upload = store
        .begin(&name("snapshot"), Terms::replacing())
        .await
        .unwrap();
    let mut failed = false;
    for _ in 0..4 {
        failed |= upload.write(vec![7; PART].into()).await.is_err();
    }
    assert!(failed, "four parts were taken while two may be under way");
    assert!(upload.commit().await.is_err());
    assert_eq!(peer.pending_uploads(), 0, "parts were left behind");
    assert_eq!(peer.count(&Method::POST, "uploadId="), 0, "completed");
}

#[tokio::test]
async fn no_more_parts_are_under_way_than_allowed() {
    let (peer, store) = peer().await;
    peer.script(Rule::on(Method::PUT, Fault::Stall).times(99));
    let mut upload = store
        .begin(&name("snapshot"), Terms::replacing())
        .await
        .unwrap();
    for _ in 0..2 {
        upload.write(vec![7; PART].into()).await.unwrap();
    }
    peer.parts_under_way(2).await;
    // The third waits for room: the writer is held back, and memory stays bounded.
    {
        let third = upload.write(vec![7; PART].into());
        tokio::pin!(third);
        assert!(
            futures_util::poll!(&mut third).is_pending(),
            "a third part was taken"
        );
        peer.release();
        third.await.unwrap();
    }
    for _ in 0..3 {
        upload.write(vec![7; PART].into()).await.unwrap();
    }
    upload.commit().await.unwrap();
    assert_eq!(peer.most_parts(), 2);
}

#[tokio::test]
async fn an_abort_frees_the_parts_though_one_is_still_under_way() {
    let (peer, store) = peer().await;
    peer.script(on_part_two(Fault::Stall));
    let mut upload = store
        .begin(&name("snapshot"), Terms::replacing())
        .await
        .unwrap();
    for _ in 0..2 {
        upload.write(vec![7; PART].into()).await.unwrap();
    }
    peer.parts_under_way(1).await;
    assert_eq!(peer.pending_uploads(), 1);
    upload.abort().await.unwrap();
    assert_eq!(peer.pending_uploads(), 0);
}

#[tokio::test]
async fn a_small_object_is_one_put_and_is_repeated_when_its_reply_is_lost() {
    let (peer, store) = peer().await;
    peer.script(Rule::on(Method::PUT, Fault::LoseReply));
    put(&store, "manifest", b"{}").await.unwrap();
    assert_eq!(peer.count(&Method::PUT, ""), 2);
    assert_eq!(peer.count(&Method::POST, ""), 0);
    assert_eq!(get(&store, "manifest").await.unwrap(), b"{}");
}

#[tokio::test]
async fn the_server_may_ask_for_a_longer_wait() {
    let peer = S3Peer::start(BUCKET).await;
    let mut config = config(peer.endpoint());
    config.tuning.max_delay = Duration::from_secs(1);
    let store = S3Store::open(&config).unwrap();
    store.check_bucket().await.unwrap();
    peer.script(Rule::on(
        Method::GET,
        Fault::Refuse {
            status: 429,
            code: "SlowDown",
            retry_after: Some(60),
        },
    ));
    let begun = tokio::time::Instant::now();
    store.check_bucket().await.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(1), "it did not wait");
}

#[tokio::test]
async fn a_listing_that_breaks_off_in_the_middle_is_no_listing() {
    let (peer, store) = peer().await;
    let folder = peer.dir().join(BUCKET).join("clusters/east");
    std::fs::create_dir_all(&folder).unwrap();
    for number in 0..1500 {
        std::fs::write(folder.join(format!("s{number:04}")), "x").unwrap();
    }
    let second = Rule::on(Method::GET, SLOW_DOWN).with_query("continuation-token");
    peer.script(second.times(99));
    let error = store.list("").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
}

#[tokio::test]
async fn a_listing_of_2500_is_whole_sorted_and_only_what_is_ours() {
    let (peer, store) = peer().await;
    let folder = peer.dir().join(BUCKET).join("clusters/east");
    std::fs::create_dir_all(folder.join("below")).unwrap();
    std::fs::create_dir_all(peer.dir().join(BUCKET).join("clusters/east2")).unwrap();
    for number in 0..2500 {
        std::fs::write(folder.join(format!("s{number:04} a+b%20c")), "x").unwrap();
    }
    for foreign in [
        "below/s0000",
        ".hidden",
        "../east2/s0000",
        "../s0000",
        "trailing ",
    ] {
        std::fs::write(folder.join(foreign), "x").unwrap();
    }
    store.check_bucket().await.unwrap();
    peer.forget();
    let listed = store.list("").await.unwrap();
    assert_eq!(listed.len(), 2500);
    assert!(listed.is_sorted_by(|a, b| a.name < b.name));
    assert_eq!(listed[7].name.as_str(), "s0007 a+b%20c");
    assert!(listed[7].modified.is_some());
    assert_eq!(peer.count(&Method::GET, "list-type=2"), 3, "pages");
    assert_eq!(store.list("s00").await.unwrap().len(), 100);
}

#[tokio::test]
async fn a_bucket_in_another_region_is_followed_once_and_remembered() {
    let (peer, store) = peer().await;
    peer.script(Rule::on(Method::GET, Fault::Elsewhere("eu-west-1")));
    store.check_bucket().await.unwrap();
    assert_eq!(peer.count(&Method::GET, ""), 2);
    store.check_bucket().await.unwrap();
    assert_eq!(peer.count(&Method::GET, ""), 3);
    assert_eq!(
        peer.count(&Method::HEAD, ""),
        1,
        "the region was asked once"
    );

    peer.script(Rule::on(Method::GET, Fault::Elsewhere("eu-west-2")).times(99));
    let error = store.check_bucket().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert!(everything(&error).contains("region"), "{error}");
}

/// reqwest's own read timeout would end this upload: it counts from the request's start.
#[tokio::test]
async fn a_line_that_is_slow_but_moves_is_waited_for() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(64 * 1024).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(8).unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (mut line, _) = listener.accept().await.unwrap();
        let mut bytes = vec![0; 256 * 1024];
        let (mut head, mut body) = (Vec::new(), 0);
        while body < 4 * PART {
            tokio::time::sleep(Duration::from_millis(15)).await;
            let len = line.read(&mut bytes).await.unwrap();
            assert!(len > 0, "given up after {body} bytes");
            match body {
                0 => {
                    head.extend_from_slice(&bytes[..len]);
                    let end = head.windows(4).position(|four| four == b"\r\n\r\n");
                    body = end.map_or(0, |end| head.len() - end - 4);
                }
                _ => body += len,
            }
        }
        let reply = "HTTP/1.1 200 OK\r\netag: \"x\"\r\ncontent-length: 0\r\n\r\n";
        line.write_all(reply.as_bytes()).await.unwrap();
    });

    let mut config = config(format!("http://{address}"));
    config.region = Some("us-east-1".into());
    config.tuning.stall_timeout = Duration::from_millis(600);
    config.tuning.tries = 1;
    config.tuning.part_size = 8 * PART;
    let store = S3Store::open(&config).unwrap();
    let begun = tokio::time::Instant::now();
    let mut upload = store
        .begin(&name("slow"), Terms::replacing())
        .await
        .unwrap();
    upload.write(vec![7; 4 * PART].into()).await.unwrap();
    upload.commit().await.unwrap();
    assert!(
        begun.elapsed() > Duration::from_millis(900),
        "the line was not slow: {:?}",
        begun.elapsed()
    );
    server.await.unwrap();
}
