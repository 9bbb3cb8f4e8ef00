//! The tables of failures in `docs/` are whole: `testing.md` names tests that exist, and
//! `operations.md` every message that the daemon logs.

use std::collections::BTreeSet;
use std::path::Path;

/// Every function below `crates/` that stands behind a test attribute or inside `proptest!`.
fn functions(dir: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(dir).expect("a folder of the sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() && !path.ends_with("target") {
            functions(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("a source");
            let mut after_test = false;
            for line in text.lines().map(str::trim) {
                if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
                    after_test = true;
                } else if let Some((_, rest)) = line.split_once("fn ") {
                    if after_test {
                        found.insert(rest.split('(').next().unwrap_or_default().to_owned());
                    }
                    after_test = false;
                }
            }
        }
    }
}

#[test]
fn every_test_that_the_table_of_failures_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut tests = BTreeSet::new();
    functions(&root.join("crates"), &mut tests);
    let page = std::fs::read_to_string(root.join("docs/testing.md")).expect("docs/testing.md");
    let rows: Vec<_> = page
        .lines()
        .filter(|line| line.starts_with("| F"))
        .collect();
    assert!(rows.len() > 20, "the table is not where it was");
    for row in rows {
        let named: Vec<_> = row.split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "no test is named: {row}");
        for name in named {
            assert!(tests.contains(name), "there is no test {name}: {row}");
        }
    }
}

#[test]
fn every_message_of_the_daemon_is_explained_to_operators() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("../../docs/operations.md")).expect("the page");
    let mut messages = 0;
    for source in [
        "src/journal.rs",
        "src/daemon.rs",
        "src/http/door.rs",
        "src/http/tls.rs",
    ] {
        let text = std::fs::read_to_string(root.join(source)).expect("a source");
        let code = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        // Messages, and nothing else there, are texts that begin with a capital.
        for quoted in code.flat_map(|line| line.split('"').skip(1).step_by(2)) {
            if quoted.starts_with(|c: char| c.is_ascii_uppercase()) {
                assert!(
                    page.contains(&format!("| `{quoted}` |")),
                    "{source}: {quoted}"
                );
                messages += 1;
            }
        }
    }
    assert!(messages > 15, "the messages are not where they were");
}
