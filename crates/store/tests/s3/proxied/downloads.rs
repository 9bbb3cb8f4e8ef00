//! A download over a bad line comes whole.

use super::*;

const SIZE: usize = 600_000;

fn snapshot(fault: Fault) -> Rule {
    Rule::always(fault).with_path("/snapshot")
}

fn faults() -> Vec<(&'static str, Rule)> {
    [
        ("cut at the start", Fault::CutBody(0)),
        ("cut in the middle", Fault::CutBody(SIZE / 2)),
        ("cut before the last byte", Fault::CutBody(SIZE - 1)),
        ("stalls", Fault::StallBody(SIZE / 2)),
        ("reset before the reply", Fault::LoseReply),
        ("503", refuse(503, "SlowDown")),
    ]
    .map(|(case, fault)| (case, snapshot(fault).times(1)))
    .into_iter()
    // Each try brings some bytes, so none is the last.
    .chain([("cut each time", snapshot(Fault::CutBody(SIZE / 20)))])
    .collect()
}

pub(super) async fn come_whole(server: &Server) {
    let proxy = server.proxy().await;
    let store = store(&proxy, "downloads");
    let content = pattern(SIZE);
    put(&store, "snapshot", &content).await.unwrap();
    for (case, rule) in faults() {
        let before = proxy.struck();
        proxy.behave();
        proxy.script(rule);
        let got = get(&store, "snapshot").await;
        let got = got.unwrap_or_else(|error| panic!("{case}: {error}"));
        assert!(got == content, "{case}: {} bytes came", got.len());
        assert!(proxy.struck() > before, "{case}: it never happened");
    }
}

#[tokio::test]
async fn downloads_over_a_bad_line_come_whole_from_s3s() {
    come_whole(&Server::s3s().await).await;
}

#[tokio::test]
async fn downloads_over_a_bad_line_come_whole_from_rclone() {
    come_whole(&Server::rclone().await).await;
}
