//! The difference of one key's values, as a unified diff of what may be seen of them.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::time::Duration;

use rollsnap_engine::look::{self, LookError, Mark, ReadAt};
use rollsnap_kube::{Keys, to_yaml};
use serde_json::Value;
use similar::TextDiff;

use super::legible;
use super::value::{Manner, Shown};

/// How long the shortest difference of one key is looked for, before any will do.
const PATIENCE: Duration = Duration::from_secs(2);

/// Values by their keys.
pub(super) type Values = HashMap<Box<[u8]>, Box<[u8]>>;

/// The values of some keys. Two passes over the records.
pub(super) fn values(
    file: &dyn ReadAt,
    at: Option<u64>,
    keys: &[Box<[u8]>],
) -> Result<Values, LookError> {
    let mut values = Values::new();
    let (Some(first), Some(last)) = (keys.first(), keys.last()) else {
        return Ok(values);
    };
    // They are sorted: what the first and the last begin with, all do.
    let common = first.iter().zip(last).take_while(|(a, b)| a == b).count();
    look::live(file, at, &first[..common], &mut |live| {
        let key = live.record.key;
        if keys.binary_search_by(|it| (**it).cmp(key)).is_ok() {
            values.insert(key.into(), live.record.value.into());
        }
        if values.len() == keys.len() {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    })?;
    Ok(values)
}

/// The values of a key on both sides, and the revisions of the sides.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sides<'v> {
    pub(super) a: Option<(u64, &'v [u8])>,
    pub(super) b: Option<(u64, &'v [u8])>,
}

/// The difference of a key's two values, which are not the same.
pub(super) fn of(keys: &Keys, key: &[u8], sides: Sides<'_>, manner: Manner) -> String {
    let shown =
        |value: Option<(u64, &[u8])>| value.map(|(_, value)| Shown::of(keys, key, value, manner));
    let (a, mut b) = (shown(sides.a), shown(sides.b));
    if let (Some((_, old)), Some((_, new))) = (sides.a, sides.b) {
        let open = Manner {
            show_secrets: true,
            ..manner
        };
        let all = |value| Shown::of(keys, key, value, open);
        tell_apart(&all(old), &all(new), a.as_ref(), b.as_mut());
    }
    let text = |side: Option<(u64, &[u8])>, shown: &Option<Shown>| match (side, shown) {
        (Some((_, value)), Some(shown)) => text(shown, value),
        _ => String::new(),
    };
    let name = legible::line(key);
    let label = |side: Option<(u64, &[u8])>, letter| match side {
        Some((revision, _)) => format!("{letter}{name}\trevision {revision}"),
        None => "/dev/null".to_owned(),
    };
    let (labels, a, b) = (
        (label(sides.a, "a"), label(sides.b, "b")),
        text(sides.a, &a),
        text(sides.b, &b),
    );
    if a == b {
        return format!(
            "--- {}\n+++ {}\n\\ The values differ in what is not shown\n",
            labels.0, labels.1
        );
    }
    let mut diff = TextDiff::configure();
    let diff = diff.timeout(PATIENCE).diff_lines(&*a, &*b);
    let mut unified = diff.unified_diff();
    unified
        .context_radius(3)
        .header(&labels.0, &labels.1)
        .to_string()
}

/// What may be seen of a value, as lines.
fn text(shown: &Shown, value: &[u8]) -> String {
    let size = value.len();
    match shown {
        Shown::Object {
            value, omissions, ..
        } => {
            let mut text = to_yaml(value);
            for omission in omissions {
                let said = legible::line(omission.to_string().as_bytes());
                text.extend(["# not shown: ", &said, "\n"]);
            }
            text
        }
        Shown::Encrypted(encrypted) => {
            format!(
                "<{size} bytes encrypted by {encrypted}, sha256 {}>\n",
                Mark::of(value)
            )
        }
        Shown::Bytes(bytes) if std::str::from_utf8(bytes).is_ok() => {
            let text = legible::lines(bytes);
            let end = if text.ends_with('\n') { "" } else { "\n" };
            format!("{text}{end}")
        }
        Shown::Bytes(_) => {
            format!(
                "<{size} bytes that are no text, sha256 {}>\n",
                Mark::of(value)
            )
        }
        // No digest: a short secret can be guessed from it.
        Shown::Hidden => format!("<hidden, {size} bytes>\n"),
    }
}

/// Where two secrets of one length differ, says so in the newer one.
fn tell_apart(old: &Shown, new: &Shown, a: Option<&Shown>, b: Option<&mut Shown>) {
    let (
        Shown::Object { value: old, .. },
        Shown::Object { value: new, .. },
        Some(Shown::Object { value: a, .. }),
        Some(Shown::Object { value: b, .. }),
    ) = (old, new, a, b)
    else {
        return;
    };
    for place in ["/data", "/stringData", "/metadata/annotations"] {
        let Some(Value::Object(fields)) = b.pointer_mut(place) else {
            continue;
        };
        for (name, value) in fields {
            let at = |side: &Value| side.pointer(place)?.get(name).cloned();
            let looks_same = at(a).as_ref() == Some(value);
            if looks_same && at(old) != at(new) {
                let text = value.as_str().unwrap_or_default();
                *value = format!("{}, another value>", text.trim_end_matches('>')).into();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HIDE: Manner = Manner {
        for_apply: false,
        show_secrets: false,
    };

    fn diff(key: &str, a: Option<&[u8]>, b: Option<&[u8]>, manner: Manner) -> String {
        let sides = Sides {
            a: a.map(|a| (4, a)),
            b: b.map(|b| (9, b)),
        };
        of(&Keys::default(), key.as_bytes(), sides, manner)
    }

    #[test]
    fn text_is_compared_by_lines_and_the_rest_by_size_and_digest() {
        assert_eq!(
            diff("/k", Some(b"a\nb\n"), Some(b"a\nc"), HIDE),
            "--- a/k\trevision 4\n+++ b/k\trevision 9\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n"
        );
        assert_eq!(
            diff("/k", None, Some(b"x"), HIDE),
            "--- /dev/null\n+++ b/k\trevision 9\n@@ -0,0 +1 @@\n+x\n"
        );
        assert_eq!(
            diff("/k", Some(b"\xff"), None, HIDE),
            "--- a/k\trevision 4\n+++ /dev/null\n@@ -1 +0,0 @@\n\
             -<1 bytes that are no text, sha256 a8100ae6aa1940d0b663bb31cd466142>\n"
        );
        // An end of line too few is nothing that lines show.
        assert!(diff("/k", Some(b"a"), Some(b"a\n"), HIDE).contains("\\ The values differ"));
        let encrypted = diff("/k", Some(b"k8s:enc:aescbc:v1:key1:ab"), Some(b"x"), HIDE);
        assert!(encrypted.contains("-<25 bytes encrypted by aescbc v1, key \"key1\", sha256 "));
    }

    #[test]
    fn a_secret_that_changed_is_told_and_not_shown() {
        let secret = |password: &str| {
            format!(
                r#"{{"apiVersion":"v1","kind":"Secret","data":{{"p":"{password}","q":"cXFx"}}}}"#
            )
            .into_bytes()
        };
        let (a, b) = (secret("aHVudGVyMg=="), secret("aHVudGVyMw=="));
        let key = "/registry/secrets/default/s";
        let told = diff(key, Some(&a), Some(&b), HIDE);
        assert!(
            told.contains("-  p: <hidden, 7 bytes>\n+  p: <hidden, 7 bytes, another value>"),
            "{told}"
        );
        assert!(told.contains("   q: <hidden, 3 bytes>\n"), "{told}");
        for shown in ["aHVudGVy", "hunter", "sha256"] {
            assert!(!told.contains(shown), "{told}");
        }
        let show = Manner {
            show_secrets: true,
            ..HIDE
        };
        let told = diff(key, Some(&a), Some(&b), show);
        assert!(told.contains("+  p: aHVudGVyMw==\n"), "{told}");
        // What cannot be read as a Secret and lies where they lie is hidden whole.
        let told = diff(key, Some(b"hunter2"), Some(b"hunter3"), HIDE);
        assert!(told.contains("differ in what is not shown"), "{told}");
        assert!(!told.contains("hunter"), "{told}");
    }
}
