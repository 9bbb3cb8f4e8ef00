use super::*;
use crate::text::MAX_BYTES;

static INNER: Shape = Shape(&[("count", Want::Value), ("list", Want::Values)]);
static OUTER: Shape = Shape(&[("name", Want::Value), ("inner", Want::Section(&INNER))]);

/// Every scalar that was read, as `path=value@line`, in order.
fn lines(text: &str) -> Vec<String> {
    fn walk(path: &str, node: &Node, out: &mut Vec<String>) {
        match node {
            Node::Scalar(scalar, line) => out.push(format!("{path}={scalar}@{line}")),
            Node::List(items) => items
                .iter()
                .for_each(|item| walk(&format!("{path}[]"), item, out)),
            Node::Mapping(entries) => {
                for entry in entries {
                    walk(&format!("{path}/{}", entry.key), &entry.node, out);
                }
            }
            Node::Tagged(tag) => out.push(format!("{path}=!{tag}")),
            Node::Skipped => out.push(format!("{path}=skipped")),
        }
    }
    let mut out = Vec::new();
    walk("", &read(text, &OUTER).unwrap(), &mut out);
    out
}

fn complaint(text: &str) -> String {
    let (line, wrong) = read(text, &OUTER).unwrap_err();
    match line {
        Some(line) => format!("{line}: {wrong}"),
        None => wrong.to_string(),
    }
}

#[test]
fn every_scalar_knows_its_line() {
    let text = "# a comment\nname: a\nother: {deep: [1, {x: 2}]}\ninner:\n  count: 3\n\n  list:\n  - x\n  # why\n  - y\n";
    assert_eq!(
        lines(text),
        [
            "/name=a@2",
            "/other=skipped",
            "/inner/count=3@5",
            "/inner/list[]=x@8",
            "/inner/list[]=y@10",
        ]
    );
}

#[test]
fn the_first_line_is_a_line_too() {
    assert_eq!(lines("name: a"), ["/name=a@1"]);
    assert_eq!(lines("just text"), ["=just text@1"]);
    assert_eq!(lines(""), ["=null@1"]);
}

#[test]
fn flow_block_and_quoted_forms_keep_their_lines() {
    let text = "{\n name: 'a', inner: {count: 1,\n list: [x,\n y]}}\n";
    assert_eq!(
        lines(text),
        [
            "/name=a@2",
            "/inner/count=1@2",
            "/inner/list[]=x@3",
            "/inner/list[]=y@4"
        ]
    );
    let text = "name: |\n  one\n  two\ninner:\n  count:\n    \"3\"\n  list:\n";
    assert_eq!(
        lines(text),
        [
            "/name=one\ntwo\n@1",
            "/inner/count=3@6",
            "/inner/list=null@7"
        ]
    );
}

#[test]
fn an_alias_has_the_line_where_its_value_is_written() {
    let text = "base: &n 7\nname: *n\ninner: &i\n  count: *n\n";
    assert_eq!(
        lines(text),
        ["/base=skipped", "/name=7@1", "/inner/count=7@1"]
    );
}

#[test]
fn keys_given_twice_are_both_kept() {
    assert_eq!(lines("name: a\nname: b\n"), ["/name=a@1", "/name=b@2"]);
}

#[test]
fn merged_keys_give_way_to_own_ones_and_keep_their_lines() {
    let text = "a: &a {count: 1, list: [x]}\nb: &b {count: 2}\ninner:\n  <<: [*b, *a]\n";
    assert_eq!(lines(text)[2..], ["/inner/count=2@2", "/inner/list[]=x@1"]);
    let text = "a: &a {count: 1, list: [x]}\ninner:\n  <<: *a\n  count: 3\n";
    assert_eq!(lines(text)[1..], ["/inner/count=3@4", "/inner/list[]=x@1"]);
    assert_eq!(lines("inner: {<<: 5}"), ["/inner/<<=5@1"]);
}

#[test]
fn tags_are_kept_as_tags() {
    assert_eq!(
        lines("name: !vault abc\ninner: !x {count: 1}\n"),
        ["/name=!vault", "/inner=!x"]
    );
    assert_eq!(lines("name: !!str 12\n"), ["/name=12@1"]);
}

#[test]
fn what_is_no_yaml_is_told_with_its_place_and_without_its_content() {
    assert_eq!(
        complaint("name: [a, b\ninner: 1\n"),
        "2: is not YAML: did not find expected ',' or ']', column 6"
    );
    assert_eq!(
        complaint("inner:\n\tcount: 1\n"),
        "2: is not YAML: found character that cannot start any token, column 1; indent with spaces, not with tabs"
    );
    assert_eq!(
        complaint("name: *gone\n"),
        "1: is not YAML: unknown anchor, column 7"
    );
    let text = complaint("inner:\n  count: !!int hunter2\n");
    assert_eq!(
        text,
        "2: has a tag that does not fit its value; leave the tag out"
    );
}

#[test]
fn a_second_document_is_told_with_its_line() {
    assert_eq!(
        complaint("name: a\n---\nname: b\n"),
        "3: a second document begins; keep one document in the file"
    );
    assert_eq!(lines("---\nname: a\n...\n"), ["/name=a@2"]);
}

#[test]
fn aliases_cannot_make_much_of_little() {
    let mut laughs = String::from("a0: &a0 {count: 1}\n");
    for level in 1..40 {
        let below = level - 1;
        let aliases = format!("*a{below}, ").repeat(3);
        laughs += format!("a{level}: &a{level} {{<<: [{aliases}]}}\n").as_str();
    }
    laughs += "inner: *a39\n";
    assert_eq!(
        complaint(&laughs),
        "has more than 10000 values, aliases counted each time; write the snapshot keys out in full"
    );
    let unseen = laughs.replace("inner: *a39", "other: *a39");
    assert!(
        read(&unseen, &OUTER).is_ok(),
        "what nobody asks for is not expanded"
    );
    let text = "x".repeat(1 << 20);
    let repeated = format!(
        "name: &n {text}\ninner: {{list: [{}]}}\n",
        "*n,".repeat(5_000)
    );
    assert!(complaint(&repeated).starts_with("has more than 10000 values"));
    let keys = format!("name: &n {text}\ninner: {{{}}}\n", "*n : 1,".repeat(5_000));
    assert!(complaint(&keys).starts_with("has more than 10000 values"));
    assert_eq!(
        complaint("inner: &i {<<: *i}\n"),
        "1: is not YAML: recursion limit exceeded, column 8"
    );
}

#[test]
fn the_worst_files_of_the_largest_size_end_soon() {
    for deep in ["[", "{a: ", "- ", "? ", "- ? "] {
        assert_eq!(
            complaint(&deep.repeat(MAX_BYTES / deep.len())),
            "1: nests more than 200 lists and mappings in each other; close them",
            "libyaml takes minutes, or a gigabyte, for {deep:?}"
        );
    }
    let wide = format!(
        "a: &a [{}]\nb: [{}]\n",
        "1,".repeat(MAX_BYTES / 4),
        "*a,".repeat(MAX_BYTES / 8)
    );
    assert!(read(&wide, &OUTER).is_ok());
    for piece in [
        "[", "{", "- ", "? ", "&a ", "*a ", "- - ", "{a: ", "\"", "'", "#", "\n", "a: ", "<<: ",
        "!a ", "%", "|\n", "[a, ",
    ] {
        let text = piece.repeat(MAX_BYTES / 4 / piece.len());
        let _ = read(&text, &OUTER);
    }
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in "([ \\-?:,\\[\\]{}#&*!|>'\"%@`a<\n\t]|name|inner|count|list|<<: |&x |\\*x |--- |\\PC){0,60}") {
        let _ = read(&text, &OUTER);
    }
}
