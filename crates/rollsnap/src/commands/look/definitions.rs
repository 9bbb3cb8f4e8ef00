//! The custom resources that a cluster has learnt, by what it calls them.

use std::ops::ControlFlow;

use rollsnap_engine::look::{self, LookError, ReadAt};
use rollsnap_kube::{Keys, decode};
use serde_json::Value;

/// What a `CustomResourceDefinition` says of names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Definition {
    /// `widgets.example.com`
    pub(super) full: String,
    pub(super) is_namespaced: bool,
    group: String,
    /// Plural, singular, kind and short names.
    names: Vec<String>,
}

/// Every definition that is alive at a revision. Two passes over the records.
pub(super) fn definitions(
    file: &dyn ReadAt,
    at: Option<u64>,
    keys: &Keys,
) -> Result<Vec<Definition>, LookError> {
    let Ok(selection) = keys.select("customresourcedefinitions", None, None) else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    look::live(file, at, &selection.prefix, &mut |live| {
        found.extend(definition(live.record.value));
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

/// What the value of a definition's key says; `None` where it is none.
pub(super) fn definition(value: &[u8]) -> Option<Definition> {
    decode(value).value().and_then(Definition::of)
}

impl Definition {
    fn of(definition: &Value) -> Option<Self> {
        let spec = definition.get("spec")?;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let group = spec.get("group").and_then(text)?;
        let said = spec.get("names")?;
        let plural = said.get("plural").and_then(text)?;
        let short = said.get("shortNames").and_then(Value::as_array);
        let mut names = vec![plural.clone()];
        names.extend(said.get("singular").and_then(text));
        names.extend(said.get("kind").and_then(text));
        names.extend(short.into_iter().flatten().filter_map(text));
        Some(Self {
            full: format!("{plural}.{group}"),
            is_namespaced: spec.get("scope").and_then(Value::as_str) != Some("Cluster"),
            group,
            names,
        })
    }

    /// Whether `word` names it: `widget`, `wdg.example.com`, `widgets.v1.example.com`.
    pub(super) fn is_called(&self, word: &str) -> bool {
        let (head, group) = word.split_once('.').unwrap_or((word, ""));
        let group_fits = group.is_empty()
            || group == self.group
            || group
                .split_once('.')
                .is_some_and(|(_, after_version)| after_version == self.group);
        let is_head = |name: &String| name.eq_ignore_ascii_case(head);
        group_fits && self.names.iter().any(is_head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_definition_answers_to_every_name_it_has_and_to_no_other() {
        let definition = Definition::of(&json!({"spec": {
            "group": "example.com", "scope": "Cluster",
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget",
                      "shortNames": ["wdg"]},
        }}));
        let definition = definition.unwrap();
        assert_eq!(definition.full, "widgets.example.com");
        assert!(!definition.is_namespaced);
        for word in [
            "widgets",
            "Widget",
            "wdg",
            "wdg.example.com",
            "widget.v1.example.com",
        ] {
            assert!(definition.is_called(word), "{word}");
        }
        for word in ["", "wid", "widgets.example.org", "example.com"] {
            assert!(!definition.is_called(word), "{word}");
        }
        for other in [json!({}), json!({"spec": {"names": []}}), json!(1)] {
            assert_eq!(Definition::of(&other), None);
        }
    }
}
