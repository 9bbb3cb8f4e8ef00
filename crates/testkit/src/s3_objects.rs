//! Objects in large pieces, where s3s-fs reads 4 KiB at a time.
//!
//! At that size the server takes three times the processors of the client that it is to measure,
//! on the same machine. s3s-fs is asked all the same: it checks the signature, the range and the
//! conditions, and its body, of which nothing was read, is left.

use std::io::{self, SeekFrom};
use std::path::{Path, PathBuf};

use futures_util::TryStreamExt as _;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::StreamBody;
use hyper::body::{Frame, Incoming};
use s3s::Body;
use s3s::service::S3Service;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio::net::TcpListener;
use tokio_util::io::ReaderStream;

use crate::s3_server;

const PIECE: usize = 256 << 10;

/// Serves every connection by `service`, an s3s-fs over `dir`, until dropped.
pub async fn serve(listener: TcpListener, service: S3Service, dir: PathBuf) {
    let answer = move |request: Request<Incoming>| {
        let (service, dir) = (service.clone(), dir.clone());
        async move {
            let is_get = request.method() == Method::GET;
            let object = dir.join(request.uri().path().trim_matches('/'));
            let reply = s3_server::carry_out(service, request.map(Body::from)).await?;
            let is_object = matches!(reply.status(), StatusCode::OK | StatusCode::PARTIAL_CONTENT)
                && is_get
                && object.is_file();
            if is_object {
                in_pieces(reply, &object).await
            } else {
                Ok(reply)
            }
        }
    };
    s3_server::listen(listener, answer).await;
}

async fn in_pieces(reply: Response<Body>, object: &Path) -> io::Result<Response<Body>> {
    let (head, _) = reply.into_parts();
    let mut file = File::open(object).await?;
    file.seek(SeekFrom::Start(first(&head.headers))).await?;
    let length = text(&head.headers, CONTENT_LENGTH.as_str()).and_then(|text| text.parse().ok());
    let bytes = file.take(length.unwrap_or(u64::MAX));
    let pieces = ReaderStream::with_capacity(bytes, PIECE).map_ok(Frame::data);
    let body = Body::http_body_unsync(StreamBody::new(pieces));
    Ok(Response::from_parts(head, body))
}

/// The first byte that is sent: `Content-Range: bytes FIRST-LAST/SIZE`.
fn first(headers: &HeaderMap) -> u64 {
    let first = text(headers, CONTENT_RANGE.as_str())
        .and_then(|text| text.strip_prefix("bytes "))
        .and_then(|text| text.split_once('-'));
    first.map_or(0, |(first, _)| first.parse().unwrap_or(0))
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}
