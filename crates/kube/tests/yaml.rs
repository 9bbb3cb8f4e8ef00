//! YAML beside what kubectl prints, and read back by a reader of its own.

use proptest::prelude::*;
use rollsnap_kube::to_yaml;
use serde_json::Value;

/// `testdata/README.md` tells how kubectl was made to print them.
const PRINTED_BY_KUBECTL: [(&str, &str); 2] = [
    (
        include_str!("../testdata/yaml/texts.json"),
        include_str!("../testdata/yaml/texts.yaml"),
    ),
    (
        include_str!("../testdata/yaml/order.json"),
        include_str!("../testdata/yaml/order.yaml"),
    ),
];

#[test]
fn texts_and_keys_are_printed_as_kubectl_prints_them() {
    for (json, yaml) in PRINTED_BY_KUBECTL {
        let mut value: Value = serde_json::from_str(json).unwrap();
        // kubectl prints when told to change something.
        value["metadata"]["labels"] = serde_json::json!({"z": "w"});
        let ours = to_yaml(&value);
        for (ours, theirs) in ours.lines().zip(yaml.lines()) {
            assert_eq!(ours, theirs);
        }
        assert_eq!(ours, yaml);
    }
}

/// Texts that YAML might take for something else, and any others.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[-+~0-9a-fx_.:eEoTZ #\n]{0,12}",
        "(y|n|on|off|yes|no|true|false|null|nan|inf|[.~<=?|>%@`&*!,'\"\\[{:# -]|\n|\t|\r| )*",
        "[a-z ]{60,130}",
        any::<String>(),
    ]
}

fn object() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1e9..1e9).prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(text(), inner, 0..5)
                .prop_map(|it| Value::Object(it.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_is_printed_is_read_back_the_same(value in object()) {
        let yaml = to_yaml(&value);
        let back: Value = serde_yaml::from_str(&yaml)
            .map_err(|error| TestCaseError::fail(format!("{error}\n{yaml}")))?;
        prop_assert_eq!(back, value, "{}", yaml);
    }
}
