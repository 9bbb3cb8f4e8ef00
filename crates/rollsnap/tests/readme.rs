//! The README's first command does what the README says. (Its second one is what CI runs.)

use std::path::Path;
use std::process::Command;

/// The shell command behind `<!-- command: NAME -->`.
fn command(readme: &str, name: &str) -> String {
    let (_, after) = readme
        .split_once(&format!("<!-- command: {name} -->"))
        .expect("the mark");
    let (_, block) = after.split_once("```sh\n").expect("a block of shell");
    block
        .split_once("```")
        .expect("its end")
        .0
        .trim()
        .to_owned()
}

#[test]
fn the_first_command_shows_snapshots_appear_rotate_and_reach_a_bucket() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let readme = std::fs::read_to_string(root.join("README.md")).expect("README.md");
    let command = command(&readme, "demo");
    assert_eq!(command.lines().count(), 1, "it is one line");

    let run = Command::new("bash")
        .args(["-c", &command])
        .current_dir(&root)
        .output();
    let run = run.expect("bash");
    let said = [run.stdout, run.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    let said = said.join("\n");
    assert!(run.status.success(), "{said}");
    for line in [
        "msg=\"Initializing Rolling Backups\" creation=2s retention=",
        "msg=\"Created backup\" name=\"",
        "msg=\"Uploaded backup\" name=\"",
        "msg=\"Deleted backup\" name=\"",
        "local+remote",
    ] {
        assert!(said.contains(line), "{line} is missing in:\n{said}");
    }
}
