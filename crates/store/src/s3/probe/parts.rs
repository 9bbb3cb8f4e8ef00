//! What is tried of an object in parts: begun, found again, completed, and not completed over
//! another.

use bytes::Bytes;
use quick_xml::escape::partial_escape;
use reqwest::Method;
use reqwest::header::{ETAG, HeaderName, HeaderValue};
use s3::serde_types::InitiateMultipartUploadResponse;

use super::object::{Sample, if_new};
use super::{OF_PARTS, Told, held, weak};
use crate::Outcome;
use crate::s3::call::Call;
use crate::s3::error::Fault;
use crate::s3::pending;
use crate::s3::request::Reply;

/// The only part, which may be smaller than 5 MiB because it is the last.
const PART: &[u8] = b"rollsnap tries an upload in parts out; this object may be deleted\n";

const ALGORITHM: HeaderName = HeaderName::from_static("x-amz-checksum-algorithm");

/// An upload that has its only part.
struct Begun {
    id: String,
    /// The body of its completion.
    list: String,
}

/// Begins two uploads of one name, and completes the second on a condition that does not hold.
pub(super) async fn try_out(sample: &Sample<'_>, told: &mut Told) {
    let begun = match begin(sample).await {
        Ok(begun) => begun,
        Err(outcome) => {
            told.add("multipart upload", outcome);
            told.all_untried(&OF_PARTS[1..], "no upload could be begun");
            return;
        }
    };
    let (pending, resumption) = (
        pending_uploads(sample, &begun).await,
        resumption(sample, &begun).await,
    );
    let completed = sample.ask(&completion(sample, &begun)).await;
    let outcome = match completed {
        Ok(_) => held("begun, filled and completed"),
        Err(fault) => {
            abort(sample, &begun).await;
            sample.failed("complete", fault)
        }
    };
    let is_there = told.add("multipart upload", outcome);
    told.add("pending uploads", pending);
    told.add("resumption", resumption);
    if is_there {
        told.add(
            "conditional completion",
            conditional_completion(sample).await,
        );
    } else {
        told.untried("conditional completion", "no upload could be completed");
    }
}

/// Begins an upload and sends its part. Where that fails, nothing of it stays.
async fn begin(sample: &Sample<'_>) -> Result<Begun, Outcome> {
    let create = sample
        .call(Method::POST)
        .query("uploads", "")
        .header(ALGORITHM, HeaderValue::from_static("SHA256"));
    let id = sample
        .ask(&create)
        .await
        .and_then(|reply| reply.model::<InitiateMultipartUploadResponse>("beginning of an upload"))
        .map_err(|fault| sample.failed("begin an upload of", fault))?
        .upload_id;
    let part = sample
        .call(Method::PUT)
        .query("partNumber", "1")
        .query("uploadId", &id)
        .body(Bytes::from_static(PART))
        .checked();
    let checksum = part.checksum();
    match sample.ask(&part).await.and_then(|reply| etag(&reply)) {
        Ok(etag) => Ok(Begun {
            list: format!(
                "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{}</ETag>\
                 <ChecksumSHA256>{checksum}</ChecksumSHA256></Part></CompleteMultipartUpload>",
                partial_escape(&*etag)
            ),
            id,
        }),
        Err(fault) => {
            let _ = pending::abort(sample.client(), &sample.key, &id).await;
            Err(sample.failed("put a part of", fault))
        }
    }
}

fn etag(reply: &Reply) -> Result<String, Fault> {
    let etag = reply.header(ETAG).filter(|etag| !etag.is_empty());
    let missing = || Fault::Nonsense("the reply to a part has no ETag".into());
    Ok(etag.ok_or_else(missing)?.to_owned())
}

fn completion<'a>(sample: &'a Sample<'_>, begun: &Begun) -> Call<'a> {
    sample
        .call(Method::POST)
        .query("uploadId", &begun.id)
        .body(begun.list.clone().into())
}

async fn abort(sample: &Sample<'_>, begun: &Begun) {
    let _ = pending::abort(sample.client(), &sample.key, &begun.id).await;
}

async fn pending_uploads(sample: &Sample<'_>, begun: &Begun) -> Outcome {
    match pending::is_listed(sample.client(), &sample.key, &begun.id).await {
        Ok(true) => held("what was left behind can be found"),
        Err(fault) if fault.has_status(403) => sample.failed("list the uploads of", fault),
        Ok(_) | Err(_) => weak(
            "the server lists no uploads: those that a lost machine left behind stay and are paid",
            "give the bucket a lifecycle rule that ends incomplete uploads after some days",
        ),
    }
}

async fn resumption(sample: &Sample<'_>, begun: &Begun) -> Outcome {
    match pending::parts(sample.client(), &sample.key, &begun.id).await {
        Ok(parts) if parts.iter().any(|part| part.number == 1) => {
            held("an upload that was cut can be gone on with")
        }
        Err(fault) if fault.has_status(403) => sample.failed("list the parts of", fault),
        Ok(_) | Err(_) => weak(
            "the server lists no parts: an upload that a restart cut begins anew",
            "nothing is to be done, large snapshots only take longer after a restart",
        ),
    }
}

async fn conditional_completion(sample: &Sample<'_>) -> Outcome {
    let begun = match begin(sample).await {
        Ok(begun) => begun,
        Err(outcome) => return outcome,
    };
    let fault = match sample.ask(&if_new(completion(sample, &begun))).await {
        Ok(_) => None,
        Err(fault) => {
            abort(sample, &begun).await;
            Some(fault)
        }
    };
    match fault {
        Some(fault) if fault.is_failed_condition() => held("a name that is taken stays as it is"),
        Some(fault) if !fault.is_unknown_there() => sample.failed("complete if new", fault),
        _ => weak(
            "the server completes an upload over an object of the same name",
            "give each cluster a folder of its own; what was overwritten is found by its digest",
        ),
    }
}
