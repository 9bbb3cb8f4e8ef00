//! A download over a bad line is whole, or an error: never short.

use rollsnap_store::ErrorKind;

use super::*;

const SIZE: usize = 600_000;

fn faults() -> Vec<(&'static str, Fault)> {
    vec![
        ("cut at the start", Fault::CutBody(0)),
        ("cut in the middle", Fault::CutBody(SIZE / 2)),
        ("cut before the last byte", Fault::CutBody(SIZE - 1)),
        ("stalls", Fault::StallBody(SIZE / 2)),
        ("reset before the reply", Fault::LoseReply),
        ("503", refuse(503, "SlowDown")),
    ]
}

pub(super) async fn are_never_short(server: &Server) {
    let proxy = server.proxy().await;
    let store = store(&proxy, "downloads");
    let content = pattern(SIZE);
    put(&store, "snapshot", &content).await.unwrap();
    for (case, fault) in faults() {
        let before = proxy.struck();
        proxy.behave();
        proxy.script(Rule::on(Method::GET, fault).with_path("/snapshot"));
        match get(&store, "snapshot").await {
            Ok(got) => assert!(got == content, "{case}: {} bytes came", got.len()),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{case}: {error}"),
        }
        assert!(proxy.struck() > before, "{case}: it never happened");
    }
}

#[tokio::test]
async fn downloads_over_a_bad_line_are_never_short_from_s3s() {
    are_never_short(&Server::s3s().await).await;
}

#[tokio::test]
async fn downloads_over_a_bad_line_are_never_short_from_rclone() {
    are_never_short(&Server::rclone().await).await;
}
