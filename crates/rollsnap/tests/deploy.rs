//! What deploy/ says to the program is what the program takes.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use rollsnap::config::options::{OPTIONS, OnCommandLine};

#[test]
fn every_flag_and_variable_that_deploy_uses_is_one_of_the_program() {
    let known: BTreeSet<String> = OPTIONS
        .iter()
        .flat_map(|option| {
            let flag = (option.on_command_line == OnCommandLine::Flag)
                .then(|| format!("--{}", option.name));
            flag.into_iter()
                .chain(option.env.iter().map(|&name| name.to_owned()))
        })
        .collect();

    let mut used = BTreeSet::new();
    for manifest in ["kubernetes/daemonset.yaml", "kubernetes/static-pod.yaml"] {
        used.extend(flags(&lines(manifest, "- --")));
    }
    used.extend(flags(&lines("compose.yaml", "[\"run\",")));
    used.extend(flags(&lines(
        "docker-run.sh",
        "#   deploy/docker-run.sh --",
    )));
    assert!(used.len() >= 7, "flags are looked for wrongly: {used:?}");

    for file in ["systemd/rollsnap.env", "systemd/rollsnap.service.d/s3.conf"] {
        used.extend(variables(&text(file)));
    }
    used.extend(variables(
        &text("docker-run.sh").replace("${key^^}", "SECRET"),
    ));
    assert!(
        used.len() >= 14,
        "variables are looked for wrongly: {used:?}"
    );

    let unknown: Vec<&String> = used.difference(&known).collect();
    assert!(unknown.is_empty(), "no options of the program: {unknown:?}");
}

fn text(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../deploy")
        .join(file);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The lines of a file that hold this text.
fn lines(file: &str, mark: &str) -> String {
    text(file)
        .lines()
        .filter(|line| line.contains(mark))
        .collect::<Vec<_>>()
        .join("\n")
}

fn flags(text: &str) -> BTreeSet<String> {
    words(text)
        .into_iter()
        .filter(|word| word.starts_with("--"))
        .collect()
}

/// Names of variables that are ours or etcd's.
fn variables(text: &str) -> BTreeSet<String> {
    words(text)
        .into_iter()
        .filter(|word| word.starts_with("ROLLSNAP_") || word.starts_with("ETCDCTL_"))
        .collect()
}

/// What stands between anything but letters, digits, `_` and `-`.
fn words(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-'))
        .filter(|word| !word.is_empty())
        .map(String::from)
        .collect()
}
