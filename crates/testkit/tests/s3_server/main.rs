//! The program `s3-server`, as the demo and the containers use it.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

#[test]
fn it_says_when_it_is_ready_takes_its_keys_from_the_environment_and_ends_on_sigterm() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Command::new(env!("CARGO_BIN_EXE_s3-server"))
        .args(["--listen", "127.0.0.1:0", "--bucket", "demo", "--dir"])
        .arg(dir.path().join("deep/objects"))
        .env("S3_ACCESS_KEY", "key")
        .env("S3_SECRET_KEY", "secret")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let output = server.stdout.take().unwrap();
    BufReader::new(output).read_line(&mut line).unwrap();
    assert!(line.starts_with("s3-server ready at http://127.0.0.1:"));
    assert!(line.ends_with(" with bucket demo\n"), "{line}");
    assert!(dir.path().join("deep/objects/demo").is_dir());

    kill_process(Pid::from_child(&server), Signal::TERM).unwrap();
    assert!(server.wait().unwrap().success());
}
