//! What [`Store`] promises of uploads that another run goes on with.

use std::sync::Arc;

use bytes::Bytes;

use super::{assert_absent, assert_same, begin, broken, get, name, pattern, write};
use crate::{ObjectName, ReadBack, Store, Terms, Ticket, Upload};

/// Pieces after which an upload must have a ticket.
const SOON: usize = 8;

/// A dropped upload of the first bytes of `content`, by its ticket.
async fn cut(store: &dyn Store, name: &ObjectName, content: &Bytes) -> Ticket {
    let terms = Terms::new_of(content.len() as u64);
    let begun = store.begin(name, terms).await;
    let mut upload = begun.unwrap_or_else(|error| broken("begin", &error));
    let part = upload.part_size();
    for piece in content.chunks(part).take(SOON) {
        upload
            .write(Bytes::copy_from_slice(piece))
            .await
            .unwrap_or_else(|error| broken("write", &error));
    }
    let ticket = upload.ticket();
    ticket.unwrap_or_else(|| panic!("no ticket after {SOON} parts"))
}

async fn resume(
    store: &dyn Store,
    name: &ObjectName,
    ticket: &Ticket,
    content: &Bytes,
) -> Option<Box<dyn Upload>> {
    let content: Arc<dyn ReadBack> = Arc::new(content.clone());
    let resumed = store.resume(name, ticket, content).await;
    resumed.unwrap_or_else(|error| broken("resume", &error))
}

/// Writes what is missing, and commits.
async fn finish(mut upload: Box<dyn Upload>, content: &Bytes) {
    let written = usize::try_from(upload.written()).expect("small");
    assert!(written <= content.len(), "more is there than was written");
    let size = upload.part_size();
    write(&mut *upload, &content[written..], size).await;
    let committed = upload.commit().await;
    let info = committed.unwrap_or_else(|error| broken("commit", &error));
    assert_eq!(info.size, content.len() as u64, "commit tells another size");
}

pub(super) async fn uploads_are_gone_on_with(store: &dyn Store) {
    let part = begin(store, &name("part")).await.part_size();
    let name = name("resumed");
    let content = Bytes::from(pattern(part * 5 / 2 + part * SOON));
    let ticket = cut(store, &name, &content).await;
    assert_absent(store, &name, "it was dropped").await;
    let upload = resume(store, &name, &ticket, &content).await;
    // What was on the wire when it was dropped may be lost, even all of it.
    match upload {
        Some(upload) => finish(upload, &content).await,
        None => finish(begin(store, &name).await, &content).await,
    }
    assert_same(&get(store, &name, None).await, &content, "resumed");
    // A ticket that is spent goes on with nothing, and what was completed stays.
    assert!(resume(store, &name, &ticket, &content).await.is_none());
    forget(store, &name, &ticket).await;
    assert_same(&get(store, &name, None).await, &content, "forgotten late");
}

pub(super) async fn parts_of_other_bytes_are_not_kept(store: &dyn Store) {
    let part = begin(store, &name("part")).await.part_size();
    let name = name("changed");
    let content = Bytes::from(pattern(part * SOON + 1));
    let ticket = cut(store, &name, &content).await;
    let mut changed = content.to_vec();
    changed[part + 1] ^= 1;
    let changed = Bytes::from(changed);
    if let Some(upload) = resume(store, &name, &ticket, &changed).await {
        assert!(upload.written() <= part as u64, "a changed part was kept");
        finish(upload, &changed).await;
        assert_same(&get(store, &name, None).await, &changed, "changed");
    }
}

pub(super) async fn forgotten_uploads_are_gone(store: &dyn Store) {
    let part = begin(store, &name("part")).await.part_size();
    let name = name("forgotten");
    let content = Bytes::from(pattern(part * SOON + 1));
    let ticket = cut(store, &name, &content).await;
    for _ in 0..2 {
        forget(store, &name, &ticket).await;
    }
    assert!(resume(store, &name, &ticket, &content).await.is_none());
    assert_absent(store, &name, "it was forgotten").await;
}

async fn forget(store: &dyn Store, name: &ObjectName, ticket: &Ticket) {
    let forgotten = store.forget(name, ticket).await;
    forgotten.unwrap_or_else(|error| broken("forget", &error));
}
