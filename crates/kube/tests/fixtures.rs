//! Kubernetes' own serialised objects beside their YAML.

use rollsnap_kube::{Object, decode, to_yaml};
use serde_json::Value;

macro_rules! pairs {
    ($($name:literal),* $(,)?) => {
        [$((
            $name,
            include_bytes!(concat!("../testdata/", $name, ".pb")).as_slice(),
            include_str!(concat!("../testdata/", $name, ".yaml")),
        )),*]
    };
}

const PAIRS: [(&str, &[u8], &str); 12] = pairs![
    "apps.v1.Deployment",
    "apps.v1.StatefulSet",
    "batch.v1.CronJob",
    "coordination.k8s.io.v1.Lease",
    "core.v1.ConfigMap",
    "core.v1.Event",
    "core.v1.Node",
    "core.v1.Pod",
    "core.v1.Secret",
    "discovery.k8s.io.v1.EndpointSlice",
    "networking.k8s.io.v1.Ingress",
    "rbac.authorization.k8s.io.v1.ClusterRole",
];

#[test]
fn stored_objects_come_out_as_their_yaml() {
    for (name, stored, yaml) in PAIRS {
        let Object::Protobuf(decoded) = decode(stored) else {
            panic!("{name}: not told from other values");
        };
        assert_eq!(decoded.omissions, [], "{name}");
        let wanted: Value = serde_yaml::from_str(yaml).unwrap();
        assert_eq!(decoded.value, wanted, "{name}");
        assert_eq!(to_yaml(&decoded.value), yaml, "{name}");
    }
}
