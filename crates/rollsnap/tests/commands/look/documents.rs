//! The JSON of these verbs is what `docs/json.md` says.

use rollsnap_testkit::etcd_real::EtcdVersion;
use serde_json::Value;

use super::cluster::{Cluster, OBJECTS};
use crate::json::assert_documented;

#[tokio::test]
async fn what_is_told_of_keys_and_values_is_documented() {
    let cluster = Cluster::new(EtcdVersion::V3_5).await;
    cluster
        .put(
            "/registry/leases/x/strange",
            b"k8s\0\x0a\x06\x0a\x01v\x12\x01K\x12\x01\xff",
        )
        .await;
    cluster.put("binary", b"\xff\x00").await;
    cluster.save("a").await;
    cluster.put("/registry/pods/default/web-0", b"other").await;
    cluster.delete("/registry/pods/default/web-2").await;
    cluster.delete(OBJECTS[0].2).await;
    cluster.delete("/registry/masterleases/10.0.0.1").await;
    cluster.leased("/registry/masterleases/10.0.0.2", "m").await;
    cluster.put(b"\xff".as_slice(), b"1").await;
    cluster.save("b").await;
    let run = async |words: &[&str]| {
        let words = [words, &["-o", "json"]].concat();
        let mut document = cluster.run(&words).await.json();
        // An object is Kubernetes' own affair.
        if let Some(object) = document.get_mut("object") {
            assert!(object.is_object(), "{object}");
            *object = Value::from("an object");
        }
        document
    };
    assert_documented(
        "ls",
        &[
            run(&["ls", "a"]).await,
            run(&["ls", "a", "--raw", ""]).await,
        ],
    );
    let documents = [
        run(&["get", "a", "deploy/nameValue"]).await,
        run(&["get", "a", "secret/enc"]).await,
        run(&["get", "a", "/registry/masterleases/10.0.0.1"]).await,
        run(&["get", "b", "/registry/leases/x/strange"]).await,
        run(&["get", "b", "--raw", "binary"]).await,
    ];
    assert_documented("get", &documents);
    let histories = [
        run(&["get", "b", "pod/web-2", "-n", "default", "--history"]).await,
        run(&["get", "b", "wdg/w1", "--history"]).await,
        run(&["get", "b", "/registry/masterleases/10.0.0.2", "--history"]).await,
    ];
    assert_documented("get --history", &histories);
    assert_documented("diff", &[run(&["diff", "a", "b", "--full"]).await]);
    assert_documented("du", &[run(&["du", "b"]).await]);
}
