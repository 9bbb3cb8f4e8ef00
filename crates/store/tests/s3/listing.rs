//! A folder of a hundred thousand objects.

use std::io;

use rollsnap_store::ObjectInfo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

use super::*;

const OBJECTS: usize = 100_000;
/// Most keys of one reply (`ListObjectsV2`, Amazon S3 API reference).
const PAGE: usize = 1000;

/// The objects that follow `token`, the number of the first of them: a page of them.
fn page(token: usize) -> String {
    use std::fmt::Write as _;
    let next = (token + PAGE).min(OBJECTS);
    let mut xml = String::from("<ListBucketResult><Name>snapshots</Name><Prefix></Prefix>");
    for number in token..next {
        let _ = write!(
            xml,
            "<Contents><Key>clusters/east/2026-05-01T12:00:00Z_etcd-{number:06}</Key>\
             <LastModified>2026-05-01T12:00:00.000Z</LastModified><ETag>\"x\"</ETag>\
             <Size>{number}</Size><StorageClass>STANDARD</StorageClass></Contents>"
        );
    }
    let truncated = next < OBJECTS;
    let _ = write!(
        xml,
        "<MaxKeys>{PAGE}</MaxKeys><IsTruncated>{truncated}</IsTruncated>\
         <NextContinuationToken>{next}</NextContinuationToken></ListBucketResult>"
    );
    xml
}

/// Answers whatever comes with the page that it asks for, and counts.
async fn serve(mut line: TcpStream, asked: &mut usize) -> io::Result<()> {
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if line.read_buf(&mut head).await? == 0 {
                return Ok(());
            }
        }
        *asked += 1;
        let head = String::from_utf8_lossy(&head);
        assert!(head.starts_with("GET /snapshots/?list-type=2"), "{head}");
        let token = head
            .split_once("continuation-token=")
            .map_or("0", |(_, rest)| {
                rest.split(['&', ' ']).next().unwrap_or_default()
            });
        let body = page(token.parse().map_err(io::Error::other)?);
        let length = body.len();
        let reply = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}");
        line.write_all(reply.as_bytes()).await?;
    }
}

#[tokio::test]
async fn a_hundred_thousand_objects_are_listed_by_one_request_for_each_thousand() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (told, mut asked) = tokio::sync::watch::channel(0);
    let _serving = AbortOnDropHandle::new(tokio::spawn(async move {
        let mut count = 0;
        while let Ok((line, _)) = listener.accept().await {
            serve(line, &mut count).await.unwrap();
            told.send_replace(count);
        }
    }));
    let mut config = config(format!("http://{address}"));
    config.region = Some("us-east-1".into());
    let store = S3Store::open(&config).unwrap();
    let listed = store.list("").await.unwrap();
    drop(store);
    let requests = *asked.wait_for(|count| *count > 0).await.unwrap();
    assert_eq!(requests, OBJECTS / PAGE);
    assert_eq!(listed.len(), OBJECTS);
    assert!(listed.is_sorted_by(|a, b| a.name < b.name));
    let last = listed.last().unwrap();
    assert_eq!(last.size, OBJECTS as u64 - 1);
    assert!(last.modified.is_some());
    // With the name itself, what a listing costs for each object (docs of `list`).
    assert!(size_of::<ObjectInfo>() <= 56, "{}", size_of::<ObjectInfo>());
}
