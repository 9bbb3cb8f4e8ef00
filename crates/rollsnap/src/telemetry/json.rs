//! One JSON object a line: `time`, `level`, `msg`, then the event's own keys in their order.

use std::fmt::Write as _;

use super::line::{Line, Value};

/// The text of a line.
pub(super) fn render(line: &Line) -> String {
    let Line {
        time,
        level,
        message,
        fields,
    } = line;
    let mut text = format!(
        "{{\"time\":\"{time}\",\"level\":\"{level}\",\"msg\":{}",
        quoted(message)
    );
    for (key, value) in fields {
        let value = match value {
            Value::Text(value) => quoted(value),
            Value::Bare(value) => value.clone(),
        };
        write!(text, ",{}:{value}", quoted(key)).expect("a string takes everything");
    }
    text.push('}');
    text
}

fn quoted(value: &str) -> String {
    serde_json::Value::from(value).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_an_object_whose_keys_keep_their_order() {
        let line = Line {
            time: "2018-05-04T18:40:16Z".to_owned(),
            level: "info",
            message: "Created \"it\"".to_owned(),
            fields: vec![
                ("name", Value::Text("a\nb".to_owned())),
                ("size", Value::Bare("7".to_owned())),
            ],
        };
        let text = render(&line);
        let expected = r#"{"time":"2018-05-04T18:40:16Z","level":"info","msg":"Created \"it\"","name":"a\nb","size":7}"#;
        assert_eq!(text, expected);
    }
}
