//! A listing: pages to the end, or an error.
//!
//! One request for each thousand objects and none for each. Memory: 56 bytes and its name for each
//! object of ours (the list grows by doubling), and one page, about 1 MiB while it is read: 100,000
//! objects are about 14 MB.
//!
//! `encoding-type=url` is not asked for: s3s echoes it without encoding anything, so a reply that
//! claims it cannot be trusted, and every key that is an [`ObjectName`] stands in XML as it is.

use chrono::{DateTime, Utc};
use reqwest::Method;
use s3::serde_types::{ListBucketResult, Object};

use super::call::Call;
use super::error::Fault;
use super::request::{BucketClient, Reply};
use crate::{ObjectInfo, ObjectName};

/// More pages than any bucket of snapshots has: a server that never ends a listing is an error.
const MAX_PAGES: usize = 10_000;

/// The objects directly under `folder` (empty, or ending in a slash) whose names start with
/// `prefix`, sorted by name.
pub(super) async fn list(
    client: &BucketClient,
    folder: &str,
    prefix: &str,
) -> Result<Vec<ObjectInfo>, Fault> {
    let mut found = Vec::new();
    let mut token: Option<String> = None;
    for _ in 0..MAX_PAGES {
        let page = page(client, format!("{folder}{prefix}"), token.clone()).await?;
        found.extend(
            page.contents
                .iter()
                .filter_map(|object| info(folder, prefix, object)),
        );
        if !page.is_truncated {
            found.sort_by(|a, b| a.name.cmp(&b.name));
            return Ok(found);
        }
        match page.next_continuation_token {
            Some(next) if token.as_ref() != Some(&next) => token = Some(next),
            _ => {
                return Err(Fault::Nonsense(
                    "the listing says that more follows but not from where".into(),
                ));
            }
        }
    }
    Err(Fault::Nonsense(format!(
        "the listing does not end after {MAX_PAGES} pages"
    )))
}

/// Asks for one key at most: enough to prove that bucket, keys and rights are right.
pub(super) async fn probe(client: &BucketClient, folder: &str) -> Result<Reply, Fault> {
    let reply = ask(client, folder.to_owned(), None, Some(1)).await?;
    model(&reply)?;
    Ok(reply)
}

/// One page of everything whose key begins with `prefix`.
pub(super) async fn page(
    client: &BucketClient,
    prefix: String,
    token: Option<String>,
) -> Result<ListBucketResult, Fault> {
    model(&ask(client, prefix, token, None).await?)
}

async fn ask(
    client: &BucketClient,
    prefix: String,
    token: Option<String>,
    max_keys: Option<usize>,
) -> Result<Reply, Fault> {
    let mut call = Call::new(Method::GET, "")
        .query("list-type", "2")
        .query("delimiter", "/")
        .query("prefix", prefix);
    if let Some(token) = token {
        call = call.query("continuation-token", token);
    }
    if let Some(max_keys) = max_keys {
        call = call.query("max-keys", max_keys.to_string());
    }
    client.call(&call).await.map_err(Fault::of_a_listing)
}

fn model(reply: &Reply) -> Result<ListBucketResult, Fault> {
    reply.model("listing of a bucket")
}

/// Keys that are no names are not ours: the folder's own empty object, and what others put there.
fn info(folder: &str, prefix: &str, object: &Object) -> Option<ObjectInfo> {
    let name = object.key.strip_prefix(folder)?;
    if !name.starts_with(prefix) {
        return None;
    }
    Some(ObjectInfo {
        name: ObjectName::new(name).ok()?,
        size: object.size,
        modified: DateTime::parse_from_rfc3339(&object.last_modified)
            .ok()
            .map(|time| time.with_timezone(&Utc)),
    })
}
