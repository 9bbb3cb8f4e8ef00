//! What [`Store`] promises of objects, names, ranges and lists.

use std::ops::Range;

use bytes::Bytes;

use super::{
    PREFIX, assert_absent, assert_same, begin, broken, clear, get, list, name, part_size, pattern,
    put, read, write,
};
use crate::{ErrorKind, ObjectName, Store, StoreError, Terms};

/// What follows [`PREFIX`] in names that a store may get wrong: what means something in a URL,
/// a form, a shell or a listing, letters that have two spellings, and the longest name.
const ODDITIES: &[&str] = &[
    "two  spaces",
    "+ = & % ~ ' ( ) * ! :",
    "%2F%41 %",
    "? # @ , ; $ [ ]",
    "a+b",
    "2026-05-01T12:00:00+02:00_etcd",
    "x..y",
    "é", // one code point
    "e\u{301}",
    "Ünï 雪 🦀",
    "-dash",
];

/// Empty, small, and larger than several parts, whatever the size of the writes.
pub(super) async fn objects_come_back(store: &dyn Store) {
    let part = part_size(store).await;
    for (size, write) in [
        (0, part),
        (1, 1),
        (part, part),
        (part * 5 / 2, part),
        (part * 5 / 2 + 1, part / 3 + 1),
        (part * 2, part * 2),
    ] {
        let case = format!("{size} bytes in writes of {write}");
        let name = name("object");
        let content = pattern(size);
        let info = put(store, &name, &content, write).await;
        assert_eq!(info.name, name, "{case}: commit tells another name");
        assert_eq!(info.size, size as u64, "{case}: commit tells another size");
        assert_same(&get(store, &name, None).await, &content, &case);
        let listed = list(store, name.as_str()).await;
        assert_eq!(listed.len(), 1, "{case}: listed as {listed:?}");
        assert_eq!(listed[0].size, size as u64, "{case}: listed size");
    }
}

pub(super) async fn ranges_are_exact(store: &dyn Store) {
    let part = part_size(store).await;
    let name = name("range");
    let content = pattern(part + 10);
    let size = content.len() as u64;
    put(store, &name, &content, part).await;
    let border = part as u64;
    for range in [
        0..1,
        0..size,
        1..2,
        border - 1..border + 1,
        size - 1..size,
        0..0,
        5..5,
        size..size,
    ] {
        let case = format!("bytes {range:?} of {size}");
        let expected = &content[index(range.start)..index(range.end)];
        assert_same(&get(store, &name, Some(range)).await, expected, &case);
    }
    // Outside by one, outside wholly, and the wrong way round.
    for (start, end) in [(0, size + 1), (size + 1, size + 2), (2, 1)] {
        let result = read(store, &name, Some(Range { start, end })).await;
        assert!(
            result.is_err(),
            "bytes {start} to {end} of {size}: no error but {} bytes",
            result.map_or(0, |bytes| bytes.len())
        );
    }
}

pub(super) async fn lists_are_sorted_and_whole(store: &dyn Store) {
    clear(store).await;
    for text in ["b", "a", "ab", "a b", "B", "a.manifest.json"] {
        put(store, &name(text), b"x", 1).await;
    }
    let names = |prefix: String| async move {
        list(store, &prefix)
            .await
            .into_iter()
            .map(|info| info.name.as_str()[PREFIX.len()..].to_owned())
            .collect::<Vec<_>>()
    };
    for (prefix, expected) in [
        ("", vec!["B", "a", "a b", "a.manifest.json", "ab", "b"]),
        ("a", vec!["a", "a b", "a.manifest.json", "ab"]),
        ("a ", vec!["a b"]),
        ("a.manifest.json", vec!["a.manifest.json"]),
        ("c", vec![]),
    ] {
        let found = names(format!("{PREFIX}{prefix}")).await;
        assert_eq!(found, expected, "list of the prefix {prefix:?}");
    }
    let all = list(store, "").await;
    assert!(
        all.is_sorted_by(|a, b| a.name < b.name),
        "the list of everything is not sorted, or tells a name twice: {all:?}"
    );
    store
        .delete(&name("a"))
        .await
        .unwrap_or_else(|error| broken("delete", &error));
    let found = names(format!("{PREFIX}a")).await;
    let expected = ["a b", "a.manifest.json", "ab"];
    assert_eq!(found, expected, "after the delete of \"a\"");
}

pub(super) async fn odd_names_are_kept_apart(store: &dyn Store, longest: usize) {
    clear(store).await;
    let longest = "x".repeat(longest - PREFIX.len());
    let texts: Vec<&str> = ODDITIES.iter().copied().chain([&*longest]).collect();
    for text in &texts {
        put(store, &name(text), text.as_bytes(), text.len()).await;
    }
    for text in &texts {
        let content = get(store, &name(text), None).await;
        assert_same(&content, text.as_bytes(), text);
        let listed = list(store, name(text).as_str()).await;
        let expected = [name(text)];
        let found: Vec<_> = listed.into_iter().map(|info| info.name).collect();
        assert_eq!(found, expected, "list of the prefix {text:?}");
    }
    let count = list(store, PREFIX).await.len();
    assert_eq!(count, texts.len(), "some odd names are one, or missing");
    for text in &texts {
        store
            .delete(&name(text))
            .await
            .unwrap_or_else(|error| broken(text, &error));
    }
    let left = list(store, PREFIX).await;
    assert!(left.is_empty(), "left after their delete: {left:?}");
}

pub(super) async fn nothing_shows_before_commit(store: &dyn Store) {
    let name = name("unfinished");
    let part = part_size(store).await;
    let mut upload = begin(store, &name).await;
    assert_absent(store, &name, "begun").await;
    write(&mut *upload, &pattern(part * 2), part).await;
    assert_absent(store, &name, "written but not committed").await;
    upload
        .commit()
        .await
        .unwrap_or_else(|error| broken("commit", &error));
    assert_same(&get(store, &name, None).await, &pattern(part * 2), "commit");
}

pub(super) async fn abort_leaves_nothing(store: &dyn Store) {
    let name = name("aborted");
    let part = part_size(store).await;
    let mut upload = begin(store, &name).await;
    write(&mut *upload, &pattern(part * 3 / 2), part).await;
    upload
        .abort()
        .await
        .unwrap_or_else(|error| broken("abort", &error));
    assert_absent(store, &name, "aborted").await;

    let upload = begin(store, &name).await;
    upload
        .abort()
        .await
        .unwrap_or_else(|error| broken("abort of nothing", &error));
    assert_absent(store, &name, "aborted before a write").await;
}

pub(super) async fn drop_leaves_nothing(store: &dyn Store) {
    let name = name("dropped");
    let part = part_size(store).await;
    let mut upload = begin(store, &name).await;
    write(&mut *upload, &pattern(part * 3 / 2), part).await;
    drop(upload);
    assert_absent(store, &name, "dropped").await;
}

pub(super) async fn commit_replaces(store: &dyn Store) {
    let name = name("replaced");
    put(store, &name, b"the first, which is longer", 5).await;
    let mut upload = begin(store, &name).await;
    write(&mut *upload, b"the second", 4).await;
    let before = get(store, &name, None).await;
    assert_same(&before, b"the first, which is longer", "before the commit");
    upload
        .commit()
        .await
        .unwrap_or_else(|error| broken("commit over another", &error));
    assert_same(&get(store, &name, None).await, b"the second", "replaced");
    assert_eq!(list(store, name.as_str()).await.len(), 1, "listed twice");
}

/// What takes nobody's place does not, whether it is small or of many parts.
pub(super) async fn taken_names_are_refused(store: &dyn Store) {
    let name = name("taken");
    let part = part_size(store).await;
    put(store, &name, b"the first", 5).await;
    for size in [10, part * 3 / 2] {
        match create(store, &name, &pattern(size), part).await {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => panic!("{size} bytes under a taken name: no AlreadyExists: {error}"),
            Ok(()) => panic!("{size} bytes took the place of another object"),
        }
        let left = get(store, &name, None).await;
        assert_same(&left, b"the first", "after a refused commit");
    }
}

/// Begins, writes and commits what takes nobody's place. A store may refuse it at any step.
async fn create(
    store: &dyn Store,
    name: &ObjectName,
    content: &[u8],
    step: usize,
) -> Result<(), StoreError> {
    let terms = Terms::new_of(content.len() as u64);
    let mut upload = store.begin(name, terms).await?;
    for piece in content.chunks(step) {
        upload.write(Bytes::copy_from_slice(piece)).await?;
    }
    upload.commit().await?;
    Ok(())
}

pub(super) async fn absent_objects(store: &dyn Store) {
    let name = name("absent");
    for range in [None, Some(0..1)] {
        match read(store, &name, range.clone()).await {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => panic!("a read of {range:?} of nothing is no NotFound: {error}"),
            Ok(bytes) => panic!("a read of nothing gives {} bytes", bytes.len()),
        }
    }
    for _ in 0..2 {
        store
            .delete(&name)
            .await
            .unwrap_or_else(|error| broken("delete of nothing", &error));
    }
}

fn index(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}
