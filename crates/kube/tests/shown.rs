//! Objects made ready for eyes and for `kubectl apply`.

use rollsnap_kube::{clean, redact};
use serde_json::{Value, json};

fn cleaned(mut object: Value) -> Value {
    clean(&mut object);
    object
}

fn redacted(mut object: Value) -> Value {
    redact(&mut object);
    object
}

#[test]
fn what_a_server_says_of_any_object_is_taken_out() {
    let stored = json!({
        "apiVersion": "example.com/v1",
        "kind": "Widget",
        "metadata": {
            "name": "w",
            "namespace": "n",
            "labels": {"a": "b"},
            "annotations": {
                "mine": "stays",
                "kubectl.kubernetes.io/last-applied-configuration": "{}",
            },
            "finalizers": ["example.com/keep"],
            "uid": "u",
            "resourceVersion": "1",
            "generation": 2,
            "creationTimestamp": "2020-01-01T00:00:00Z",
            "deletionTimestamp": "2020-01-01T00:00:00Z",
            "deletionGracePeriodSeconds": 0,
            "managedFields": [{}],
            "selfLink": "/x",
            "ownerReferences": [{"uid": "o"}],
        },
        "spec": {"status": "mine", "nodeName": "mine", "clusterIP": "mine"},
        "status": {"phase": "x"},
    });
    let wanted = json!({
        "apiVersion": "example.com/v1",
        "kind": "Widget",
        "metadata": {
            "name": "w",
            "namespace": "n",
            "labels": {"a": "b"},
            "annotations": {"mine": "stays"},
            "finalizers": ["example.com/keep"],
        },
        "spec": {"status": "mine", "nodeName": "mine", "clusterIP": "mine"},
    });
    assert_eq!(cleaned(stored), wanted);
}

#[test]
fn what_a_server_says_in_the_spec_is_taken_out_by_kind() {
    let service = |ip: &str| {
        json!({
            "apiVersion": "v1", "kind": "Service",
            "spec": {"clusterIP": ip, "clusterIPs": [ip], "ports": [{"port": 1, "nodePort": 30000}]},
        })
    };
    let ports = json!([{"port": 1, "nodePort": 30000}]);
    assert_eq!(
        cleaned(service("10.0.0.1"))["spec"],
        json!({ "ports": ports })
    );
    assert_eq!(
        cleaned(service("None"))["spec"],
        json!({"clusterIP": "None", "clusterIPs": ["None"], "ports": ports}),
    );

    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "spec": {"nodeName": "n", "priority": 0, "priorityClassName": "c", "ephemeralContainers": []},
    });
    assert_eq!(cleaned(pod)["spec"], json!({"priorityClassName": "c"}));

    let job = |manual: Value| {
        json!({
            "apiVersion": "batch/v1", "kind": "Job",
            "metadata": {"labels": {"controller-uid": "u", "a": "b"}},
            "spec": {
                "manualSelector": manual,
                "selector": {"matchLabels": {"controller-uid": "u"}},
                "template": {"metadata": {"labels": {"batch.kubernetes.io/controller-uid": "u"}}},
            },
        })
    };
    let wanted = json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"labels": {"a": "b"}},
        "spec": {"manualSelector": false, "template": {"metadata": {}}},
    });
    assert_eq!(cleaned(job(json!(false))), wanted);
    assert_eq!(cleaned(job(json!(true))), job(json!(true)));

    let volume = json!({
        "apiVersion": "v1", "kind": "PersistentVolume",
        "spec": {"claimRef": {"name": "c", "namespace": "n", "uid": "u", "resourceVersion": "1"}},
    });
    assert_eq!(
        cleaned(volume)["spec"]["claimRef"],
        json!({"name": "c", "namespace": "n"})
    );

    let namespace = json!({
        "apiVersion": "v1", "kind": "Namespace", "spec": {"finalizers": ["kubernetes"]},
    });
    assert_eq!(
        cleaned(namespace),
        json!({"apiVersion": "v1", "kind": "Namespace"})
    );
}

#[test]
fn a_secret_s_values_are_hidden_wherever_they_are_repeated() {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {
            "name": "s",
            "annotations": {
                "kubectl.kubernetes.io/last-applied-configuration": "{...}",
                "example.com/original": "{\"data\":{\"password\":\"aHVudGVyMg==\"}}",
                "example.com/plain": "it is hunter2",
                "example.com/innocent": "nothing",
            },
        },
        "data": {"password": "aHVudGVyMg==", "empty": "", "broken": "not base64"},
        "stringData": {"token": "hunter3"},
        "type": "Opaque",
    });
    let wanted = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {
            "name": "s",
            "annotations": {
                "kubectl.kubernetes.io/last-applied-configuration": "<hidden, 5 bytes>",
                "example.com/original": "<hidden, 36 bytes>",
                "example.com/plain": "<hidden, 13 bytes>",
                "example.com/innocent": "nothing",
            },
        },
        "data": {
            "password": "<hidden, 7 bytes>",
            "empty": "<hidden, 0 bytes>",
            "broken": "<hidden, 10 bytes>",
        },
        "stringData": {"token": "<hidden, 7 bytes>"},
        "type": "Opaque",
    });
    assert_eq!(redacted(secret), wanted);
}

#[test]
fn other_kinds_are_shown_and_odd_ones_harm_nobody() {
    let config = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "b"}});
    assert_eq!(redacted(config.clone()), config);
    for odd in [
        json!(null),
        json!([1]),
        json!({"metadata": 1, "kind": [], "spec": ""}),
    ] {
        assert_eq!(redacted(cleaned(odd.clone())), odd);
    }
    let odd = json!({"apiVersion": "v1", "kind": "Secret", "data": {"a": null, "b": [1]}});
    let data = json!({"a": null, "b": "<hidden, 3 bytes>"});
    assert_eq!(redacted(odd)["data"], data);
}
