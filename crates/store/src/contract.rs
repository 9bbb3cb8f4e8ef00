//! The suite that every store passes.
//!
//! For whoever writes a store: hand [`run`] one that nothing else uses, and [`run_spool`] too
//! when it can be spooled to. They panic with what was promised and what was found. Names begin
//! with `contract `; what they left is removed at the end, so a store may be used twice.

mod objects;
mod spools;
mod tickets;

use std::fmt::Display;
use std::ops::Range;

use bytes::Bytes;
use futures_util::TryStreamExt;

use crate::{ErrorKind, ObjectInfo, ObjectName, SpoolStore, Store, StoreError, Terms, Upload};

/// What the name of every object of the suite begins with.
const PREFIX: &str = "contract ";

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
    objects::objects_come_back(store).await;
    objects::ranges_are_exact(store).await;
    objects::lists_are_sorted_and_whole(store).await;
    objects::odd_names_are_kept_apart(store, longest).await;
    objects::nothing_shows_before_commit(store).await;
    objects::abort_leaves_nothing(store).await;
    objects::drop_leaves_nothing(store).await;
    objects::commit_replaces(store).await;
    objects::taken_names_are_refused(store).await;
    objects::absent_objects(store).await;
    clear(store).await;
}

/// Checks what [`SpoolStore`] promises beyond [`run`].
///
/// # Panics
/// When a promise is broken.
pub async fn run_spool(store: &dyn SpoolStore) {
    clear(store).await;
    spools::tails_see_what_is_written(store).await;
    spools::spools_are_read_back(store).await;
    spools::objects_are_read_at_any_place(store).await;
    spools::taken_names_are_refused(store).await;
    spools::spools_replace_where_they_are_told_to(store).await;
    spools::given_up_spools_leave_nothing(store).await;
    clear(store).await;
}

/// Checks what [`Store`] promises of [tickets](crate::Ticket), of a store that gives them.
///
/// # Panics
/// When a promise is broken.
pub async fn run_tickets(store: &dyn Store) {
    clear(store).await;
    tickets::uploads_are_gone_on_with(store).await;
    tickets::parts_of_other_bytes_are_not_kept(store).await;
    tickets::forgotten_uploads_are_gone(store).await;
    clear(store).await;
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
        .begin(name, Terms::replacing())
        .await
        .unwrap_or_else(|error| broken("begin", &error))
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

fn broken(what: &str, error: &dyn Display) -> ! {
    panic!("{what} went wrong: {error}")
}
