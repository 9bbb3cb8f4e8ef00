//! What deploy/ hands to the program, read as the program reads it.

use std::fs;
use std::path::{Path, PathBuf};

use rollsnap_rke::cluster_yml;
use serde_yaml::Value;

#[test]
fn every_config_in_deploy_is_taken_without_a_fault() {
    let mut configs: Vec<(String, String)> = below("compose", "yml")
        .into_iter()
        .map(|path| (path.display().to_string(), text(&path)))
        .collect();
    for document in documents(&deploy("kubernetes/daemonset.yaml")) {
        if let Some(config) = document["data"]["rollsnap.yml"].as_str() {
            configs.push(("daemonset.yaml: ConfigMap".to_owned(), config.to_owned()));
        }
    }
    assert_eq!(
        configs.len(),
        3,
        "two beside compose.yaml and one ConfigMap"
    );
    for (place, config) in configs {
        cluster_yml::parse(&place, config.as_bytes()).unwrap_or_else(|faults| panic!("{faults:?}"));
    }
}

#[test]
fn both_manifests_run_the_same_container_with_no_right_it_does_not_need() {
    let set = documents(&deploy("kubernetes/daemonset.yaml"))
        .into_iter()
        .find(|document| document["kind"] == "DaemonSet")
        .expect("daemonset.yaml holds a DaemonSet");
    let static_pod = documents(&deploy("kubernetes/static-pod.yaml")).remove(0);
    for spec in [&set["spec"]["template"]["spec"], &static_pod["spec"]] {
        assert_eq!(spec["hostNetwork"], true);
        let container = &spec["containers"][0];
        assert_eq!(container["name"], "etcd-rolling-snapshots");
        let security = &container["securityContext"];
        assert_eq!(security["allowPrivilegeEscalation"], false);
        assert_eq!(security["readOnlyRootFilesystem"], true);
        assert_eq!(security["capabilities"]["drop"][0], "ALL");
        assert_every_mount_has_its_volume(spec);
    }
    for same in ["securityContext", "resources", "image"] {
        assert_eq!(
            set["spec"]["template"]["spec"]["containers"][0][same],
            static_pod["spec"]["containers"][0][same],
            "{same}"
        );
    }
}

#[test]
fn the_rights_for_events_are_those_of_one_account_and_no_more() {
    let [account, role, binding] = &documents(&deploy("kubernetes/events.yaml"))[..] else {
        panic!("an account, its role and what binds them");
    };
    assert_eq!(account["kind"], "ServiceAccount");
    assert_eq!(account["automountServiceAccountToken"], false);
    let only: Value =
        serde_yaml::from_str("{apiGroups: [''], resources: [events], verbs: [create, patch]}")
            .expect("it is YAML");
    assert_eq!(role["kind"], "Role");
    assert_eq!(role["rules"], Value::Sequence(vec![only]));
    assert_eq!(binding["roleRef"]["kind"], role["kind"]);
    assert_eq!(binding["roleRef"]["name"], role["metadata"]["name"]);
    let subject = &binding["subjects"][0];
    for same in ["name", "namespace"] {
        assert_eq!(subject[same], account["metadata"][same], "{same}");
    }
    // Events about a Node lie where cluster-wide ones do; the program posts them there.
    let spaces = [account, role, binding].map(|it| &it["metadata"]["namespace"]);
    assert_eq!(spaces, [&Value::from("kube-system"); 3]);
}

fn assert_every_mount_has_its_volume(spec: &Value) {
    let names = |list: &Value| -> Vec<String> {
        let mut names: Vec<String> = list
            .as_sequence()
            .expect("a list")
            .iter()
            .filter_map(|entry| entry["name"].as_str().map(String::from))
            .collect();
        names.sort();
        names
    };
    assert_eq!(
        names(&spec["volumes"]),
        names(&spec["containers"][0]["volumeMounts"])
    );
}

fn deploy(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../deploy")
        .join(path)
}

fn below(dir: &str, extension: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(deploy(dir))
        .unwrap_or_else(|e| panic!("{dir}: {e}"))
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    files.sort();
    files
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn documents(path: &Path) -> Vec<Value> {
    serde_yaml::Deserializer::from_str(&text(path))
        .map(|document| {
            use serde::Deserialize as _;
            Value::deserialize(document).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
        })
        .collect()
}
