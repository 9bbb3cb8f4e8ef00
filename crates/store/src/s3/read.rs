//! One object's bytes, as they come, and proof that none is missing.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};
use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, HeaderMap, HeaderValue, RANGE};
use reqwest::{Method, Response};

use super::error::Fault;
use super::request::{BucketClient, Call};
use crate::{BoxRead, ErrorKind, StoreError};

/// Opens `key`, whole or the bytes of `range`. `object` is how messages call it; `listed` is the
/// size that it must still have, where the reply to a range tells it.
pub(super) async fn read(
    client: Arc<BucketClient>,
    key: &str,
    object: String,
    range: Option<Range<u64>>,
    listed: Option<u64>,
) -> Result<BoxRead, StoreError> {
    let outside = || {
        let text = "the range asked for is not inside the object";
        StoreError::at(ErrorKind::Corrupt, "read", &object, text)
    };
    let get = Call::new(Method::GET, key);
    let call = match &range {
        None => get,
        Some(range) if range.end > range.start => {
            let text = format!("bytes={}-{}", range.start, range.end - 1);
            let value = HeaderValue::try_from(text).expect("digits are a header value");
            get.header(RANGE, value)
        }
        // HTTP cannot ask for nothing; whether nothing lies inside the object, HEAD tells.
        Some(range) => {
            let head = client
                .call(&Call::new(Method::HEAD, key))
                .await
                .map_err(|fault| client.tell("read", &object, fault))?;
            return match length(&head.headers) {
                Some(size) if range.start == range.end && range.start <= size => {
                    Ok(stream::empty().boxed())
                }
                _ => Err(outside()),
            };
        }
    };
    let response = match client.open(&call).await {
        Ok(response) => response,
        Err(fault) if fault.has_status(416) => return Err(outside()),
        Err(fault) => return Err(client.tell("read", &object, fault)),
    };
    let expected = match &range {
        None => length(response.headers()),
        Some(range) => match answered(response.headers()) {
            Some((_, Some(size))) if listed.is_some_and(|listed| listed != size) => {
                let text = format!("it has {size} bytes by now, it had {}", listed.unwrap_or(0));
                let error = StoreError::at(ErrorKind::Corrupt, "read", &object, text);
                return Err(error.with_hint("it was exchanged while it was read: read it again"));
            }
            Some((part, _)) if part == *range => Some(range.end - range.start),
            // A shorter part: the range reaches past the end.
            Some((part, _)) if part.start == range.start && part.end < range.end => {
                return Err(outside());
            }
            _ => {
                let fault = Fault::Nonsense("the reply holds other bytes than asked for".into());
                return Err(client.tell("read", &object, fault));
            }
        },
    };
    let body = Body {
        client,
        response,
        object,
        expected,
        taken: 0,
    };
    Ok(stream::try_unfold(body, Body::next).boxed())
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The part and, where it is told, the size of the whole: `bytes 0-4/10` (RFC 9110, 14.4). Read
/// instead of the status: rclone answers 200 to a range.
fn answered(headers: &HeaderMap) -> Option<(Range<u64>, Option<u64>)> {
    let text = headers.get(CONTENT_RANGE)?.to_str().ok()?;
    let (first, rest) = text.strip_prefix("bytes ")?.split_once('-')?;
    let (last, whole) = rest.split_once('/')?;
    let part = first.parse().ok()?..last.parse::<u64>().ok()?.checked_add(1)?;
    Some((part, whole.parse().ok()))
}

struct Body {
    client: Arc<BucketClient>,
    response: Response,
    object: String,
    /// Without it (a chunked reply to a whole read) the protocol's own end mark is the proof.
    expected: Option<u64>,
    taken: u64,
}

impl Body {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, StoreError> {
        let next = self
            .client
            .transport()
            .next_chunk(&mut self.response)
            .await
            .map_err(|fault| self.client.tell("read", &self.object, fault.into()))?;
        if let Some(chunk) = next {
            self.taken += chunk.len() as u64;
            if self.expected.is_none_or(|expected| self.taken <= expected) {
                return Ok(Some((chunk, self)));
            }
        } else if self.expected.is_none_or(|expected| self.taken == expected) {
            return Ok(None);
        }
        let message = format!(
            "{} bytes came where {} were told",
            self.taken,
            self.expected.unwrap_or_default()
        );
        Err(StoreError::at(
            ErrorKind::Unavailable,
            "read",
            &self.object,
            message,
        ))
    }
}
