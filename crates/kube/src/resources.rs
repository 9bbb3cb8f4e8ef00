//! The resources that Kubernetes itself keeps in etcd, and the words people use for them.
//!
//! A server stores a built-in resource under its plural, without its group; a few have older
//! names of their own. Sources: Kubernetes `pkg/kubeapiserver/default_storage_factory_builder.go`
//! (the irregular ones, and the groups that share one place), `test/integration/etcd/data.go`
//! (every path, as its own test expects it), the aggregated servers' `/registry/<group>/`
//! prefixes, and `kubectl api-resources` for short names.

/// One built-in resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Builtin {
    /// Its plural, as in URLs: `pods`.
    pub plural: &'static str,
    /// Its kind: `Pod`. The singular is this in lower case.
    pub kind: &'static str,
    /// What else `kubectl` calls it: `po`.
    pub short: &'static [&'static str],
    /// Where it lies below the prefix: `pods`, `services/specs`.
    pub path: &'static str,
    /// The groups that serve it, the present one first; the core group is empty.
    pub groups: &'static [&'static str],
    /// Whether its keys have a namespace.
    pub namespaced: bool,
}

impl Builtin {
    /// Its group today; empty for the core group.
    pub fn group(&self) -> &'static str {
        self.groups.first().copied().unwrap_or_default()
    }

    /// Whether `word` is its plural, singular or short name, in any case of letters.
    pub(crate) fn is_called(&self, word: &str) -> bool {
        word.eq_ignore_ascii_case(self.plural)
            || word.eq_ignore_ascii_case(self.kind)
            || self.short.iter().any(|it| word.eq_ignore_ascii_case(it))
    }
}

/// All of them, by group.
pub fn builtins() -> &'static [Builtin] {
    &BUILTINS
}

const fn spaced(
    groups: &'static [&'static str],
    plural: &'static str,
    kind: &'static str,
    short: &'static [&'static str],
) -> Builtin {
    Builtin {
        plural,
        kind,
        short,
        path: plural,
        groups,
        namespaced: true,
    }
}

const fn global(
    groups: &'static [&'static str],
    plural: &'static str,
    kind: &'static str,
    short: &'static [&'static str],
) -> Builtin {
    Builtin {
        namespaced: false,
        ..spaced(groups, plural, kind, short)
    }
}

impl Builtin {
    const fn under(self, path: &'static str) -> Self {
        Self { path, ..self }
    }
}

const ADMISSION: &[&str] = &["admissionregistration.k8s.io"];
const CERTIFICATES: &[&str] = &["certificates.k8s.io"];
const COORDINATION: &[&str] = &["coordination.k8s.io"];
const CORE: &[&str] = &[""];
const FLOWCONTROL: &[&str] = &["flowcontrol.apiserver.k8s.io"];
const LIFECYCLE: &[&str] = &["lifecycle.k8s.io"];
const NETWORKING: &[&str] = &["networking.k8s.io", "extensions"];
const RBAC: &[&str] = &["rbac.authorization.k8s.io"];
const RESOURCE: &[&str] = &["resource.k8s.io"];
const SCHEDULING: &[&str] = &["scheduling.k8s.io"];
const STORAGE: &[&str] = &["storage.k8s.io"];
const WORKLOADS: &[&str] = &["apps", "extensions"];

static BUILTINS: [Builtin; 76] = [
    spaced(CORE, "configmaps", "ConfigMap", &["cm"]),
    spaced(CORE, "endpoints", "Endpoints", &["ep"]).under("services/endpoints"),
    spaced(&["", "events.k8s.io"], "events", "Event", &["ev"]),
    spaced(CORE, "limitranges", "LimitRange", &["limits"]),
    global(CORE, "namespaces", "Namespace", &["ns"]),
    global(CORE, "nodes", "Node", &["no"]).under("minions"),
    spaced(
        CORE,
        "persistentvolumeclaims",
        "PersistentVolumeClaim",
        &["pvc"],
    ),
    global(CORE, "persistentvolumes", "PersistentVolume", &["pv"]),
    spaced(CORE, "pods", "Pod", &["po"]),
    spaced(CORE, "podtemplates", "PodTemplate", &[]),
    spaced(
        &["", "extensions"],
        "replicationcontrollers",
        "ReplicationController",
        &["rc"],
    )
    .under("controllers"),
    spaced(CORE, "resourcequotas", "ResourceQuota", &["quota"]),
    spaced(CORE, "secrets", "Secret", &[]),
    spaced(CORE, "serviceaccounts", "ServiceAccount", &["sa"]),
    spaced(CORE, "services", "Service", &["svc"]).under("services/specs"),
    // The two allocators' bitmaps, and the servers that stand behind the service `kubernetes`.
    global(CORE, "ranges", "RangeAllocation", &[]),
    global(CORE, "masterleases", "Endpoints", &[]),
    global(
        ADMISSION,
        "mutatingadmissionpolicies",
        "MutatingAdmissionPolicy",
        &[],
    ),
    global(
        ADMISSION,
        "mutatingadmissionpolicybindings",
        "MutatingAdmissionPolicyBinding",
        &[],
    ),
    global(
        ADMISSION,
        "mutatingwebhookconfigurations",
        "MutatingWebhookConfiguration",
        &[],
    ),
    global(
        ADMISSION,
        "validatingadmissionpolicies",
        "ValidatingAdmissionPolicy",
        &[],
    ),
    global(
        ADMISSION,
        "validatingadmissionpolicybindings",
        "ValidatingAdmissionPolicyBinding",
        &[],
    ),
    global(
        ADMISSION,
        "validatingwebhookconfigurations",
        "ValidatingWebhookConfiguration",
        &[],
    ),
    global(
        ADMISSION,
        "initializerconfigurations",
        "InitializerConfiguration",
        &[],
    ),
    global(
        &["apiextensions.k8s.io"],
        "customresourcedefinitions",
        "CustomResourceDefinition",
        &["crd", "crds"],
    )
    .under("apiextensions.k8s.io/customresourcedefinitions"),
    global(
        &["apiregistration.k8s.io"],
        "apiservices",
        "APIService",
        &[],
    )
    .under("apiregistration.k8s.io/apiservices"),
    spaced(&["apps"], "controllerrevisions", "ControllerRevision", &[]),
    spaced(WORKLOADS, "daemonsets", "DaemonSet", &["ds"]),
    spaced(WORKLOADS, "deployments", "Deployment", &["deploy"]),
    spaced(WORKLOADS, "replicasets", "ReplicaSet", &["rs"]),
    spaced(&["apps"], "statefulsets", "StatefulSet", &["sts"]),
    global(
        &["auditregistration.k8s.io"],
        "auditsinks",
        "AuditSink",
        &[],
    ),
    spaced(
        &["autoscaling"],
        "horizontalpodautoscalers",
        "HorizontalPodAutoscaler",
        &["hpa"],
    ),
    spaced(&["batch"], "cronjobs", "CronJob", &["cj"]),
    spaced(&["batch"], "jobs", "Job", &[]),
    global(
        CERTIFICATES,
        "certificatesigningrequests",
        "CertificateSigningRequest",
        &["csr"],
    ),
    global(
        CERTIFICATES,
        "clustertrustbundles",
        "ClusterTrustBundle",
        &[],
    ),
    spaced(
        CERTIFICATES,
        "podcertificaterequests",
        "PodCertificateRequest",
        &[],
    ),
    spaced(COORDINATION, "leases", "Lease", &[]),
    spaced(COORDINATION, "leasecandidates", "LeaseCandidate", &[]),
    spaced(
        &["discovery.k8s.io"],
        "endpointslices",
        "EndpointSlice",
        &[],
    ),
    global(FLOWCONTROL, "flowschemas", "FlowSchema", &[]),
    global(
        FLOWCONTROL,
        "prioritylevelconfigurations",
        "PriorityLevelConfiguration",
        &[],
    ),
    global(
        &["internal.apiserver.k8s.io"],
        "storageversions",
        "StorageVersion",
        &[],
    ),
    spaced(LIFECYCLE, "evictionrequests", "EvictionRequest", &[]),
    spaced(LIFECYCLE, "evictions", "Eviction", &[]),
    spaced(NETWORKING, "ingresses", "Ingress", &["ing"]).under("ingress"),
    spaced(NETWORKING, "networkpolicies", "NetworkPolicy", &["netpol"]),
    global(
        &["networking.k8s.io"],
        "ingressclasses",
        "IngressClass",
        &[],
    ),
    global(&["networking.k8s.io"], "ipaddresses", "IPAddress", &["ip"]),
    global(&["networking.k8s.io"], "servicecidrs", "ServiceCIDR", &[]),
    global(&["node.k8s.io"], "runtimeclasses", "RuntimeClass", &[]),
    spaced(
        &["policy"],
        "poddisruptionbudgets",
        "PodDisruptionBudget",
        &["pdb"],
    ),
    global(
        &["policy", "extensions"],
        "podsecuritypolicies",
        "PodSecurityPolicy",
        &["psp"],
    )
    .under("podsecuritypolicy"),
    global(RBAC, "clusterrolebindings", "ClusterRoleBinding", &[]),
    global(RBAC, "clusterroles", "ClusterRole", &[]),
    spaced(RBAC, "rolebindings", "RoleBinding", &[]),
    spaced(RBAC, "roles", "Role", &[]),
    global(RESOURCE, "deviceclasses", "DeviceClass", &[]),
    global(RESOURCE, "devicetaintrules", "DeviceTaintRule", &[]),
    spaced(RESOURCE, "resourceclaims", "ResourceClaim", &[]),
    spaced(
        RESOURCE,
        "resourceclaimtemplates",
        "ResourceClaimTemplate",
        &[],
    ),
    global(
        RESOURCE,
        "resourcepoolstatusrequests",
        "ResourcePoolStatusRequest",
        &[],
    ),
    global(RESOURCE, "resourceslices", "ResourceSlice", &[]),
    spaced(SCHEDULING, "compositepodgroups", "CompositePodGroup", &[]),
    spaced(SCHEDULING, "podgroups", "PodGroup", &[]),
    global(SCHEDULING, "priorityclasses", "PriorityClass", &["pc"]),
    spaced(SCHEDULING, "workloads", "Workload", &[]),
    spaced(&["settings.k8s.io"], "podpresets", "PodPreset", &[]),
    global(STORAGE, "csidrivers", "CSIDriver", &[]),
    global(STORAGE, "csinodes", "CSINode", &[]),
    spaced(STORAGE, "csistoragecapacities", "CSIStorageCapacity", &[]),
    global(STORAGE, "storageclasses", "StorageClass", &["sc"]),
    global(STORAGE, "volumeattachments", "VolumeAttachment", &[]),
    global(
        STORAGE,
        "volumeattributesclasses",
        "VolumeAttributesClass",
        &["vac"],
    ),
    global(
        &["storagemigration.k8s.io"],
        "storageversionmigrations",
        "StorageVersionMigration",
        &[],
    ),
];
