//! `rolling-backup`, as RKE v0.1.7 to v0.1.20 gave it to the sidecar.

use std::fs;

use crate::node::Node;
use crate::running::{field, fields};

const LINE: &str = "rolling-backup --name etcd-rolling-snapshots --retention=4s --creation=2s";

#[tokio::test]
async fn the_oldest_sidecar_saves_rotates_and_speaks_as_it_did() {
    let node = Node::up().await;
    for line in [LINE, &LINE.replacen(' ', " save ", 1)] {
        let mut running = node.call(line).start();
        let first = running.next_line().await;
        let rest = " level=info msg=\"Initializing Rolling Backups\" creation=2s retention=4s ";
        assert!(first.ends_with(rest), "{first:?}");
        let created = running.line("msg=\"Created backup\"").await;
        assert!(
            created.ends_with("ms ") || created.ends_with("µs "),
            "{created:?}"
        );
        let keys: Vec<_> = fields(created.trim_end())
            .into_iter()
            .map(|(key, _)| key)
            .collect();
        assert_eq!(keys, ["time", "level", "msg", "name", "runtime"]);
        let name = field(created.trim_end(), "name").to_owned();
        assert!(
            node.snapshots().contains(&name),
            "it is raw, and has its own name"
        );
        let deleted = format!("msg=\"Deleted backup\" name=\"{name}\" runtime=");
        running.line(&deleted).await;
        assert!(!node.file(&name).exists());
        assert_eq!(running.stop().await.code, Some(0));
    }
}

#[tokio::test]
async fn a_file_whose_name_tells_no_time_is_named_as_it_was_but_once() {
    let node = Node::up().await;
    // The second tells a time, whatever else it is.
    for name in ["mysnap", "2018-05-04T18:40:16Z_other.txt"] {
        fs::write(node.file(name), "of somebody").unwrap();
    }
    for (line, end) in [
        (LINE, " "),
        ("etcd-backup save --creation=1s --retention=2s", ""),
    ] {
        let mut running = node.call(line).start();
        running.line("msg=\"Deleted ").await;
        let log = running.stop().await.log;
        let said = log.iter().filter(|line| line.contains("parse backup"));
        let said: Vec<_> = said.collect();
        let sentence = " level=warning msg=\"Couldn't parse backup\" error=\"parsing time \\\"mysnap\\\" \
                        as \\\"2006-01-02T15:04:05Z07:00\\\": cannot parse \\\"mysnap\\\" as \
                        \\\"2006\\\"\" name=mysnap";
        let [said] = said[..] else {
            panic!("{log:#?}");
        };
        assert!(said.ends_with(&format!("{sentence}{end}")), "{said:?}");
        assert!(node.file("mysnap").exists());
    }
}
