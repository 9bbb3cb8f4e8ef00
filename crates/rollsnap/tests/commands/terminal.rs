//! The bar that people see while they wait, and its absence where nobody looks.

use std::process::Stdio;

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
    let watched = Command::new("script")
        .args(["--quiet", "--return", "--command"])
        .arg(concat!(
            env!("CARGO_BIN_EXE_rollsnap"),
            " save --name watched"
        ))
        .arg("/dev/null")
        .env("ROLLSNAP_ENDPOINTS", etcd.endpoint())
        .env("ROLLSNAP_DIR", dir.path())
        .env("TERM", "xterm")
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let screen = String::from_utf8_lossy(&watched.stdout);
    assert!(watched.status.success(), "{screen}");
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
