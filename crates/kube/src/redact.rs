//! Secrets before somebody's eyes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// Hides what a Secret keeps: each value of `data` and `stringData` becomes `<hidden, N bytes>`,
/// where N is the size of what is kept, not of its base64.
///
/// Annotations that repeat a value are hidden too: the one in which `kubectl apply` notes the
/// whole object, and any other that has one of the values in it. Names of keys stay. Objects of
/// other kinds are left alone.
pub fn redact(object: &mut Value) {
    let text = |field: &str| object.get(field).and_then(Value::as_str);
    if (text("apiVersion"), text("kind")) != (Some("v1"), Some("Secret")) {
        return;
    }
    let mut secrets = Vec::new();
    for (field, encoded) in [("data", true), ("stringData", false)] {
        let values = object.get_mut(field).and_then(Value::as_object_mut);
        for value in values.into_iter().flat_map(|it| it.values_mut()) {
            let said = match &*value {
                Value::String(said) => said.clone(),
                Value::Null => continue,
                other => other.to_string(),
            };
            let kept = match STANDARD.decode(&said) {
                Ok(kept) if encoded => kept,
                _ => said.clone().into_bytes(),
            };
            *value = hidden(kept.len());
            secrets.extend(String::from_utf8(kept).ok());
            secrets.push(said);
        }
    }
    let annotations = object
        .pointer_mut("/metadata/annotations")
        .and_then(Value::as_object_mut);
    for (name, value) in annotations.into_iter().flatten() {
        let Some(said) = value.as_str() else { continue };
        if name == "kubectl.kubernetes.io/last-applied-configuration" || repeats(said, &secrets) {
            *value = hidden(said.len());
        }
    }
}

/// Whether `text` has one of `secrets` in it, but for those too short to be told from chance.
fn repeats(text: &str, secrets: &[String]) -> bool {
    const SHORTEST: usize = 4;
    let telling = |secret: &&String| secret.len() >= SHORTEST;
    secrets
        .iter()
        .filter(telling)
        .any(|secret| text.contains(&**secret))
}

fn hidden(bytes: usize) -> Value {
    format!("<hidden, {bytes} bytes>").into()
}
