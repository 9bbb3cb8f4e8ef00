//! Values from a broken disk, or from somebody who means harm.

use proptest::prelude::*;
use rollsnap_kube::{Object, clean, decode, redact, to_yaml};

const STORED: [&[u8]; 12] = [
    include_bytes!("../testdata/apps.v1.Deployment.pb"),
    include_bytes!("../testdata/apps.v1.StatefulSet.pb"),
    include_bytes!("../testdata/batch.v1.CronJob.pb"),
    include_bytes!("../testdata/coordination.k8s.io.v1.Lease.pb"),
    include_bytes!("../testdata/core.v1.ConfigMap.pb"),
    include_bytes!("../testdata/core.v1.Event.pb"),
    include_bytes!("../testdata/core.v1.Node.pb"),
    include_bytes!("../testdata/core.v1.Pod.pb"),
    include_bytes!("../testdata/core.v1.Secret.pb"),
    include_bytes!("../testdata/discovery.k8s.io.v1.EndpointSlice.pb"),
    include_bytes!("../testdata/networking.k8s.io.v1.Ingress.pb"),
    include_bytes!("../testdata/rbac.authorization.k8s.io.v1.ClusterRole.pb"),
];

/// Everything that is done with a value on its way to somebody's eyes.
fn show(value: &[u8]) -> Object {
    let object = decode(value);
    if let Some(mut value) = object.value().cloned() {
        clean(&mut value);
        redact(&mut value);
        to_yaml(&value);
    }
    object
}

fn varint(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 127 {
        bytes.push(u8::try_from(value % 128).expect("below 128") | 128);
        value /= 128;
    }
    bytes.push(u8::try_from(value).expect("below 128"));
    bytes
}

fn field(tag: &[u8], bytes: &[u8]) -> Vec<u8> {
    [tag, &varint(bytes.len()), bytes].concat()
}

fn stored(api_version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
    let meta = [
        field(b"\x0a", api_version.as_bytes()),
        field(b"\x12", kind.as_bytes()),
    ]
    .concat();
    [
        b"k8s\0".to_vec(),
        field(b"\x0a", &meta),
        field(b"\x12", raw),
    ]
    .concat()
}

fn decoded(value: &[u8]) -> rollsnap_kube::Decoded {
    match show(value) {
        Object::Protobuf(decoded) => decoded,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_value_cut_anywhere_is_still_told() {
    for whole in STORED {
        for end in 0..whole.len() {
            show(&whole[..end]);
        }
    }
}

#[test]
fn a_cut_object_says_so() {
    // The object of a lease cut short, in an envelope that is whole.
    let lease = STORED[3];
    let raw_at = lease.windows(2).rposition(|it| it == b"\x1a\0").unwrap();
    let head = 4 + 2 + usize::from(lease[5]) + 3;
    for end in head..raw_at {
        let cut = decoded(&stored(
            "coordination.k8s.io/v1",
            "Lease",
            &lease[head..end],
        ));
        let whole = decoded(lease);
        assert!(
            !cut.omissions.is_empty() || cut.value != whole.value,
            "{end}"
        );
    }
}

#[test]
fn messages_within_messages_stop_somewhere() {
    // A custom resource's schema: `not` within `not`, and maps of schemas likewise.
    for tag in [b"\xe2\x01".as_slice(), b"\xca\x01", b"\xda\x01"] {
        let mut schema = Vec::new();
        for _ in 0..20_000 {
            schema = field(tag, &schema);
        }
        // spec, versions, schema, openAPIV3Schema
        let wrapped = [b"\x12", b"\x3a", b"\x22", b"\x0a"];
        let raw = wrapped
            .iter()
            .rev()
            .fold(schema, |inner, tag| field(*tag, &inner));
        let decoded = decoded(&stored(
            "apiextensions.k8s.io/v1",
            "CustomResourceDefinition",
            &raw,
        ));
        assert!(!decoded.omissions.is_empty());
    }
}

#[test]
fn few_bytes_do_not_become_many_objects() {
    // Containers without a byte: two bytes each.
    let containers = b"\x12\0".repeat(500_000);
    let raw = field(b"\x12", &containers);
    let pod = decoded(&stored("v1", "Pod", &raw));
    let containers = pod.value["spec"]["containers"].as_array().unwrap().len();
    assert!(containers < raw.len() / 15, "{containers}");
    let said = pod.omissions.last().unwrap().to_string();
    assert!(said.ends_with("more"), "{said}");
    assert_eq!(pod.omissions.len(), 101);
}

#[test]
fn what_is_not_known_is_named_by_its_place() {
    // metadata with field 99, spec with text where a number belongs, a field of another day.
    let metadata = field(b"\x0a", &field(b"\x9a\x06", b"four"));
    let spec = field(
        b"\x12",
        &[field(b"\x12", b"\x0a\x01c"), b"\x22\x01x".to_vec()].concat(),
    );
    let raw = [metadata, spec, vec![0xd8, 0x05, 5]].concat();
    let pod = decoded(&stored("v1", "Pod", &raw));
    let said: Vec<_> = pod.omissions.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "metadata: unknown field 99, 4 bytes",
            "spec.terminationGracePeriodSeconds: 1 byte, which is not what the schema says",
            "unknown field 91, number 5",
        ]
    );
    assert_eq!(pod.value["spec"]["containers"][0]["name"], "c");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn damage_never_panics(
        which in 0..STORED.len(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut value = STORED[which].to_vec();
        for (at, byte) in damage {
            let at = at.index(value.len());
            value[at] = byte;
        }
        show(&value);
    }

    #[test]
    fn noise_never_panics(raw in prop::collection::vec(any::<u8>(), 0..400), kind in 0_usize..4) {
        let (api_version, kind) = [
            ("v1", "Pod"),
            ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
            ("apps/v1", "Deployment"),
            ("example.com/v1", "Odd"),
        ][kind];
        show(&stored(api_version, kind, &raw));
        show(&raw);
    }
}
