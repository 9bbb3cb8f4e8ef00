//! What a server puts into an object, taken out again.

use serde_json::{Map, Value};

/// In `metadata`: who and when, said by the server.
const METADATA: [&str; 9] = [
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    // They name their owners by uid. An object whose owner has another uid is collected at once.
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// Annotations that are written anew: by `kubectl apply`, and by the controller of deployments.
const ANNOTATIONS: [&str; 2] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    "deployment.kubernetes.io/revision",
];

/// Labels by which a job finds its own pods, made from its uid.
const JOB_LABELS: [&str; 2] = ["controller-uid", "batch.kubernetes.io/controller-uid"];

/// Leaves of an object what `kubectl apply` wants: what people said, not what servers answered.
///
/// Removed from every object: `status`, and of `metadata` `uid`, `resourceVersion`, `generation`,
/// `creationTimestamp`, `deletionTimestamp`, `deletionGracePeriodSeconds`, `managedFields`,
/// `selfLink`, `ownerReferences`, the annotations of `kubectl apply` and of the deployment
/// controller. Removed by kind:
///
/// - Service: `clusterIP`, `clusterIPs` (but `None`, which is a wish, stays), `healthCheckNodePort`.
///   Node ports stay, for clients outside know them.
/// - Pod: `nodeName`, `priority` (its class stays), `ephemeralContainers`.
/// - Job: the selector and labels made from its uid, unless `manualSelector` is set.
/// - `PersistentVolume`: uid and version of its claim, so that it can be bound anew.
/// - Namespace: `spec.finalizers`.
///
/// Kept on purpose: finalizers of other objects, a claim's `volumeName`, a service account's
/// `secrets`.
pub fn clean(object: &mut Value) {
    let kind = kind_of(object);
    let Value::Object(fields) = object else {
        return;
    };
    fields.remove("status");
    if let Some(metadata) = map_at(fields, &["metadata"]) {
        remove_all(metadata, &METADATA);
        prune(metadata, "annotations", &ANNOTATIONS);
    }
    match kind {
        Some(Kind::Service) => service(fields),
        Some(Kind::Pod) => {
            if let Some(spec) = map_at(fields, &["spec"]) {
                remove_all(spec, &["nodeName", "priority", "ephemeralContainers"]);
            }
        }
        Some(Kind::Job) => job(fields),
        Some(Kind::PersistentVolume) => {
            if let Some(claim) = map_at(fields, &["spec", "claimRef"]) {
                remove_all(claim, &["uid", "resourceVersion"]);
            }
        }
        Some(Kind::Namespace) => prune(fields, "spec", &["finalizers"]),
        None => {}
    }
}

/// Kinds of which a server owns more than `metadata` and `status`.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Service,
    Pod,
    Job,
    PersistentVolume,
    Namespace,
}

fn kind_of(object: &Value) -> Option<Kind> {
    let text = |field: &str| object.get(field).and_then(Value::as_str);
    match (text("apiVersion")?, text("kind")?) {
        ("v1", "Service") => Some(Kind::Service),
        ("v1", "Pod") => Some(Kind::Pod),
        ("v1", "PersistentVolume") => Some(Kind::PersistentVolume),
        ("v1", "Namespace") => Some(Kind::Namespace),
        ("batch/v1", "Job") => Some(Kind::Job),
        _ => None,
    }
}

fn service(fields: &mut Map<String, Value>) {
    let Some(spec) = map_at(fields, &["spec"]) else {
        return;
    };
    spec.remove("healthCheckNodePort");
    let headless = spec.get("clusterIP").and_then(Value::as_str) == Some("None");
    if !headless {
        remove_all(spec, &["clusterIP", "clusterIPs"]);
    }
}

fn job(fields: &mut Map<String, Value>) {
    let Some(spec) = map_at(fields, &["spec"]) else {
        return;
    };
    if spec.get("manualSelector") == Some(&Value::Bool(true)) {
        return;
    }
    spec.remove("selector");
    if let Some(template) = map_at(spec, &["template", "metadata"]) {
        prune(template, "labels", &JOB_LABELS);
    }
    if let Some(metadata) = map_at(fields, &["metadata"]) {
        prune(metadata, "labels", &JOB_LABELS);
    }
}

/// Removes `names` from the map at `field`, and the map too if nothing is left of it.
fn prune(fields: &mut Map<String, Value>, field: &str, names: &[&str]) {
    if let Some(Value::Object(inner)) = fields.get_mut(field) {
        let had = inner.len();
        remove_all(inner, names);
        if inner.is_empty() && had > 0 {
            fields.remove(field);
        }
    }
}

fn remove_all(fields: &mut Map<String, Value>, names: &[&str]) {
    for name in names {
        fields.remove(*name);
    }
}

fn map_at<'a>(
    fields: &'a mut Map<String, Value>,
    path: &[&str],
) -> Option<&'a mut Map<String, Value>> {
    path.iter()
        .try_fold(fields, |at, field| match at.get_mut(*field) {
            Some(Value::Object(inner)) => Some(inner),
            _ => None,
        })
}
