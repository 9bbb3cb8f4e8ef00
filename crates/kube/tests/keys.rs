//! Keys and words against what Kubernetes and `kubectl` do.

use rollsnap_kube::{Keys, ObjectKey, Scope, builtins};

/// As in Kubernetes' `test/integration/etcd/data.go`, and two that no resource serves.
const LIES_AT: [(&str, &str, &str, Option<&str>, &str); 23] = [
    (
        "/registry/configmaps/ns/cm1",
        "",
        "configmaps",
        Some("ns"),
        "cm1",
    ),
    (
        "/registry/services/specs/ns/service1",
        "",
        "services",
        Some("ns"),
        "service1",
    ),
    (
        "/registry/services/endpoints/ns/ep1",
        "",
        "endpoints",
        Some("ns"),
        "ep1",
    ),
    ("/registry/minions/node1", "", "nodes", None, "node1"),
    (
        "/registry/controllers/ns/rc1",
        "",
        "replicationcontrollers",
        Some("ns"),
        "rc1",
    ),
    ("/registry/namespaces/ns", "", "namespaces", None, "ns"),
    (
        "/registry/events/ns/event1",
        "",
        "events",
        Some("ns"),
        "event1",
    ),
    (
        "/registry/deployments/ns/d",
        "apps",
        "deployments",
        Some("ns"),
        "d",
    ),
    (
        "/registry/controllerrevisions/ns/c",
        "apps",
        "controllerrevisions",
        Some("ns"),
        "c",
    ),
    (
        "/registry/ingress/ns/i",
        "networking.k8s.io",
        "ingresses",
        Some("ns"),
        "i",
    ),
    (
        "/registry/podsecuritypolicy/p",
        "policy",
        "podsecuritypolicies",
        None,
        "p",
    ),
    (
        "/registry/priorityclasses/pc3",
        "scheduling.k8s.io",
        "priorityclasses",
        None,
        "pc3",
    ),
    (
        "/registry/leases/ns/l",
        "coordination.k8s.io",
        "leases",
        Some("ns"),
        "l",
    ),
    (
        "/registry/clusterroles/system:node",
        "rbac.authorization.k8s.io",
        "clusterroles",
        None,
        "system:node",
    ),
    (
        "/registry/apiregistration.k8s.io/apiservices/as2.foo.com",
        "apiregistration.k8s.io",
        "apiservices",
        None,
        "as2.foo.com",
    ),
    (
        "/registry/apiextensions.k8s.io/customresourcedefinitions/foos.cr.bar.com",
        "apiextensions.k8s.io",
        "customresourcedefinitions",
        None,
        "foos.cr.bar.com",
    ),
    (
        "/registry/cr.bar.com/foos/ns/cr1foo",
        "cr.bar.com",
        "foos",
        Some("ns"),
        "cr1foo",
    ),
    (
        "/registry/custom.fancy.com/pants/cr2pant",
        "custom.fancy.com",
        "pants",
        None,
        "cr2pant",
    ),
    (
        "/registry/ranges/serviceips",
        "",
        "ranges",
        None,
        "serviceips",
    ),
    (
        "/registry/masterleases/10.0.0.1",
        "",
        "masterleases",
        None,
        "10.0.0.1",
    ),
    (
        "/registry/volumeattachments/v",
        "storage.k8s.io",
        "volumeattachments",
        None,
        "v",
    ),
    // Resources of servers of another day.
    ("/registry/gizmos/ns/g", "", "gizmos", Some("ns"), "g"),
    ("/registry/gizmos/g", "", "gizmos", None, "g"),
];

#[test]
fn a_key_names_the_resource_the_namespace_and_the_name() {
    for (key, group, resource, namespace, name) in LIES_AT {
        let parsed = Keys::default().parse(key.as_bytes());
        let expected = ObjectKey {
            group,
            resource,
            namespace,
            name,
        };
        assert_eq!(parsed, Some(expected), "{key}");
    }
}

#[test]
fn what_is_no_object_s_key_is_told_apart() {
    for key in [
        "",
        "/registry",
        "/registry/",
        "/registry/pods",
        "/registry/pods/ns",
        "/registry/pods/ns/",
        "/registry/pods//x",
        "/registry/pods/ns/x/y",
        "/registry/minions/a/b",
        "/registry//x/y",
        "/registry/example.com/widgets",
        "/registry/example.com/widgets/",
        "/registry2/pods/ns/x",
        "compact_rev_key",
    ] {
        assert_eq!(Keys::default().parse(key.as_bytes()), None, "{key}");
    }
    assert_eq!(Keys::default().parse(b"/registry/pods/ns/\xff"), None);
}

#[test]
fn every_builtin_is_found_where_its_words_point() {
    let keys = Keys::default();
    for builtin in builtins() {
        let namespace = builtin.namespaced.then_some("ns");
        for group in builtin.groups {
            for word in [builtin.plural, builtin.kind].iter().chain(builtin.short) {
                // `Endpoints` is also what lies at `masterleases`.
                if (builtin.plural, *word) == ("masterleases", "Endpoints") {
                    continue;
                }
                let word = match *group {
                    "" => word.to_lowercase(),
                    group => format!("{word}.{group}"),
                };
                let selection = keys.select(&word, namespace, Some("x")).expect(&word);
                assert!(selection.exact, "{word}");
                let key = keys.parse(&selection.prefix).expect(&word);
                assert_eq!(key.resource, builtin.plural, "{word}");
                assert!(selection.matches(&key), "{word}");
            }
        }
    }
}

#[test]
fn words_become_keys_as_in_kubectl() {
    for (words, namespace, name, prefix, exact) in [
        ("pods", None, None, "/registry/pods/", false),
        ("po", Some("ns"), None, "/registry/pods/ns/", false),
        ("pod/x", Some("ns"), None, "/registry/pods/ns/x", true),
        ("pod/x", None, None, "/registry/pods/", false),
        (
            "Deployment",
            Some("y"),
            Some("x"),
            "/registry/deployments/y/x",
            true,
        ),
        (
            "deployments.apps",
            Some("y"),
            None,
            "/registry/deployments/y/",
            false,
        ),
        (
            "deploy.v1.apps/x",
            Some("y"),
            None,
            "/registry/deployments/y/x",
            true,
        ),
        (
            "deployments.extensions",
            None,
            None,
            "/registry/deployments/",
            false,
        ),
        ("no", Some("ignored"), None, "/registry/minions/", false),
        ("node/n", None, None, "/registry/minions/n", true),
        (
            "svc",
            Some("ns"),
            None,
            "/registry/services/specs/ns/",
            false,
        ),
        (
            "crd",
            None,
            None,
            "/registry/apiextensions.k8s.io/customresourcedefinitions/",
            false,
        ),
        (
            "widgets.example.com",
            None,
            None,
            "/registry/example.com/widgets/",
            false,
        ),
        (
            "widgets.v1.example.com",
            None,
            None,
            "/registry/example.com/widgets/",
            false,
        ),
        (
            "widgets.example.com/w",
            Some("n"),
            None,
            "/registry/example.com/widgets/n/w",
            true,
        ),
        (
            "widgets.example.com/w",
            None,
            None,
            "/registry/example.com/widgets/",
            false,
        ),
    ] {
        let selection = Keys::default().select(words, namespace, name).expect(words);
        assert_eq!(
            String::from_utf8_lossy(&selection.prefix),
            prefix,
            "{words}"
        );
        assert_eq!(selection.exact, exact, "{words}");
    }
}

#[test]
fn a_name_without_a_namespace_is_looked_for_in_all() {
    let keys = Keys::default();
    let selection = keys.select("widgets.example.com/w", None, None).unwrap();
    assert_eq!(selection.scope, Scope::Unknown);
    for (key, meant) in [
        ("/registry/example.com/widgets/w", true),
        ("/registry/example.com/widgets/ns/w", true),
        ("/registry/example.com/widgets/w/other", false),
        ("/registry/example.org/widgets/w", false),
    ] {
        let key = keys.parse(key.as_bytes()).unwrap();
        assert_eq!(selection.matches(&key), meant, "{key:?}");
    }
}

#[test]
fn a_wrong_word_is_told_with_the_nearest_right_one() {
    for (word, nearest) in [
        ("deplyoments", Some("deployments")),
        ("pdos", Some("pods")),
        ("ingres", Some("ingresses")),
        ("secretss", Some("secrets")),
        ("flux", None),
        ("", None),
        ("deplyoments.apps", Some("deployments")),
    ] {
        let error = Keys::default().select(word, None, None).unwrap_err();
        assert_eq!(error.nearest, nearest, "{word}");
        assert!(!error.hint().is_empty());
    }
    let long = Keys::default()
        .select(&"x".repeat(1 << 20), None, None)
        .unwrap_err();
    assert_eq!(long.word.len(), 64);
}

#[test]
fn the_prefix_may_be_another() {
    for (said, key) in [
        ("/registry/", "/registry/pods/ns/x"),
        ("registry", "/registry/pods/ns/x"),
        ("/a/b", "/a/b/pods/ns/x"),
        ("", "/pods/ns/x"),
    ] {
        let keys = Keys::new(said);
        assert_eq!(keys.parse(key.as_bytes()).unwrap().name, "x", "{said}");
        assert_eq!(
            keys.select("po/x", Some("ns"), None).unwrap().prefix,
            key.as_bytes()
        );
    }
}
