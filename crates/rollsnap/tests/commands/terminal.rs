//! The bar that people see while they wait, and its absence where nobody looks.

use std::path::Path;
use std::process::Stdio;

use rollsnap_testkit::etcd_real::EtcdReal;
use tokio::process::Command;

use crate::program::Program;
use crate::world::etcd_and_dir;

#[tokio::test]
async fn a_bar_is_drawn_on_a_terminal_and_nowhere_else() {
    let (etcd, dir) = etcd_and_dir().await;
    etcd.fill(16 << 20).await;
    let plain = Program::new(["save"])
        .etcd(&etcd)
        .dir(dir.path())
        .run()
        .await;
    assert_eq!(plain.err, "");
    assert_eq!(plain.ok().lines().count(), 1);

    let dir = tempfile::tempdir().unwrap();
    let screen = watch("save --name watched", dir.path(), &etcd).await;
    assert!(
        screen.contains("% ") && screen.contains("iB/"),
        "{screen:?}"
    );
    let last = screen.trim_end().lines().last().unwrap();
    assert!(
        last.contains("/watched  "),
        "the result comes after the bar: {screen:?}"
    );
}

#[tokio::test]
async fn a_verification_draws_a_bar_too() {
    let (etcd, dir) = etcd_and_dir().await;
    etcd.fill(16 << 20).await;
    let save = Program::new(["save", "--name", "n"]).etcd(&etcd);
    save.dir(dir.path()).run().await.ok();
    let screen = watch("verify n", dir.path(), &etcd).await;
    assert!(
        screen.contains("% ") && screen.contains("verify n"),
        "{screen:?}"
    );
    assert!(screen.contains("held       n: revision"), "{screen:?}");
}

/// What somebody at a terminal sees of a verb that goes well.
async fn watch(words: &str, dir: &Path, etcd: &EtcdReal) -> String {
    let command = format!("{} {words}", env!("CARGO_BIN_EXE_rollsnap"));
    let watched = Command::new("script")
        .args(["--quiet", "--return", "--command", &command, "/dev/null"])
        .env("ROLLSNAP_ENDPOINTS", etcd.endpoint())
        .env("ROLLSNAP_DIR", dir)
        .env("TERM", "xterm")
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let screen = String::from_utf8_lossy(&watched.stdout).into_owned();
    assert!(watched.status.success(), "{screen}");
    screen
}
