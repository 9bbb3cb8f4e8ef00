//! The command lines of RKE's releases, word by word.

use crate::etcd;

/// The program's path in the image: up to v0.1.8, and since.
pub(super) const OLD_PATH: &str = "/opt/rke/rke-etcd-backup";
pub(super) const PATH: &str = "/opt/rke-tools/rke-etcd-backup";

/// The certificates, the name and the endpoint, in RKE's order.
fn common(name: &str) -> Vec<String> {
    let ssl = "/etc/kubernetes/ssl/";
    let mut words: Vec<String> = [
        ("--cacert", "kube-ca.pem"),
        ("--cert", "kube-node.pem"),
        ("--key", "kube-node-key.pem"),
    ]
    .iter()
    .flat_map(|(flag, file)| [(*flag).to_owned(), format!("{ssl}{file}")])
    .collect();
    words.extend(["--name".to_owned(), name.to_owned()]);
    words.push(format!("--endpoints={}:2379", etcd::HOST));
    words
}

fn line(start: &[&str], name: &str, more: &[&str]) -> Vec<String> {
    let mut words: Vec<String> = start.iter().map(|word| (*word).to_owned()).collect();
    words.extend(common(name));
    words.extend(more.iter().map(|word| (*word).to_owned()));
    words
}

/// A release's sidecar.
#[derive(Debug)]
pub(super) struct Release {
    /// Of RKE.
    pub(super) version: &'static str,
    /// The words of the container.
    pub(super) argv: Vec<String>,
    /// Whether snapshots are zips.
    pub(super) zips: bool,
    /// What it says of a new one.
    pub(super) created: &'static str,
}

/// Every form that any release has used, each with an interval of seconds.
pub(super) fn releases() -> Vec<Release> {
    let name = crate::sidecar::NAME;
    let times = ["--retention=1h", "--creation=2s"];
    let (old, new) = ("Created backup", "Created local backup");
    let release = |version, start: &[&str], (zips, created)| Release {
        version,
        argv: line(start, name, &times),
        zips,
        created,
    };
    vec![
        release("v0.1.7", &[OLD_PATH, "rolling-backup"], (false, old)),
        release("v0.1.9", &[PATH, "rolling-backup"], (false, old)),
        release(
            "v0.2.2 with an old tag",
            &[PATH, "rolling-backup", "save"],
            (false, old),
        ),
        release("v1.4.1", &[PATH, "etcd-backup", "save"], (true, new)),
    ]
}

/// The sidecar of a release with an S3 bucket, without its keys.
pub(super) fn with_bucket(bucket: &[String]) -> Vec<String> {
    let times = ["--creation=2s", "--retention=1h"];
    let mut words = line(&[PATH, "etcd-backup", "save"], crate::sidecar::NAME, &times);
    words.extend_from_slice(bucket);
    words
}

/// `etcd-snapshot-once` with a `backup_config`.
pub(super) fn once(name: &str, bucket: &[String]) -> Vec<String> {
    let more = ["--once", "--creation=12h", "--retention=72h"];
    let mut words = line(&[PATH, "etcd-backup", "save"], name, &more);
    words.extend_from_slice(bucket);
    words
}

/// Any other subcommand with a name.
pub(super) fn of(verb: &str, name: &str, more: &[&str]) -> Vec<String> {
    let mut words: Vec<String> = [PATH, "etcd-backup", verb, "--name", name]
        .map(String::from)
        .to_vec();
    words.extend(more.iter().map(|word| (*word).to_owned()));
    words
}

/// Those that speak TLS with other nodes, or with etcd.
pub(super) fn with_certificates(verb: &str, name: &str, more: &[&str]) -> Vec<String> {
    let mut words = of(verb, name, &[]);
    words.extend(common(name).into_iter().take(6));
    words.extend(more.iter().map(|word| (*word).to_owned()));
    words
}
