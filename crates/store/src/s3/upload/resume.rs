//! Going on with an upload that an earlier run began.
//!
//! The server lists the parts that it has. The first of them are kept as long as each is whole and
//! has the same bytes as what is to be uploaded now, told by its SHA-256 where the server keeps
//! it, else by the MD5 that a plain `ETag` is. A server that tells neither gives nothing to go on
//! with. Reading the bytes again costs the disk what they would cost the line, and the line is the
//! slower of the two.

use std::io;
use std::sync::Arc;

use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::parts::{Part, Parts};
use super::plan::{MAX_PARTS, Plan};
use super::ticket::Begun;
use super::{S3Upload, State};
use crate::s3::pending::{self, StoredPart};
use crate::s3::sign::Digest;
use crate::s3::target::Target;
use crate::{ErrorKind, ReadBack, StoreError, Ticket, mapped};

/// As [`Store::resume`](crate::Store::resume).
pub(in crate::s3) async fn resume(
    target: Target,
    ticket: &Ticket,
    content: Arc<dyn ReadBack>,
) -> Result<Option<S3Upload>, StoreError> {
    let Some((begun, mark)) = Begun::read(ticket).and_then(|begun| {
        let mark = begun.mark()?;
        Some((begun, mark))
    }) else {
        return Ok(None);
    };
    let listed = pending::parts(&target.client, &target.key, &begun.upload_id).await;
    let stored = match listed {
        Ok(stored) => stored,
        Err(fault) if pending::is_gone(&fault) => return Ok(None),
        Err(fault) if pending::is_no_answer(&fault) => Vec::new(),
        Err(fault) => return Err(target.tell("resume", fault)),
    };
    let part_size = begun.part_size;
    let kept = tokio::task::spawn_blocking(move || kept(&stored, part_size, &*content));
    let kept = match kept.await {
        Ok(kept) => kept.map_err(|cause| StoreError::io("read", "what is uploaded", cause))?,
        Err(cause) => {
            let message = "its task ended early";
            let error = target.error(ErrorKind::Unavailable, "resume", message);
            return Err(error.caused_by(cause));
        }
    };
    if kept.is_empty() {
        drop_upload(&target, &begun).await?;
        return Ok(None);
    }
    let plan = Plan::of_parts(target.client.tuning(), part_size);
    Ok(Some(S3Upload {
        mark,
        terms: begun.terms(),
        plan,
        held: bytes::BytesMut::new(),
        size: kept.len() as u64 * part_size as u64,
        state: State::Parts(Parts::after(target.clone(), begun, plan, kept)),
        target,
    }))
}

/// As [`Store::forget`](crate::Store::forget).
pub(in crate::s3) async fn forget(target: &Target, ticket: &Ticket) -> Result<(), StoreError> {
    match Begun::read(ticket) {
        Some(begun) => drop_upload(target, &begun).await,
        None => Ok(()),
    }
}

async fn drop_upload(target: &Target, begun: &Begun) -> Result<(), StoreError> {
    pending::abort(&target.client, &target.key, &begun.upload_id)
        .await
        .map_err(|fault| target.tell("abort", fault))
}

/// The leading run of parts that equal the same bytes of `content`. The last bytes, fewer than a
/// part, are always sent again: nothing may follow a short part.
fn kept(stored: &[StoredPart], part_size: usize, content: &dyn ReadBack) -> io::Result<Vec<Part>> {
    let size = content.size()?;
    let step = part_size as u64;
    let mut bytes = Vec::new();
    let mut kept: Vec<Part> = Vec::new();
    for (part, number) in stored.iter().zip(1..=MAX_PARTS) {
        let begin = u64::from(number - 1) * step;
        if part.number != number || part.size != step || begin + step > size {
            break;
        }
        if bytes.is_empty() {
            bytes = mapped::zeros(part_size);
        }
        content.read_at(begin, &mut bytes)?;
        let digest = Digest::of(&bytes);
        if !equals(part, digest, &bytes) {
            break;
        }
        kept.push(Part {
            number,
            etag: part.etag.clone(),
            digest,
        });
    }
    Ok(kept)
}

/// Whether a part holds these bytes, by the best that is told of it.
fn equals(part: &StoredPart, digest: Digest, bytes: &[u8]) -> bool {
    if part.etag.is_empty() {
        return false;
    }
    match part.checksum.as_deref() {
        Some(checksum) if !checksum.is_empty() => {
            checksum == BASE64_STANDARD.encode(digest.as_bytes())
        }
        _ => {
            let etag = part.etag.trim_matches('"');
            etag.eq_ignore_ascii_case(&format!("{:x}", md5::compute(bytes)))
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    const PART: usize = 10;

    fn stored(number: u32, bytes: &[u8], sum: &str) -> StoredPart {
        let (etag, checksum) = match sum {
            "sha256" => (
                "opaque".to_owned(),
                BASE64_STANDARD.encode(Digest::of(bytes).as_bytes()),
            ),
            "md5" => (format!("\"{:X}\"", md5::compute(bytes)), String::new()),
            _ => (String::new(), String::new()),
        };
        let size = bytes.len();
        let xml = format!(
            "<Part><PartNumber>{number}</PartNumber><Size>{size}</Size><ETag>{etag}</ETag>\
             <ChecksumSHA256>{checksum}</ChecksumSHA256></Part>"
        );
        quick_xml::de::from_str(&xml).unwrap()
    }

    fn kept_of(stored: &[StoredPart]) -> usize {
        let content = Bytes::from_static(b"0123456789abcdefghijABCDEFGHIJ...");
        kept(stored, PART, &content).unwrap().len()
    }

    #[test]
    fn whole_parts_with_the_same_bytes_are_kept_up_to_the_first_that_differs() {
        for sum in ["sha256", "md5"] {
            let (one, two, three) = (
                stored(1, b"0123456789", sum),
                stored(2, b"abcdefghij", sum),
                stored(3, b"ABCDEFGHIJ", sum),
            );
            let parts = [one.clone(), two.clone(), three.clone()];
            assert_eq!(kept_of(&parts), 3, "all are there, {sum}");
            assert_eq!(kept_of(&[one.clone(), three.clone()]), 1, "a gap, {sum}");
            assert_eq!(kept_of(&[two.clone(), three.clone()]), 0, "no first, {sum}");
            let other = stored(2, b"abcdefghiX", sum);
            assert_eq!(kept_of(&[one.clone(), other, three]), 1, "changed, {sum}");
            let short = stored(2, b"abcde", sum);
            assert_eq!(kept_of(&[one, short]), 1, "a short one, {sum}");
        }
    }

    #[test]
    fn parts_of_which_nothing_is_told_are_not_kept() {
        assert_eq!(kept_of(&[stored(1, b"0123456789", "nothing")]), 0);
    }

    #[test]
    fn what_reaches_past_the_content_is_not_kept() {
        let parts = [
            stored(1, b"0123456789", "md5"),
            stored(2, b"abcdefghij", "md5"),
            stored(3, b"ABCDEFGHIJ", "md5"),
            stored(4, b"...XXXXXXX", "md5"),
        ];
        assert_eq!(kept_of(&parts), 3);
    }
}
