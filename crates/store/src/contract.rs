//! The suite that every store passes.
//!
//! For whoever writes a store: hand [`run`] one that nothing else uses, and [`run_spool`] too
//! when it can be spooled to. They panic with what was promised and what was found. Names begin
//! with `contract `; what they left is removed at the end, so a store may be used twice.

use std::fmt::Display;
use std::ops::Range;

use bytes::Bytes;
use futures_util::TryStreamExt;

use crate::{ErrorKind, ObjectInfo, ObjectName, Spool, SpoolStore, Store, StoreError, Upload};

/// What the name of every object of the suite begins with.
const PREFIX: &str = "contract ";

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

/// Checks what [`Store`] promises.
///
/// # Panics
/// When a promise is broken.
pub async fn run(store: &dyn Store) {
    run_with_names_up_to(store, crate::name::MAX_LEN).await;
}

/// Like [`run`], for a store behind which something cannot take the longest names: s3s-fs keeps
/// an object's headers in a file named by the key in base64, and file systems stop at 255 bytes.
///
/// # Panics
/// When a promise is broken.
pub async fn run_with_names_up_to(store: &dyn Store, longest: usize) {
    clear(store).await;
    objects_come_back(store).await;
    ranges_are_exact(store).await;
    lists_are_sorted_and_whole(store).await;
    odd_names_are_kept_apart(store, longest).await;
    nothing_shows_before_commit(store).await;
    abort_leaves_nothing(store).await;
    drop_leaves_nothing(store).await;
    commit_replaces(store).await;
    absent_objects(store).await;
    clear(store).await;
}

/// Checks what [`SpoolStore`] promises beyond [`run`].
///
/// # Panics
/// When a promise is broken.
pub async fn run_spool(store: &dyn SpoolStore) {
    clear(store).await;
    tails_see_what_is_written(store).await;
    spools_are_read_back(store).await;
    taken_names_are_refused(store).await;
    given_up_spools_leave_nothing(store).await;
    clear(store).await;
}

/// Empty, small, and larger than several parts, whatever the size of the writes.
async fn objects_come_back(store: &dyn Store) {
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

async fn ranges_are_exact(store: &dyn Store) {
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

async fn lists_are_sorted_and_whole(store: &dyn Store) {
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

async fn odd_names_are_kept_apart(store: &dyn Store, longest: usize) {
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

async fn nothing_shows_before_commit(store: &dyn Store) {
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

async fn abort_leaves_nothing(store: &dyn Store) {
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

async fn drop_leaves_nothing(store: &dyn Store) {
    let name = name("dropped");
    let part = part_size(store).await;
    let mut upload = begin(store, &name).await;
    write(&mut *upload, &pattern(part * 3 / 2), part).await;
    drop(upload);
    assert_absent(store, &name, "dropped").await;
}

async fn commit_replaces(store: &dyn Store) {
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

async fn absent_objects(store: &dyn Store) {
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

async fn tails_see_what_is_written(store: &dyn SpoolStore) {
    let name = name("tailed");
    let mut spool = spool(store, &name).await;
    let size = spool.part_size();
    let content = pattern(size * 2 + 7);
    let mut early = spool.tail();
    let writer = async {
        write(&mut *spool, &content, size / 2).await;
        spool
            .seal()
            .await
            .unwrap_or_else(|error| broken("seal", &error));
        spool
    };
    let reader = async {
        let mut sizes = Vec::new();
        let mut bytes = Vec::new();
        loop {
            let piece = early
                .next(size)
                .await
                .unwrap_or_else(|error| broken("tail", &error));
            if piece.is_empty() {
                return (sizes, bytes);
            }
            sizes.push(piece.len());
            bytes.extend_from_slice(&piece);
        }
    };
    let (spool, (sizes, bytes)) = futures_util::join!(writer, reader);
    assert_same(&bytes, &content, "a tail beside its writer");
    assert_eq!(sizes, [size, size, 7], "a tail gives whole pieces");
    assert_absent(store, &name, "sealed but not committed").await;

    let mut late = spool.tail();
    let info = spool
        .commit()
        .await
        .unwrap_or_else(|error| broken("commit of a spool", &error));
    assert_eq!(info.size, content.len() as u64, "commit tells another size");
    assert_same(&get(store, &name, None).await, &content, "spooled");
    let all = late
        .next(content.len() + 1)
        .await
        .unwrap_or_else(|error| broken("tail after the commit", &error));
    assert_same(&all, &content, "a tail after the commit");
}

async fn spools_are_read_back(store: &dyn SpoolStore) {
    let mut spool = spool(store, &name("read back")).await;
    let content = pattern(spool.part_size() + 100);
    write(&mut *spool, &content, 1000).await;
    spool
        .seal()
        .await
        .unwrap_or_else(|error| broken("seal", &error));
    let reader = spool
        .reader()
        .unwrap_or_else(|error| broken("reader", &error));
    let size = content.len();
    match reader.size() {
        Ok(told) => assert_eq!(told, size as u64, "size of what is read back"),
        Err(error) => broken("size", &error),
    }
    for range in [0..1, 0..size, size - 50..size, size..size] {
        let mut bytes = vec![0; range.len()];
        if let Err(error) = reader.read_at(range.start as u64, &mut bytes) {
            broken("read back", &error);
        }
        assert_same(&bytes, &content[range], "read back");
    }
    match reader.read_at(size as u64 - 1, &mut [0; 2]) {
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {}
        other => panic!("a read past the end is no UnexpectedEof: {other:?}"),
    }
}

async fn taken_names_are_refused(store: &dyn SpoolStore) {
    let name = name("taken");
    let mut late = spool(store, &name).await;
    write(&mut *late, b"the second", 10).await;
    put(store, &name, b"the first", 9).await;
    match late.commit().await {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        other => panic!("a commit to a taken name is no AlreadyExists: {other:?}"),
    }
    match store.spool(&name, None).await.map(drop) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        other => panic!("a spool of a taken name is no AlreadyExists: {other:?}"),
    }
    assert_same(&get(store, &name, None).await, b"the first", "taken");
}

async fn given_up_spools_leave_nothing(store: &dyn SpoolStore) {
    let name = name("given up");
    for end in ["dropped", "aborted"] {
        let mut spool = spool(store, &name).await;
        write(&mut *spool, b"some bytes", 3).await;
        let mut tail = spool.tail();
        match end {
            "aborted" => spool
                .abort()
                .await
                .unwrap_or_else(|error| broken("abort", &error)),
            _ => drop(spool),
        }
        assert_absent(store, &name, end).await;
        let result = tail.next(100).await;
        assert!(
            result.is_err(),
            "the tail of a {end} spool ends as if whole"
        );
    }
}

/// Bytes that show when pieces are exchanged, repeated or missing.
fn pattern(size: usize) -> Vec<u8> {
    let words = (0_u64..).map(|i| i.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    words.flat_map(u64::to_be_bytes).take(size).collect()
}

fn name(text: &str) -> ObjectName {
    ObjectName::new(format!("{PREFIX}{text}")).unwrap_or_else(|error| broken("name", &error))
}

async fn clear(store: &dyn Store) {
    for info in list(store, PREFIX).await {
        store
            .delete(&info.name)
            .await
            .unwrap_or_else(|error| broken("delete", &error));
    }
}

async fn part_size(store: &dyn Store) -> usize {
    let upload = begin(store, &name("part size")).await;
    let size = upload.part_size();
    upload
        .abort()
        .await
        .unwrap_or_else(|error| broken("abort", &error));
    assert!(size > 0, "a part has no bytes");
    size
}

async fn begin(store: &dyn Store, name: &ObjectName) -> Box<dyn Upload> {
    store
        .begin(name)
        .await
        .unwrap_or_else(|error| broken("begin", &error))
}

async fn spool(store: &dyn SpoolStore, name: &ObjectName) -> Box<dyn Spool> {
    store
        .spool(name, Some(1))
        .await
        .unwrap_or_else(|error| broken("spool", &error))
}

async fn write<U: Upload + ?Sized>(upload: &mut U, content: &[u8], size: usize) {
    for piece in content.chunks(size) {
        upload
            .write(Bytes::copy_from_slice(piece))
            .await
            .unwrap_or_else(|error| broken("write", &error));
    }
}

async fn put(store: &dyn Store, name: &ObjectName, content: &[u8], size: usize) -> ObjectInfo {
    let mut upload = begin(store, name).await;
    write(&mut *upload, content, size).await;
    upload
        .commit()
        .await
        .unwrap_or_else(|error| broken("commit", &error))
}

async fn read(
    store: &dyn Store,
    name: &ObjectName,
    range: Option<Range<u64>>,
) -> Result<Vec<u8>, StoreError> {
    let pieces = store.read(name, range).await?;
    pieces
        .try_fold(Vec::new(), |mut all, piece| async move {
            all.extend_from_slice(&piece);
            Ok(all)
        })
        .await
}

async fn get(store: &dyn Store, name: &ObjectName, range: Option<Range<u64>>) -> Vec<u8> {
    read(store, name, range)
        .await
        .unwrap_or_else(|error| broken("read", &error))
}

async fn list(store: &dyn Store, prefix: &str) -> Vec<ObjectInfo> {
    store
        .list(prefix)
        .await
        .unwrap_or_else(|error| broken("list", &error))
}

async fn assert_absent(store: &dyn Store, name: &ObjectName, when: &str) {
    let listed = list(store, name.as_str()).await;
    assert!(listed.is_empty(), "{when}, yet listed: {listed:?}");
    match read(store, name, None).await {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => panic!("{when}: a read is no NotFound: {error}"),
        Ok(bytes) => panic!("{when}, yet {} bytes are read", bytes.len()),
    }
}

/// Compares without printing megabytes.
fn assert_same(found: &[u8], expected: &[u8], case: &str) {
    assert_eq!(found.len(), expected.len(), "{case}: another size");
    let differs = found.iter().zip(expected).position(|(a, b)| a != b);
    assert_eq!(differs, None, "{case}: first byte that differs");
}

fn index(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

fn broken(what: &str, error: &dyn Display) -> ! {
    panic!("{what} went wrong: {error}")
}
