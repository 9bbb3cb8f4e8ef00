//! What stands for nothing, and what Kubernetes' JSON makes of its special types.

use rollsnap_kube::{Object, decode, to_yaml};
use serde_json::{Value, json};

fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let length = u8::try_from(bytes.len()).expect("a short one");
    [&[number << 3 | 2, length], bytes].concat()
}

fn number(field: u8, value: u8) -> Vec<u8> {
    vec![field << 3, value]
}

fn stored(api_version: &str, kind: &str, raw: &[Vec<u8>]) -> Value {
    let meta = [field(1, api_version.as_bytes()), field(2, kind.as_bytes())].concat();
    let value = [b"k8s\0".to_vec(), field(1, &meta), field(2, &raw.concat())].concat();
    match decode(&value) {
        Object::Protobuf(decoded) => {
            assert_eq!(decoded.omissions, []);
            decoded.value
        }
        other => panic!("{other:?}"),
    }
}

/// A server writes every field that is no pointer, set or not.
#[test]
fn a_zero_counts_where_it_is_one_and_not_where_nothing_was_set() {
    // `replicas` is a pointer; `minReadySeconds` and `paused` are not.
    let spec = [number(1, 0), number(5, 0), number(7, 0)].concat();
    let deployment = stored("apps/v1", "Deployment", &[field(2, &spec)]);
    assert_eq!(
        deployment["spec"],
        // Both are in Kubernetes' JSON though they be empty; the template would be in the bytes.
        json!({"replicas": 0, "selector": null}),
    );
}

#[test]
fn what_is_always_in_the_json_is_there_when_the_bytes_have_nothing() {
    let role = stored(
        "rbac.authorization.k8s.io/v1",
        "ClusterRole",
        &[field(1, b"")],
    );
    assert_eq!(role["rules"], Value::Null);
    let slice = stored("discovery.k8s.io/v1", "EndpointSlice", &[]);
    assert_eq!(slice["addressType"], "");
    assert_eq!(slice["endpoints"], Value::Null);
}

#[test]
fn empty_messages_stay_and_a_time_that_is_not_set_is_null() {
    let condition = [
        field(1, b"Ready"),
        field(2, b"True"),
        field(3, b""),
        field(4, b""),
    ]
    .concat();
    let status = field(2, &condition);
    let metadata = [field(1, b"p"), field(8, b"")].concat();
    let container = [field(1, b"c"), field(8, b"")].concat();
    let raw = [
        field(1, &metadata),
        field(2, &field(2, &container)),
        field(3, &status),
    ];
    assert_eq!(
        stored("v1", "Pod", &raw),
        json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "p"},
            "spec": {"containers": [{"name": "c", "resources": {}}]},
            "status": {"conditions": [{
                "type": "Ready", "status": "True", "lastProbeTime": null, "lastTransitionTime": null,
            }]},
        }),
    );
}

#[test]
fn a_number_may_be_negative_and_lists_may_be_packed() {
    let raw = field(2, &field(14, &field(4, b"\x01\xac\x02")));
    let pod = stored("v1", "Pod", &[raw]);
    let context = &pod["spec"]["securityContext"];
    assert_eq!(context["supplementalGroups"], json!([1, 300]));
    let minus_one = [vec![2 << 3], vec![0xff; 9], vec![1]].concat();
    let level = stored("scheduling.k8s.io/v1", "PriorityClass", &[minus_one]);
    assert_eq!(level["value"], -1);
}

#[test]
fn a_message_said_twice_is_one_message() {
    let raw = [
        field(1, &field(1, b"n")),
        field(1, &field(3, b"ns")),
        field(1, &field(1, b"m")),
    ];
    let map = stored("v1", "ConfigMap", &raw);
    assert_eq!(map["metadata"], json!({"name": "m", "namespace": "ns"}));
}

#[test]
fn schemas_of_custom_resources_are_one_thing_or_another() {
    let array = field(5, b"array");
    let allowed = |said: u8| [vec![0xf2, 1, 2], number(1, said)].concat();
    let either = [vec![0xf2, 1, 11], number(1, 1), field(2, &array)].concat();
    let items = |inner: &[u8]| [&[0xc2, 1, u8::try_from(inner.len()).unwrap()], inner].concat();
    let maximum = [vec![9 << 3 | 1], 10_f64.to_le_bytes().to_vec()].concat();
    let half = [vec![11 << 3 | 1], 0.5_f64.to_le_bytes().to_vec()].concat();
    for (schema, wanted) in [
        (allowed(1), json!({"additionalProperties": true})),
        (allowed(0), json!({"additionalProperties": false})),
        (either, json!({"additionalProperties": {"type": "array"}})),
        (
            items(&field(1, &array)),
            json!({"items": {"type": "array"}}),
        ),
        (
            items(&field(2, &array)),
            json!({"items": [{"type": "array"}]}),
        ),
        (
            [maximum, half].concat(),
            json!({"maximum": 10, "minimum": 0.5}),
        ),
    ] {
        let version = field(4, &field(1, &schema));
        let raw = field(2, &field(7, &version));
        let crd = stored(
            "apiextensions.k8s.io/v1",
            "CustomResourceDefinition",
            &[raw],
        );
        assert_eq!(
            crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"],
            wanted
        );
    }
}

#[test]
fn what_is_decoded_is_printed_as_kubectl_prints_it() {
    let data = field(
        2,
        &[field(1, b"app.conf"), field(2, b"a = 1\nb = \"x\"\n")].concat(),
    );
    let map = stored("v1", "ConfigMap", &[field(1, &field(1, b"m")), data]);
    let wanted = r#"apiVersion: v1
data:
  app.conf: |
    a = 1
    b = "x"
kind: ConfigMap
metadata:
  name: m
"#;
    assert_eq!(to_yaml(&map), wanted);
}
