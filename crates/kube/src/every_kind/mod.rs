//! Every stable kind, with every field set, through two strangers.
//!
//! The bytes are made from our schema, so that no field is forgotten. Then k8s-pb, made from
//! Kubernetes' protobuf files, reads and writes them, which holds numbers and types; what it calls
//! the fields is compared with our names. k8s-openapi, made from Kubernetes' own description of
//! its JSON, reads and writes what comes out, which holds names, shapes and special types. What
//! either does not know falls out on the way and has to be listed here.

mod populate;

use std::collections::BTreeSet;
use std::fmt::Debug;

use populate::Populated;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Object, decode, kinds};

/// One kind and the strangers' types for it.
struct Case {
    kind: &'static str,
    api_version: &'static str,
    through_json: fn(Value) -> Value,
    through_protobuf: fn(&[u8]) -> (Vec<u8>, String),
}

fn through_json<T: DeserializeOwned + Serialize>(value: Value) -> Value {
    let typed: T = serde_json::from_value(value).expect("k8s-openapi reads what we decode");
    serde_json::to_value(typed).expect("and writes it")
}

fn through_protobuf<T: prost::Message + Default + Debug>(bytes: &[u8]) -> (Vec<u8>, String) {
    let typed = T::decode(bytes).expect("k8s-pb reads what we encode");
    (typed.encode_to_vec(), format!("{typed:?}"))
}

macro_rules! cases {
    ($( $api_version:literal, $($module:ident)::+ => $($of:ident)::+ { $($kind:ident)* } )*) => {
        [$({
            use k8s_openapi::$($module)::+ as json;
            use k8s_pb::$($of)::+ as protobuf;
            vec![$(Case {
                kind: stringify!($kind),
                api_version: $api_version,
                through_json: through_json::<json::$kind>,
                through_protobuf: through_protobuf::<protobuf::$kind>,
            }),*]
        }),*].into_iter().flatten().collect()
    };
}

/// Where the second module is another, k8s-pb knows only the version before.
#[rustfmt::skip]
fn cases() -> Vec<Case> {
    cases! {
        "v1", api::core::v1 => api::core::v1 {
            Binding ComponentStatus ConfigMap Endpoints Event LimitRange Namespace Node
            PersistentVolume PersistentVolumeClaim Pod PodTemplate ReplicationController
            ResourceQuota Secret Service ServiceAccount
        }
        "admissionregistration.k8s.io/v1",
        api::admissionregistration::v1 => api::admissionregistration::v1 {
            MutatingWebhookConfiguration ValidatingAdmissionPolicy
            ValidatingAdmissionPolicyBinding ValidatingWebhookConfiguration
        }
        "admissionregistration.k8s.io/v1",
        api::admissionregistration::v1 => api::admissionregistration::v1beta1 {
            MutatingAdmissionPolicy MutatingAdmissionPolicyBinding
        }
        "apiextensions.k8s.io/v1",
        apiextensions_apiserver::pkg::apis::apiextensions::v1
            => apiextensions_apiserver::pkg::apis::apiextensions::v1 {
            CustomResourceDefinition
        }
        "apiregistration.k8s.io/v1",
        kube_aggregator::pkg::apis::apiregistration::v1
            => kube_aggregator::pkg::apis::apiregistration::v1 {
            APIService
        }
        "apps/v1", api::apps::v1 => api::apps::v1 {
            ControllerRevision DaemonSet Deployment ReplicaSet StatefulSet
        }
        "authentication.k8s.io/v1", api::authentication::v1 => api::authentication::v1 {
            SelfSubjectReview TokenRequest TokenReview
        }
        "authorization.k8s.io/v1", api::authorization::v1 => api::authorization::v1 {
            LocalSubjectAccessReview SelfSubjectAccessReview SelfSubjectRulesReview
            SubjectAccessReview
        }
        "autoscaling/v1", api::autoscaling::v1 => api::autoscaling::v1 {
            HorizontalPodAutoscaler Scale
        }
        "autoscaling/v2", api::autoscaling::v2 => api::autoscaling::v2 {
            HorizontalPodAutoscaler
        }
        "batch/v1", api::batch::v1 => api::batch::v1 { CronJob Job }
        "certificates.k8s.io/v1", api::certificates::v1 => api::certificates::v1 {
            CertificateSigningRequest
        }
        "certificates.k8s.io/v1", api::certificates::v1 => api::certificates::v1beta1 {
            ClusterTrustBundle PodCertificateRequest
        }
        "coordination.k8s.io/v1", api::coordination::v1 => api::coordination::v1 { Lease }
        "discovery.k8s.io/v1", api::discovery::v1 => api::discovery::v1 { EndpointSlice }
        "events.k8s.io/v1", api::events::v1 => api::events::v1 { Event }
        "flowcontrol.apiserver.k8s.io/v1", api::flowcontrol::v1 => api::flowcontrol::v1 {
            FlowSchema PriorityLevelConfiguration
        }
        "networking.k8s.io/v1", api::networking::v1 => api::networking::v1 {
            IPAddress Ingress IngressClass NetworkPolicy ServiceCIDR
        }
        "node.k8s.io/v1", api::node::v1 => api::node::v1 { RuntimeClass }
        "policy/v1", api::policy::v1 => api::policy::v1 { Eviction PodDisruptionBudget }
        "rbac.authorization.k8s.io/v1", api::rbac::v1 => api::rbac::v1 {
            ClusterRole ClusterRoleBinding Role RoleBinding
        }
        "resource.k8s.io/v1", api::resource::v1 => api::resource::v1 {
            DeviceClass ResourceClaim ResourceClaimTemplate ResourceSlice
        }
        "resource.k8s.io/v1", api::resource::v1 => api::resource::v1alpha3 { DeviceTaintRule }
        "scheduling.k8s.io/v1", api::scheduling::v1 => api::scheduling::v1 { PriorityClass }
        "storage.k8s.io/v1", api::storage::v1 => api::storage::v1 {
            CSIDriver CSINode CSIStorageCapacity StorageClass VolumeAttachment
            VolumeAttributesClass
        }
        "storagemigration.k8s.io/v1",
        api::storagemigration::v1 => api::storagemigration::v1beta1 {
            StorageVersionMigration
        }
    }
}

/// Stable kinds in the schema that k8s-openapi has not: nobody can ask an API server for them.
const INTERNAL: [(&str, &str); 2] = [("v1", "PodStatusResult"), ("v1", "RangeAllocation")];

/// Fields that Kubernetes had in one version and k8s-openapi's has not.
const GONE: [&str; 8] = [
    ".status",
    "deviceSelector.deviceClassName",
    "deviceSelector.selectors",
    "resourceClaims.source",
    "spec.pkixPublicKey",
    "spec.proofOfPossession",
    "spec.workloadRef",
    "status.resizeStatus",
];

/// Fields that k8s-pb's Kubernetes did not have yet, or no more.
const NEWER: [&str; 27] = [
    ".status",
    "clusterTrustBundle.user",
    "configMap.defaultUser",
    "deviceSelector.deviceClassName",
    "deviceSelector.selectors",
    "downwardAPI.defaultUser",
    "emptyDir.mode",
    "grpc.mode",
    "httpGet.protocol",
    "items.user",
    "podCertificate.user",
    "projected.defaultUser",
    "resourceClaims.source",
    "resources.message",
    "secret.defaultUser",
    "serviceAccountToken.user",
    "spec.evictionResponders",
    "spec.podPreemptionPolicy",
    "spec.scheduling",
    "spec.schedulingGroup",
    "spec.stubPKCS10Request",
    "status.healthStatus",
    "status.nodeAllocatableResourceClaimStatuses",
    "status.resizeStatus",
    "status.volumeHealth",
    "volumeMounts.bindMountOptions",
    "volumeMounts.volumeStatus",
];

#[test]
fn every_stable_kind_is_tested() {
    let stable = |api_version: &str| {
        let version = api_version.rsplit('/').next().unwrap_or_default();
        version[1..].chars().all(|c| c.is_ascii_digit())
    };
    let known: BTreeSet<_> = kinds()
        .filter(|(api_version, _)| stable(api_version))
        .collect();
    let cases = cases();
    let mut tested: BTreeSet<_> = cases.iter().map(|it| (it.api_version, it.kind)).collect();
    assert_eq!(tested.len(), 75);
    tested.extend(INTERNAL);
    assert_eq!(known, tested);
}

#[test]
fn every_field_of_every_stable_kind_survives_two_strangers() {
    let (mut gone, mut newer) = (BTreeSet::new(), BTreeSet::new());
    for case in cases() {
        let populated = Populated::of(case.api_version, case.kind);
        let ours = decoded(&case, &populated.message);

        let theirs = (case.through_json)(ours.clone());
        lost("", &ours, &theirs, &mut gone);

        let (bytes, shown) = (case.through_protobuf)(&populated.message);
        populated.assert_same_names(&shown);
        lost("", &ours, &decoded(&case, &bytes), &mut newer);
    }
    assert_eq!(gone.iter().map(String::as_str).collect::<Vec<_>>(), GONE);
    assert_eq!(newer.iter().map(String::as_str).collect::<Vec<_>>(), NEWER);
}

fn decoded(case: &Case, message: &[u8]) -> Value {
    let value = populate::envelope(case.api_version, case.kind, message);
    let Object::Protobuf(decoded) = decode(&value) else {
        panic!("{} is not told from other values", case.kind);
    };
    assert_eq!(decoded.omissions, [], "{}", case.kind);
    decoded.value
}

/// Collects the fields of `ours`, itself in the field `at`, that `theirs` has not; nothing else may
/// differ.
fn lost(at: &str, ours: &Value, theirs: &Value, into: &mut BTreeSet<String>) {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            for (name, value) in ours {
                match theirs.get(name) {
                    Some(other) => lost(name, value, other, into),
                    None => drop(into.insert(format!("{at}.{name}"))),
                }
            }
            // k8s-openapi says the kind of a claim within a stateful set, Kubernetes does not.
            let own = |name: &&String| ["apiVersion", "kind"].contains(&name.as_str());
            let mut more = theirs.keys().filter(|name| !ours.contains_key(*name));
            assert_eq!(more.find(|name| !own(name)), None, "{at}");
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            assert_eq!(ours.len(), theirs.len(), "{at}");
            for (ours, theirs) in ours.iter().zip(theirs) {
                lost(at, ours, theirs, into);
            }
        }
        _ => assert_eq!(ours, theirs, "{at}"),
    }
}
