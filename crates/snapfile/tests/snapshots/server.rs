//! A real server goes on with a database that was built, whatever its pages.

use std::fs::{self, File};
use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;

use flate2::{Compression, GzBuilder};
use rollsnap_snapfile::mvcc::hash_kv;
use rollsnap_snapfile::verify;
use rollsnap_testkit::etcd_real::{EtcdReal, EtcdVersion};

use crate::anatomy::Anatomy;
use crate::etcdutl;
use crate::pairs::build;

/// Takes the place of `member/snap/db` by one with the same pairs, on pages of this size.
async fn rebuild(etcd: &mut EtcdReal, page_size: u32) {
    etcd.stop().await;
    let path = etcd.data_dir().join("member/snap/db");
    let buckets = Anatomy::of(&fs::read(&path).unwrap()).buckets();
    let built = build(&buckets, page_size);
    fs::write(&path, &built[..built.len() - 32]).unwrap();
    etcd.restart().await;
}

async fn snapshot(etcd: &EtcdReal) -> Vec<u8> {
    let mut stream = etcd.client().await.snapshot().await.unwrap();
    let mut file = Vec::new();
    while let Some(message) = stream.message().await.unwrap() {
        file.extend_from_slice(message.blob());
    }
    file
}

async fn goes_on(version: EtcdVersion, page_size: u32) {
    let mut etcd = EtcdReal::builder().version(version).start().await;
    for n in 0..200 {
        etcd.put(&format!("before/{:03}", n % 70), vec![b'b'; 50 * n])
            .await;
    }
    let mut client = etcd.client().await;
    let before = client.hash_kv(0).await.unwrap().hash();
    rebuild(&mut etcd, page_size).await;

    let mut client = etcd.client().await;
    assert_eq!(client.hash_kv(0).await.unwrap().hash(), before);
    assert_eq!(client.get("before/069", None).await.unwrap().kvs().len(), 1);
    for n in 0..200 {
        etcd.put(&format!("after/{n:03}"), vec![b'a'; 30 * n]).await;
    }
    client.compact(250, None).await.unwrap();
    client.delete("after/100", None).await.unwrap();
    let file = snapshot(&etcd).await;
    let report = verify(&&file[..], &mut |_| ControlFlow::Continue(())).unwrap();
    assert!(report.is_proved(), "{:?}", report.findings);
    let status = report.status.unwrap();
    assert_eq!(status.page_size, page_size);
    let theirs = etcdutl::status(&file).unwrap();
    assert_eq!(theirs.by_ours(&status), theirs);
    let said = client.hash_kv(0).await.unwrap();
    let ours = hash_kv(&&file[..], None, Some(250)).unwrap();
    assert_eq!(ours.hash, said.hash());

    if page_size == 16384 && std::env::var_os("UPDATE_GOLDENS").is_some() {
        keep(&file, &format!("{}.pages-of-16k", version.number()));
    }
}

/// Keeps a snapshot as `testdata/made/name.*`, with etcd's own answers.
fn keep(file: &[u8], name: &str) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/made");
    let out = File::create(dir.join(format!("{name}.db.gz"))).unwrap();
    let mut gzip = GzBuilder::new().write(out, Compression::best());
    gzip.write_all(file).unwrap();
    gzip.finish().unwrap();
    for (tool, by) in [("etcdutl-3.5", "3.5.1"), ("etcdctl-3.4", "3.4.23")] {
        let said = etcdutl::said(tool, file).unwrap();
        fs::write(dir.join(format!("{name}.status-by-{by}.json")), said).unwrap();
    }
}

#[tokio::test]
async fn etcd_goes_on_with_what_was_built_for_its_own_pages() {
    for version in EtcdVersion::ALL {
        Box::pin(goes_on(version, 4096)).await;
    }
}

/// What hosts with larger pages than this one leave, and smaller ones than any has.
#[tokio::test]
async fn etcd_goes_on_with_pages_of_other_hosts() {
    for version in EtcdVersion::ALL {
        for page_size in [1024, 16384, 65536] {
            Box::pin(goes_on(version, page_size)).await;
        }
    }
}
