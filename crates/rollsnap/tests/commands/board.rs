//! `board`: the same in the terminal, and for programs.

use rollsnap::board::{Look, text};
use rollsnap_engine::Kind;

use crate::json::assert_documented;
use crate::program::Program;
use crate::standings;
use crate::world::{Bucket, etcd_and_dir};

#[tokio::test]
async fn it_tells_whether_the_cluster_can_be_restored_and_ends_accordingly() {
    let (etcd, dir) = etcd_and_dir().await;
    let bucket = Bucket::up().await;
    let board = |words: &[&str]| {
        let board = Program::new(["board"]).args(words).dir(dir.path());
        board.bucket(&bucket).run()
    };
    let words = ["the backups are not as they should be", "the cure of each"];
    board(&[]).await.fails_with_result(Kind::Store, &words);

    etcd.put("a", "b").await;
    let save = Program::new(["save"]).etcd(&etcd).dir(dir.path());
    save.bucket(&bucket).run().await.ok();
    let told = board(&[]).await.ok();
    let first = told.lines().next().unwrap().to_owned();
    assert!(
        first.starts_with("! The cluster can be restored now, to "),
        "{told}"
    );
    for text in [
        "No restore was ever rehearsed.",
        "cure: rollsnap drill",
        "both",
        "deep",
    ] {
        assert!(told.contains(text), "{told}");
    }
    assert!(told.is_ascii(), "plain when piped: {told}");

    let document = board(&["-o", "json"]).await.json();
    assert_eq!(document["headline"]["state"], "weak");
    assert_eq!(document["snapshots"][0]["stores"][1], "remote");
    let drill = Program::new(["drill"]).dir(dir.path());
    drill.bucket(&bucket).run().await.ok();
    let drilled = board(&["-o", "json"]).await.json();
    assert_eq!(drilled["headline"]["state"], "held");
    assert_eq!(drilled["headline"]["measured"], true);
    let json = |it| serde_json::to_value(it).unwrap();
    assert!(drilled["findings"].as_array().is_some_and(Vec::is_empty));
    // Those with a finding and a snapshot, which show every field.
    assert_documented("board", &[document, json(standings::failures())]);

    let down = Program::new(["board"]).dir(dir.path());
    let down = down.bucket(&Bucket::down().await).run().await;
    down.fails_with_result(Kind::Store, &["the backups are not"]);
    assert!(
        down.out.contains("The bucket cannot be read: "),
        "{}",
        down.out
    );
}

#[test]
fn it_fits_80_columns_whatever_is_wrong() {
    for (name, standing) in [
        ("none", standings::none()),
        ("one", standings::one()),
        ("thousand", standings::thousand()),
        ("failures", standings::failures()),
    ] {
        for look in [Look::Plain, Look::Coloured] {
            let text = text(&standing, look);
            let mut bare = text.clone();
            while let Some((before, rest)) = bare.split_once('\u{1b}') {
                let (_, after) = rest.split_once('m').unwrap();
                bare = format!("{before}{after}");
            }
            for line in bare.lines() {
                assert!(line.chars().count() <= 80, "{line}");
            }
            assert_eq!(bare == text, look == Look::Plain);
            if look == Look::Plain {
                insta::assert_snapshot!(format!("board_{name}"), text);
            }
        }
    }
}
