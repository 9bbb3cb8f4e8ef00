//! The arrows of `docs/architecture.md`, held by `cargo metadata`.

use std::collections::BTreeMap;

use cargo_metadata::{DependencyKind, MetadataCommand};

/// Which crates of the house a crate may use.
const ARROWS: [(&str, &[&str]); 8] = [
    ("rollsnap-snapfile", &[]),
    ("rollsnap-kube", &[]),
    ("rollsnap-etcd", &[]),
    ("rollsnap-store", &[]),
    (
        "rollsnap-engine",
        &["rollsnap-etcd", "rollsnap-snapfile", "rollsnap-store"],
    ),
    ("rollsnap-rke", &["rollsnap-engine"]),
    (
        "rollsnap",
        &[
            "rollsnap-engine",
            "rollsnap-etcd",
            "rollsnap-kube",
            "rollsnap-rke",
            "rollsnap-store",
        ],
    ),
    ("rollsnap-testkit", &[]),
];

/// Crates that only one room of the product may know, or two.
const OWNED: [(&str, &[&str]); 16] = [
    ("etcd-client", &["rollsnap-etcd"]),
    ("rust-s3", &["rollsnap-store"]),
    ("reqwest", &["rollsnap", "rollsnap-store"]),
    ("serde_yaml", &["rollsnap-rke"]),
    ("flate2", &["rollsnap-engine", "rollsnap-rke"]),
    ("zip", &["rollsnap-engine"]),
    ("zstd", &["rollsnap-engine"]),
    ("tar", &["rollsnap-rke"]),
    ("axum", &["rollsnap"]),
    ("prometheus", &["rollsnap"]),
    ("chrono-tz", &["rollsnap-engine"]),
    ("croner", &["rollsnap-engine"]),
    ("clap", &["rollsnap"]),
    ("similar", &["rollsnap"]),
    ("signal-hook", &["rollsnap"]),
    ("tracing-subscriber", &["rollsnap"]),
];

/// What the ground floor of formats must never need.
const NOT_IN_SNAPFILE: [&str; 4] = ["tokio", "chrono", "rustix", "tracing"];

fn dependencies() -> BTreeMap<String, Vec<String>> {
    let metadata = MetadataCommand::new()
        .no_deps()
        .exec()
        .expect("cargo metadata");
    let normal = |package: &cargo_metadata::Package| {
        let normal = package
            .dependencies
            .iter()
            .filter(|it| it.kind == DependencyKind::Normal);
        normal.map(|dependency| dependency.name.clone()).collect()
    };
    metadata
        .packages
        .iter()
        .map(|package| (package.name.to_string(), normal(package)))
        .collect()
}

#[test]
fn arrows_go_down_only() {
    let arrows = BTreeMap::from(ARROWS);
    for (krate, needs) in dependencies() {
        let allowed = arrows
            .get(&*krate)
            .unwrap_or_else(|| panic!("{krate} is on no floor"));
        for need in needs.iter().filter(|need| need.starts_with("rollsnap")) {
            assert!(allowed.contains(&&**need), "{krate} must not use {need}");
        }
    }
}

#[test]
fn a_library_is_known_to_the_one_room_that_owns_it() {
    for (krate, needs) in dependencies() {
        // The kit stands in for the far side and needs the same words.
        if krate == "rollsnap-testkit" {
            continue;
        }
        for (library, owners) in OWNED {
            let known = needs.iter().any(|need| need == library);
            assert!(
                !known || owners.contains(&&*krate),
                "{krate} must not use {library}: ask {}",
                owners.join(" or ")
            );
        }
    }
}

#[test]
fn the_crate_of_formats_knows_no_runtime_and_no_clock() {
    let needs = &dependencies()["rollsnap-snapfile"];
    for library in NOT_IN_SNAPFILE {
        assert!(
            !needs.iter().any(|need| need == library),
            "snapfile must not use {library}"
        );
    }
}
