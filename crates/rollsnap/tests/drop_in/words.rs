//! The program by its old name: what it does with words that it does not know.

use std::os::unix::fs::symlink;

use tokio::process::Command;

use crate::node::{Node, reason};

#[tokio::test]
async fn it_answers_to_its_old_name_whatever_follows() {
    let dir = tempfile::tempdir().unwrap();
    let old = dir.path().join("rke-etcd-backup");
    symlink(env!("CARGO_BIN_EXE_rollsnap"), &old).unwrap();
    let output = Command::new(&old).output().await.unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success() && out.contains("etcd-backup extractstatefile"),
        "{out}"
    );
    let output = Command::new(&old).arg("list").output().await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(
        err.ends_with("level=fatal msg=\"No help topic for 'list'\"\n"),
        "{err}"
    );
}

#[tokio::test]
async fn what_it_is_not_told_it_names() {
    let node = Node::up().await;
    let outcome = node.bare("etcd-backup save --cert c").run().await;
    let sentence = "msg=\"Failed to find etcd cert or key paths\"";
    let fields = "etcdCACert= etcdCert=c etcdKey=";
    let error = format!("level=error {sentence} {fields}\n");
    assert!(outcome.err.contains(&error), "{}", outcome.err);
    assert!(reason(&outcome).ends_with(&format!("level=fatal {sentence}")));
    // What the older releases said of it: nothing, and 0.
    let outcome = node.bare("rolling-backup").run().await;
    assert!(reason(&outcome).ends_with(&format!("level=fatal {sentence} ")));

    let outcome = node
        .call("etcd-backup save --creation=0h --retention=0h")
        .run()
        .await;
    let sentence = "msg=\"Creation period and/or retention are not set\"";
    let error = format!("level=error {sentence} creation=0s retention=0s\n");
    assert!(outcome.err.contains(&error), "{}", outcome.err);
    assert!(reason(&outcome).ends_with(&format!("level=fatal {sentence}")));

    let outcome = node.call("etcd-backup save --nmae x").run().await;
    assert!(
        outcome
            .out
            .starts_with("Incorrect Usage: flag provided but not defined: -nmae\n")
    );
    assert!(reason(&outcome).ends_with("msg=\"flag provided but not defined: -nmae\""));
}
