//! What [`SpoolStore`] promises beyond that.

use super::{assert_absent, assert_same, broken, get, name, pattern, put, write};
use crate::{ErrorKind, ObjectName, Spool, SpoolStore, Terms};

pub(super) async fn tails_see_what_is_written(store: &dyn SpoolStore) {
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

pub(super) async fn spools_are_read_back(store: &dyn SpoolStore) {
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

pub(super) async fn objects_are_read_at_any_place(store: &dyn SpoolStore) {
    let name = name("opened");
    match store.open(&name).await.map(drop) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        other => panic!("an absent object is opened: {other:?}"),
    }
    let content = pattern(5000);
    put(store, &name, &content, 1000).await;
    let reader = store
        .open(&name)
        .await
        .unwrap_or_else(|error| broken("open", &error));
    store
        .delete(&name)
        .await
        .unwrap_or_else(|error| broken("delete", &error));
    match reader.size() {
        Ok(told) => assert_eq!(told, 5000, "size of what was opened"),
        Err(error) => broken("size", &error),
    }
    for range in [0..1, 0..5000, 4950..5000, 5000..5000] {
        let mut bytes = vec![0; range.len()];
        if let Err(error) = reader.read_at(range.start as u64, &mut bytes) {
            broken("read of what was opened", &error);
        }
        assert_same(&bytes, &content[range], "opened, its name gone");
    }
    match reader.read_at(4999, &mut [0; 2]) {
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {}
        other => panic!("a read past the end is no UnexpectedEof: {other:?}"),
    }
}

pub(super) async fn taken_names_are_refused(store: &dyn SpoolStore) {
    let name = name("taken");
    let mut late = spool(store, &name).await;
    write(&mut *late, b"the second", 10).await;
    put(store, &name, b"the first", 9).await;
    match late.commit().await {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        other => panic!("a commit to a taken name is no AlreadyExists: {other:?}"),
    }
    match store.spool(&name, Terms::default()).await.map(drop) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        other => panic!("a spool of a taken name is no AlreadyExists: {other:?}"),
    }
    assert_same(&get(store, &name, None).await, b"the first", "taken");
}

pub(super) async fn spools_replace_where_they_are_told_to(store: &dyn SpoolStore) {
    let name = name("replaced");
    put(store, &name, b"the first", 9).await;
    let replacing = || async {
        let terms = Terms {
            replaces: true,
            ..Terms::new_of(10)
        };
        let spool = store.spool(&name, terms).await;
        let mut spool = spool.unwrap_or_else(|error| broken("spool", &error));
        write(&mut *spool, b"the second", 3).await;
        spool
    };
    drop(replacing().await);
    assert_same(&get(store, &name, None).await, b"the first", "given up");
    let spool = replacing().await;
    let info = spool.commit().await;
    let info = info.unwrap_or_else(|error| broken("commit", &error));
    assert_eq!(info.size, 10);
    assert_same(&get(store, &name, None).await, b"the second", "replaced");
}

pub(super) async fn given_up_spools_leave_nothing(store: &dyn SpoolStore) {
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

async fn spool(store: &dyn SpoolStore, name: &ObjectName) -> Box<dyn Spool> {
    store
        .spool(name, Terms::new_of(1))
        .await
        .unwrap_or_else(|error| broken("spool", &error))
}
