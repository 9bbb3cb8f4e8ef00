//! Uploads that are not completed: what the server has of them, and their end.
//!
//! `ListParts`, `ListMultipartUploads` and `AbortMultipartUpload`, Amazon S3 API reference. Not
//! every server knows the lists, and the models of rust-s3 want more than some tell, so that the
//! few fields that matter are read here.

use chrono::{DateTime, Utc};
use reqwest::Method;
use serde::Deserialize;

use super::call::Call;
use super::error::Fault;
use super::request::BucketClient;
use crate::ObjectName;

/// More pages than there can be parts in ten thousand, or uploads anybody left behind.
const MAX_PAGES: usize = 1_000;

/// A part that the server has.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct StoredPart {
    #[serde(rename = "PartNumber")]
    pub(super) number: u32,
    #[serde(default)]
    pub(super) size: u64,
    #[serde(rename = "ETag", default)]
    pub(super) etag: String,
    /// In base64, where the upload was begun with it and the server keeps it.
    #[serde(rename = "ChecksumSHA256", default)]
    pub(super) checksum: Option<String>,
    #[serde(default)]
    last_modified: String,
}

/// An upload that the server has.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PendingUpload {
    key: String,
    #[serde(rename = "UploadId")]
    id: String,
    #[serde(default)]
    initiated: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PartsPage {
    #[serde(default)]
    is_truncated: bool,
    next_part_number_marker: Option<String>,
    #[serde(rename = "Part", default)]
    parts: Vec<StoredPart>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UploadsPage {
    #[serde(default)]
    is_truncated: bool,
    next_key_marker: Option<String>,
    next_upload_id_marker: Option<String>,
    #[serde(rename = "Upload", default)]
    uploads: Vec<PendingUpload>,
}

impl PendingUpload {
    /// Whether it was begun before `before`, and its newest part came before too.
    async fn is_stale(&self, client: &BucketClient, before: DateTime<Utc>) -> Result<bool, Fault> {
        let is_before = |text: &str| time(text).is_some_and(|time| time < before);
        if !is_before(&self.initiated) {
            return Ok(false);
        }
        match parts(client, &self.key, &self.id).await {
            Ok(parts) => Ok(parts.iter().all(|part| is_before(&part.last_modified))),
            Err(fault) if is_gone(&fault) || is_no_answer(&fault) => Ok(false),
            Err(fault) => Err(fault),
        }
    }
}

/// Every part of an upload, by number.
pub(super) async fn parts(
    client: &BucketClient,
    key: &str,
    id: &str,
) -> Result<Vec<StoredPart>, Fault> {
    let mut found = Vec::new();
    let mut marker: Option<String> = None;
    for _ in 0..MAX_PAGES {
        let mut call = Call::new(Method::GET, key).query("uploadId", id);
        if let Some(marker) = &marker {
            call = call.query("part-number-marker", marker);
        }
        let page: PartsPage = client.call(&call).await?.model("list of parts")?;
        found.extend(page.parts);
        if !page.is_truncated {
            found.sort_by_key(|part: &StoredPart| part.number);
            return Ok(found);
        }
        marker = further(page.next_part_number_marker, marker.as_ref())?;
    }
    Err(endless())
}

/// Every upload whose key begins with `prefix`.
async fn uploads(client: &BucketClient, prefix: &str) -> Result<Vec<PendingUpload>, Fault> {
    let mut found = Vec::new();
    let mut marker: Option<(String, Option<String>)> = None;
    for _ in 0..MAX_PAGES {
        let mut call = Call::new(Method::GET, "")
            .query("uploads", "")
            .query("prefix", prefix);
        if let Some((key, id)) = &marker {
            call = call.query("key-marker", key);
            if let Some(id) = id {
                call = call.query("upload-id-marker", id);
            }
        }
        let page: UploadsPage = client.call(&call).await?.model("list of uploads")?;
        found.extend(page.uploads);
        if !page.is_truncated {
            found.retain(|upload: &PendingUpload| upload.key.starts_with(prefix));
            return Ok(found);
        }
        let next = page
            .next_key_marker
            .map(|key| (key, page.next_upload_id_marker));
        marker = further(next, marker.as_ref())?;
    }
    Err(endless())
}

/// Whether the server lists this upload.
pub(super) async fn is_listed(client: &BucketClient, key: &str, id: &str) -> Result<bool, Fault> {
    let found = uploads(client, key).await?;
    Ok(found.iter().any(|upload| upload.id == id))
}

/// Frees what the server holds of an upload; one that is gone is a success.
///
/// Twice: a part that was on the wire already may land after the first request. What the second
/// one is told does not matter, for servers have many words for an upload that is gone.
pub(super) async fn abort(client: &BucketClient, key: &str, id: &str) -> Result<(), Fault> {
    let call = Call::new(Method::DELETE, key).query("uploadId", id);
    match client.call(&call).await {
        Ok(_) => {
            let _ = client.call(&call).await;
            Ok(())
        }
        Err(fault) if is_gone(&fault) => Ok(()),
        Err(fault) => Err(fault),
    }
}

/// Ends every upload directly under `folder` (empty, or ending in a slash) whose name is `ours` and
/// to which nothing was added since `before`, by the server's clock. Returns their names, each once.
///
/// A server that does not list uploads, or not to us, has none; one that does not list parts keeps
/// its uploads, for they may be growing.
pub(super) async fn sweep(
    client: &BucketClient,
    folder: &str,
    ours: &(dyn for<'a> Fn(&'a ObjectName) -> bool + Send + Sync),
    before: DateTime<Utc>,
) -> Result<Vec<ObjectName>, Fault> {
    let pending = match uploads(client, folder).await {
        Ok(pending) => pending,
        Err(fault) if is_no_answer(&fault) => return Ok(Vec::new()),
        Err(fault) => return Err(fault),
    };
    let mut swept = Vec::new();
    for upload in pending {
        let name = upload.key.strip_prefix(folder).map(ObjectName::new);
        let Some(Ok(name)) = name else { continue };
        if ours(&name) && upload.is_stale(client, before).await? {
            abort(client, &upload.key, &upload.id).await?;
            swept.push(name);
        }
    }
    swept.sort();
    swept.dedup();
    Ok(swept)
}

/// Whether the server says that it has no such upload.
pub(super) fn is_gone(fault: &Fault) -> bool {
    fault.has_code("NoSuchUpload") || fault.has_status(404)
}

/// Whether the server knows no such list, or has none for us. Another try would be told the same.
pub(super) fn is_no_answer(fault: &Fault) -> bool {
    matches!(fault, Fault::Nonsense(_)) || !fault.is_transient()
}

/// From where the next page begins. One that begins where the last one did would never end.
fn further<T: PartialEq>(next: Option<T>, last: Option<&T>) -> Result<Option<T>, Fault> {
    if next.is_none() || next.as_ref() == last {
        let text = "the list says that more follows but not from where";
        return Err(Fault::Nonsense(text.into()));
    }
    Ok(next)
}

fn endless() -> Fault {
    Fault::Nonsense(format!("the list does not end after {MAX_PAGES} pages"))
}

fn time(text: &str) -> Option<DateTime<Utc>> {
    let time = DateTime::parse_from_rfc3339(text).ok()?;
    Some(time.with_timezone(&Utc))
}
