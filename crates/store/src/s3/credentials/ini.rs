//! The format of `~/.aws/credentials` and `~/.aws/config`.
//!
//! "Shared config and credentials files", AWS SDKs and Tools reference: sections in brackets,
//! `name = value`, comments after `#` or `;` at the start of a line or after white space. An
//! indented line belongs to the value above it (a table in a table, such as `s3 =`), in which no
//! key ever stands. What is none of these is passed over, as AWS' tools do.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

/// One section: values by their names in lower case.
pub(super) type Section = BTreeMap<String, Zeroizing<String>>;

/// Sections by what stands between the brackets, white space made single.
#[derive(Default)]
pub(super) struct Ini(BTreeMap<String, Section>);

impl Ini {
    /// Reads a file. A section that comes twice is one, and the later value counts.
    pub(super) fn parse(text: &str) -> Self {
        let mut ini = Self::default();
        let mut section = None;
        let mut in_value = false;
        for line in text.trim_start_matches('\u{feff}').lines() {
            let (indented, line) = (line.starts_with([' ', '\t']), line.trim());
            if line.is_empty() || line.starts_with(['#', ';']) || (indented && in_value) {
                continue;
            }
            if let Some(rest) = line.strip_prefix('[') {
                in_value = false;
                section = rest.split_once(']').map(|(name, _)| {
                    let words: Vec<&str> = name.split_whitespace().collect();
                    ini.0.entry(words.join(" ")).or_default()
                });
            } else if let (Some(section), Some((name, value))) =
                (&mut section, line.split_once('='))
            {
                in_value = true;
                let value = Zeroizing::new(without_comment(value).to_owned());
                section.insert(name.trim().to_ascii_lowercase(), value);
            }
        }
        ini
    }

    /// Takes a section out.
    pub(super) fn take(&mut self, name: &str) -> Option<Section> {
        self.0.remove(name)
    }
}

fn without_comment(value: &str) -> &str {
    let comment = value
        .match_indices(['#', ';'])
        .find(|(at, _)| value[..*at].ends_with(char::is_whitespace));
    let end = comment.map_or(value.len(), |(at, _)| at);
    value[..end].trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str, section: &str, name: &str) -> Option<String> {
        let mut section = Ini::parse(text).take(section)?;
        section.remove(name).map(|value| value.to_string())
    }

    #[test]
    fn sections_values_and_comments_are_read_as_aws_reads_them() {
        let text = "\u{feff}ignored = before any section\n\
            # a comment = 1\n\
            [ default ]   ; of whom\n\
            AWS_Access_Key_Id=AKIA#1  # whose\n\
            region = eu-west-1 ;\n\
            s3 =\n  aws_access_key_id = nested\n\taddressing_style = path\n\
            no value here\n\
            [profile   east]\r\n\
              region=a=b\r\n\
            [broken\n\
            region = nowhere\n\
            [default]\n\
            region = later\n";
        for (section, name, expected) in [
            ("default", "aws_access_key_id", Some("AKIA#1")),
            ("default", "region", Some("later")),
            ("default", "s3", Some("")),
            ("default", "addressing_style", None),
            ("profile east", "region", Some("a=b")),
            ("broken", "region", None),
        ] {
            let found = value(text, section, name);
            assert_eq!(found.as_deref(), expected, "{section} {name}");
        }
    }
}
