//! Whatever befalls an upload once, its object comes whole, and nothing else of it stays.

use super::*;

fn part_two(fault: Fault) -> Rule {
    Rule::on(Method::PUT, fault).with_query("partNumber=2")
}

fn completion(fault: Fault) -> Rule {
    Rule::on(Method::POST, fault).with_query("uploadId=")
}

/// What is struck, each with a word for the message of a test that fails.
fn faults() -> Vec<(&'static str, Rule)> {
    let slow_down = Fault::Refuse {
        status: 503,
        code: "SlowDown",
        retry_after: Some(1),
    };
    let afterwards = |status| Fault::RefuseAfterwards {
        status,
        code: "InternalError",
    };
    vec![
        ("part reset", part_two(Fault::ResetAfter(PART / 2))),
        ("part stalls", part_two(Fault::StallAfter(PART / 2))),
        (
            "part 429",
            part_two(refuse(429, "TooManyRequests")).times(2),
        ),
        ("part 500", part_two(refuse(500, "InternalError")).times(2)),
        ("part 503", part_two(slow_down).times(3)),
        ("part done but 500", part_two(afterwards(500))),
        ("part done but lost", part_two(Fault::LoseReply)),
        ("completion reset", completion(Fault::ResetAfter(20))),
        (
            "completion 200 but error",
            completion(Fault::ErrorInSuccess("InternalError")),
        ),
        ("completed but lost", completion(Fault::LoseReply)),
        ("completed but 500", completion(afterwards(500))),
        ("completed but 200 with error", completion(afterwards(200))),
        ("head 503", Rule::on(Method::HEAD, refuse(503, "")).times(2)),
    ]
}

async fn come_whole(server: &Server) {
    let content = pattern(PART * 2 + 1234);
    assert_eq!(left_by_an_abort(server).await, 0, "an abort leaves parts");
    for (number, (case, rule)) in faults().into_iter().enumerate() {
        let proxy = server.proxy().await;
        let store = store(&proxy, &format!("case-{number}"));
        proxy.script(rule);
        let done = put(&store, "snapshot", &content).await;
        done.unwrap_or_else(|error| panic!("{case}: {error}"));
        assert!(proxy.struck() > 0, "{case}: it never happened");
        assert!(get(&store, "snapshot").await.unwrap() == content, "{case}");
        let listed = store.list("").await.unwrap();
        assert_eq!(listed.len(), 1, "{case}: {listed:?}");
        assert_eq!(server.pending_uploads(), 0, "{case}: parts stay");
    }
}

/// Also proves that the server's count of what is left counts.
async fn left_by_an_abort(server: &Server) -> usize {
    let proxy = server.proxy().await;
    let store = store(&proxy, "aborted");
    let mut upload = store
        .begin(&name("snapshot"), Terms::replacing())
        .await
        .unwrap();
    upload.write(pattern(PART).into()).await.unwrap();
    upload.write(pattern(PART).into()).await.unwrap();
    if server.can_count() {
        assert_eq!(server.pending_uploads(), 1);
    }
    upload.abort().await.unwrap();
    server.pending_uploads()
}

#[tokio::test]
async fn uploads_over_a_bad_line_come_whole_to_s3s() {
    come_whole(&Server::s3s().await).await;
}

#[tokio::test]
async fn uploads_over_a_bad_line_come_whole_to_rclone() {
    come_whole(&Server::rclone().await).await;
}

#[tokio::test]
async fn uploads_and_downloads_over_a_bad_line_come_whole_to_ceph_and_back() {
    let server = Server::ceph().await;
    come_whole(&server).await;
    downloads::come_whole(&server).await;
}
