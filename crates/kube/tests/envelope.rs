//! Values told apart by how they begin.

use rollsnap_kube::{Object, decode};
use serde_json::json;

#[test]
fn a_custom_resource_is_its_json() {
    let value = json!({"apiVersion": "example.com/v1", "kind": "Widget", "spec": {"size": 3}});
    let object = decode(format!("{value}\n").as_bytes());
    assert_eq!(object.kind(), Some(("example.com/v1", "Widget")));
    assert_eq!(object, Object::Json(value));
}

#[test]
fn an_encrypted_value_names_its_provider_and_its_key() {
    for (head, shown) in [
        ("k8s:enc:aescbc:v1:key1:", "aescbc v1, key \"key1\""),
        ("k8s:enc:aesgcm:v1:2024-05:", "aesgcm v1, key \"2024-05\""),
        ("k8s:enc:secretbox:v1:k:", "secretbox v1, key \"k\""),
        ("k8s:enc:kms:v1:vault:", "kms v1, key \"vault\""),
        ("k8s:enc:kms:v2:aws-kms:", "kms v2, key \"aws-kms\""),
        ("k8s:enc:tomorrow:v9:k:", "tomorrow v9, key \"k\""),
        // Damaged, and still not taken for something else.
        ("k8s:enc:aescbc:v1:", "aescbc v1, key unknown"),
        ("k8s:enc:aescbc", "an unknown provider, key unknown"),
        ("k8s:enc:", "an unknown provider, key unknown"),
    ] {
        let value = [head.as_bytes(), b"\x00\xff\xfe\x80garbage"].concat();
        match decode(&value) {
            Object::Encrypted(encrypted) => assert_eq!(encrypted.to_string(), shown, "{head}"),
            other => panic!("{head}: {other:?}"),
        }
    }
}

#[test]
fn what_is_no_object_is_raw() {
    for value in [
        &b""[..],
        b"compact_rev_key",
        b"1234",
        b"\"text\"",
        b"[1]",
        b"{\"cut",
        b"k8s",
        b"k8s:",
        b"k8s\0\xff",
        b"\xff\xff",
    ] {
        assert_eq!(decode(value), Object::Raw, "{value:?}");
    }
    // Deeper than a reader should follow.
    assert_eq!(decode("{\"a\":".repeat(1 << 20).as_bytes()), Object::Raw);
}

#[test]
fn a_kind_without_a_schema_still_says_what_it_is() {
    let value = b"k8s\0\x0a\x15\x0a\x0eexample.com/v1\x12\x03Odd\x12\x02\x08\x01\x1a\x00\x22\x00";
    let Object::Protobuf(decoded) = decode(value) else {
        panic!("not told from other values");
    };
    assert_eq!(
        decoded.value,
        json!({"apiVersion": "example.com/v1", "kind": "Odd"})
    );
    assert_eq!(
        decoded.omissions[0].to_string(),
        "no schema of Odd in example.com/v1 is known here"
    );
}
