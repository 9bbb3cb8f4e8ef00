//! `get`: the values that etcd itself gives, as people can read them.

use rollsnap_engine::Kind;
use rollsnap_testkit::etcd_real::EtcdVersion;
use serde_json::Value;

use super::cluster::{Cluster, ENCRYPTED, OBJECTS, PASSWORD, fixture, secret, widget};

async fn cluster() -> Cluster {
    let cluster = Cluster::new(EtcdVersion::V3_5).await;
    cluster.save("n").await;
    cluster
}

#[tokio::test]
async fn an_object_is_what_kubernetes_wrote_as_bytes_and_as_yaml() {
    let cluster = cluster().await;
    for (name, word, key) in OBJECTS {
        let bytes = fixture(&format!("{name}.pb"));
        let raw = ["get", "n", key, "-o", "raw", "--show-secrets"];
        assert_eq!(cluster.bytes(&raw).await, bytes, "{name}");
        let yaml = String::from_utf8(fixture(&format!("{name}.yaml"))).unwrap();
        let one = format!("{word}/nameValue");
        for words in [
            &[key][..],
            &[word, "nameValue"],
            &[&one],
            &[&one, "-n", "namespaceValue"],
            &[&one, "-o", "yaml"],
        ] {
            let words = [&["get", "n", "--show-secrets"], words].concat();
            assert_eq!(cluster.run(&words).await.ok(), yaml, "{words:?}");
        }
    }
}

#[tokio::test]
async fn a_value_is_etcds_at_every_revision() {
    let cluster = cluster().await;
    let last = cluster.save("later").await;
    let keys = [
        "/registry/pods/default/web-2",
        "/registry/pods/kube-system/web-3",
        "/registry/example.com/widgets/default/w1",
        "plain",
    ];
    let mut found = 0;
    for revision in 4..=last {
        let at = revision.to_string();
        for key in keys {
            let words = ["get", "n", "--raw", key, "--rev", &at, "-o"];
            let answer = cluster.range(&[key], revision).await.unwrap();
            let Some(row) = answer["kvs"].get(0) else {
                let said = cluster.run(&[&words[..], &["raw"]].concat()).await;
                let said_at = format!("there is none at revision {at}");
                said.fails(
                    Kind::Usage,
                    &[if revision == last {
                        "there is none"
                    } else {
                        &said_at
                    }],
                );
                continue;
            };
            found += 1;
            let value = cluster
                .ctl(&["get", "--print-value-only", key, "--rev", &at])
                .await;
            let said = cluster.bytes(&[&words[..], &["raw"]].concat()).await;
            assert_eq!(
                said,
                value.strip_suffix('\n').unwrap().as_bytes(),
                "{key} at {at}"
            );
            let said = cluster.run(&[&words[..], &["json"]].concat()).await.json();
            for field in ["create_revision", "mod_revision", "version"] {
                assert_eq!(said[field], row[field], "{key} at {at}: {field}");
            }
        }
    }
    assert!(found > 60, "only {found} values compared");
}

#[tokio::test]
async fn a_custom_resource_is_printed_as_it_is_and_ready_to_apply_when_asked() {
    let cluster = cluster().await;
    let words = ["get", "n", "wdg", "w1"];
    let with = |more: &[&'static str]| [&words[..], more].concat();
    assert_eq!(cluster.bytes(&with(&["-o", "raw"])).await, widget("w1", 3));
    let object: Value = serde_json::from_slice(&widget("w1", 3)).unwrap();
    let said = cluster.run(&with(&["-o", "json"])).await.json();
    assert_eq!(said["object"], object);
    assert_eq!(said["encoding"], "json");
    let yaml = cluster.run(&words).await.ok();
    assert!(
        yaml.contains("  uid: u-1\n") && yaml.contains("status:\n"),
        "{yaml}"
    );
    assert_eq!(
        cluster.run(&with(&["--for-apply"])).await.ok(),
        "apiVersion: example.com/v1\nkind: Widget\nmetadata:\n  labels:\n    app: a\n  name: w1\n  \
         namespace: default\nspec:\n  size: 3\n"
    );
    let deployment = ["get", "n", "deploy/nameValue", "--for-apply"];
    let deployment = cluster.run(&deployment).await.ok();
    // The fixture has such fields in its template too, where a person wrote them.
    let (metadata, spec) = deployment.split_once("\nspec:\n").unwrap();
    for gone in ["uid:", "resourceVersion:", "managedFields:"] {
        assert!(!metadata.contains(gone), "{gone} in {metadata}");
    }
    assert!(!spec.contains("\nstatus:"), "{spec}");
    let raw = cluster.run(&with(&["--for-apply", "-o", "raw"])).await;
    raw.fails(Kind::Usage, &["-o raw prints the value as it is"]);
}

#[tokio::test]
async fn a_secret_is_hidden_in_every_form_until_it_is_asked_for() {
    let cluster = cluster().await;
    let words = ["get", "n", "secret/db", "-n", "default"];
    let with = |more: &[&'static str]| [&words[..], more].concat();
    let yaml = cluster.run(&words).await.ok();
    assert!(yaml.contains("  password: <hidden, 7 bytes>\n"), "{yaml}");
    let said = cluster.run(&with(&["-o", "json"])).await;
    assert!(!said.out.contains(PASSWORD) && !said.err.contains(PASSWORD));
    let said = said.json();
    assert_eq!(said["hidden"], true);
    assert_eq!(said["object"]["data"]["password"], "<hidden, 7 bytes>");
    let hint = "hint: --show-secrets prints it";
    let raw = cluster.run(&with(&["-o", "raw"])).await;
    raw.fails(Kind::Usage, &["the value belongs to a Secret", hint]);
    let applied = cluster.run(&with(&["--for-apply"])).await;
    applied.fails(
        Kind::Usage,
        &["without its values is not to be applied", "--show-secrets"],
    );
    for form in ["yaml", "json", "raw"] {
        let shown = with(&["--show-secrets", "-o"]);
        let shown = cluster.run(&[&shown[..], &[form]].concat()).await.ok();
        assert!(shown.contains(PASSWORD), "{form}: {shown}");
    }
    let applied = cluster
        .run(&with(&["--show-secrets", "--for-apply"]))
        .await
        .ok();
    assert!(applied.contains(PASSWORD), "{applied}");
    assert_eq!(
        cluster.bytes(&with(&["-o", "raw", "--show-secrets"])).await,
        secret(PASSWORD)
    );
    // By its kind too, where it lies elsewhere than the prefix says.
    let elsewhere = [
        "get",
        "n",
        "--etcd-prefix",
        "/other",
        "/registry/secrets/default/db",
    ];
    assert_eq!(cluster.run(&elsewhere).await.ok(), yaml);
}

#[tokio::test]
async fn an_encrypted_value_is_named_by_its_provider_and_never_garbled() {
    let cluster = cluster().await;
    let words = ["get", "n", "secret/enc"];
    for form in [
        &[][..],
        &["-o", "yaml"],
        &["--for-apply"],
        &["--show-secrets"],
    ] {
        let said = cluster.run(&[&words[..], form].concat()).await;
        said.fails(
            Kind::Denied,
            &[
                "encrypted at rest by aescbc v1, key \"key1\"",
                "hint: ",
                "-o raw",
            ],
        );
    }
    let json = cluster
        .run(&[&words[..], &["-o", "json"]].concat())
        .await
        .json();
    assert_eq!(json["encoding"], "encrypted");
    assert_eq!(json["encrypted"]["provider"], "aescbc");
    assert_eq!(json["encrypted"]["key"], "key1");
    let raw = cluster.bytes(&[&words[..], &["-o", "raw"]].concat()).await;
    assert_eq!(raw, ENCRYPTED);
}

#[tokio::test]
async fn what_is_no_object_is_its_bytes_and_harmless_on_a_terminal() {
    let cluster = cluster().await;
    assert_eq!(
        cluster.bytes(&["get", "n", "--raw", "plain"]).await,
        b"a\x1b[2Jb\n"
    );
    let screen = cluster.screen("get n --raw plain").await;
    assert!(screen.ends_with("a\\u{1b}[2Jb\n"), "{screen:?}");
    let yaml = cluster
        .run(&["get", "n", "--raw", "plain", "-o", "yaml"])
        .await;
    yaml.fails(Kind::Usage, &["is no Kubernetes object", "hint: -o raw"]);
    let json = cluster.run(&["get", "n", "/registry/masterleases/10.0.0.1", "-o", "json"]);
    let json = json.await.json();
    assert_eq!(json["value"], "m");
    assert!(json["lease"].is_string(), "{json}");
}

#[tokio::test]
async fn what_is_not_there_is_told_with_what_is() {
    let cluster = cluster().await;
    let fails = async |words: &[&str], said: &[&str]| {
        let words = [&["get", "n"], words].concat();
        cluster.run(&words).await.fails(Kind::Usage, said);
    };
    fails(
        &["pod/wbe-0"],
        &["there is none", "hint: did you mean web-0?"],
    )
    .await;
    fails(
        &["pod/web-1", "-n", "default"],
        &["hint: there is one in namespace kube-system"],
    )
    .await;
    fails(
        &["pod/web-3", "-n", "kube-system"],
        &[
            "get pod/web-3 in namespace kube-system: there is none",
            "hint: it was deleted at revision ",
            "shows what it was",
        ],
    )
    .await;
    fails(
        &["/registry/pods/default/web-"],
        &["hint: there is /registry/pods/default/web-0"],
    )
    .await;
    fails(
        &["/registry/example.com/widgets/default/w1", "--rev", "8"],
        &["none at revision 8", "hint: it was created at revision "],
    )
    .await;
    fails(
        &["pods"],
        &["the object's name is missing", "hint: rollsnap ls"],
    )
    .await;
    fails(
        &["/nothing/like/it"],
        &["there is none", "hint: rollsnap ls"],
    )
    .await;
    // Two namespaces have one.
    cluster.put("/registry/configmaps/a/same", b"1").await;
    cluster.put("/registry/configmaps/b/same", b"2").await;
    cluster.save("two").await;
    let two = cluster.run(&["get", "two", "cm/same"]).await;
    two.fails(
        Kind::Usage,
        &["one in namespace a, and one in b", "hint: say which by -n"],
    );
    assert_eq!(
        cluster
            .run(&["get", "two", "cm/same", "-n", "b"])
            .await
            .ok(),
        "2"
    );
}

#[tokio::test]
async fn the_history_of_a_key_is_all_that_the_snapshot_has_of_it() {
    let cluster = cluster().await;
    let said = cluster
        .run(&["get", "n", "pod/web-2", "-n", "default", "--history"])
        .await
        .ok();
    assert_eq!(
        said,
        "/registry/pods/default/web-2\n\
         REVISION  CHANGE  VERSION  CREATED  SIZE\n\
         4         put     1        4        38 B\n\
         6         delete  -        -        -\n\
         7         put     1        7        6 B\n"
    );
    let said = cluster
        .run(&["get", "n", "wdg/w1", "--history", "-o", "json"])
        .await
        .json();
    let versions = said["versions"].as_array().unwrap();
    assert_eq!(versions.len(), 2);
    assert_eq!(versions[1]["version"], 2);
    // A key that is gone has a history too.
    let gone = ["get", "n", "pod/web-3", "-n", "kube-system", "--history"];
    assert!(cluster.run(&gone).await.ok().contains(" delete "));
    let raw = cluster.run(&[&gone[..], &["-o", "raw"]].concat()).await;
    raw.fails(Kind::Usage, &["--history is text or -o json"]);
}

#[tokio::test]
async fn what_cannot_be_decoded_whole_is_said_and_not_made_to_be_applied() {
    let cluster = Cluster::new(EtcdVersion::V3_5).await;
    // An object of the kind `K` of `v`, which nobody knows.
    let key = "/registry/leases/x/strange";
    let value = b"k8s\0\x0a\x06\x0a\x01v\x12\x01K\x12\x01\xff";
    cluster.put(key, value).await;
    cluster.save("n").await;
    let said = cluster.run(&["get", "n", key]).await;
    assert!(said.err.contains("not shown: "), "{}", said.err);
    assert_eq!(said.ok(), "apiVersion: v\nkind: K\n");
    let applied = cluster.run(&["get", "n", key, "--for-apply"]).await;
    applied.fails(
        Kind::Usage,
        &["is not all there is", "hint: without --for-apply"],
    );
    assert_eq!(cluster.bytes(&["get", "n", key, "-o", "raw"]).await, value);
}
