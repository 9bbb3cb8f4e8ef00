//! What S3 tells of uploads that are not completed, where s3s-fs does not.
//!
//! s3s-fs lists parts without their `ETag`, lists no uploads, and says of an upload that is gone
//! that access to it is denied. Its answers are replaced by those that S3 would give; it is asked
//! all the same, for it checks the signature.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use chrono::{DateTime, SecondsFormat, Utc};
use http::{Method, Request, Response, StatusCode};
use s3s::Body;
use s3s::service::S3Service;

use crate::s3_server;

/// Answers one request by `service`, an s3s-fs over `dir`.
pub(crate) async fn carry_out(
    service: S3Service,
    dir: PathBuf,
    request: Request<Body>,
) -> io::Result<Response<Body>> {
    let method = request.method().clone();
    let path = request.uri().path().trim_matches('/').to_owned();
    let query = request.uri().query().unwrap_or_default().to_owned();
    let upload = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("uploadId="));
    let reply = s3_server::carry_out(service, request).await?;
    match (upload, reply.status()) {
        (Some(id), StatusCode::OK | StatusCode::FORBIDDEN) if !state(&dir, id).exists() => {
            // The completion that made it go is told as it was.
            if method == Method::POST && reply.status() == StatusCode::OK {
                return Ok(reply);
            }
            Ok(gone())
        }
        (Some(id), StatusCode::OK) if method == Method::GET => Ok(page(parts(&dir, id)?)),
        (None, StatusCode::NOT_IMPLEMENTED)
            if method == Method::GET && query.starts_with("uploads") =>
        {
            Ok(page(uploads(&dir, &path)?))
        }
        _ => Ok(reply),
    }
}

fn parts(dir: &Path, id: &str) -> io::Result<String> {
    let prefix = format!(".upload_id-{id}.part-");
    let mut parts = Vec::new();
    for (name, path) in files(dir)? {
        let number = name.strip_prefix(&prefix);
        if let Some(number) = number.and_then(|number| number.parse::<u32>().ok()) {
            parts.push((number, path));
        }
    }
    parts.sort();
    let mut xml = String::from("<ListPartsResult><IsTruncated>false</IsTruncated>");
    for (number, path) in parts {
        let bytes = fs::read(&path)?;
        let (size, digest) = (bytes.len(), md5::compute(&bytes));
        let modified = modified(&path)?;
        write!(
            xml,
            "<Part><PartNumber>{number}</PartNumber><LastModified>{modified}</LastModified>\
             <ETag>&quot;{digest:x}&quot;</ETag><Size>{size}</Size></Part>"
        )
        .map_err(io::Error::other)?;
    }
    Ok(xml + "</ListPartsResult>")
}

/// s3s-fs keeps what an object will be in a file that is named by bucket, key and upload.
fn uploads(dir: &Path, bucket: &str) -> io::Result<String> {
    let prefix = format!(".bucket-{}.object-", BASE64_URL_SAFE_NO_PAD.encode(bucket));
    let mut xml = String::from("<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>");
    for (name, _) in files(dir)? {
        let Some((key, id)) = name
            .strip_prefix(&prefix)
            .and_then(|rest| rest.strip_suffix(".metadata.json"))
            .and_then(|rest| rest.split_once(".upload-"))
        else {
            continue;
        };
        let key = BASE64_URL_SAFE_NO_PAD
            .decode(key)
            .map_err(io::Error::other)?;
        let key = String::from_utf8_lossy(&key).replace('&', "&amp;");
        let begun = modified(&state(dir, id))?;
        write!(
            xml,
            "<Upload><Key>{key}</Key><UploadId>{id}</UploadId><Initiated>{begun}</Initiated>\
             </Upload>"
        )
        .map_err(io::Error::other)?;
    }
    Ok(xml + "</ListMultipartUploadsResult>")
}

/// The file that is there as long as the upload is.
fn state(dir: &Path, id: &str) -> PathBuf {
    dir.join(format!(".upload-{id}.json"))
}

fn files(dir: &Path) -> io::Result<impl Iterator<Item = (String, PathBuf)>> {
    Ok(fs::read_dir(dir)?.filter_map(|entry| {
        let entry = entry.ok()?;
        Some((entry.file_name().into_string().ok()?, entry.path()))
    }))
}

fn modified(path: &Path) -> io::Result<String> {
    let time: SystemTime = fs::metadata(path)?.modified()?;
    let time = DateTime::<Utc>::from(time);
    Ok(time.to_rfc3339_opts(SecondsFormat::Millis, true))
}

fn page(xml: String) -> Response<Body> {
    Response::new(Body::from(xml))
}

fn gone() -> Response<Body> {
    let mut reply = page("<Error><Code>NoSuchUpload</Code></Error>".to_owned());
    *reply.status_mut() = StatusCode::NOT_FOUND;
    reply
}
