//! One object's bytes, as they come, and proof that none is missing.
//!
//! A body that breaks off is gone on with where it stopped, and only if the object still is the
//! one that was begun: bytes of two objects are never mixed.

use std::ops::Range;

use backon::ExponentialBackoff;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};
use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, HeaderMap, HeaderValue, IF_MATCH, RANGE};
use reqwest::{Method, Response};
use tokio::time::sleep;

use super::call::Call;
use super::error::Fault;
use super::identity::Identity;
use super::target::Target;
use crate::{BoxRead, ErrorKind, StoreError};

/// A reply whose body is to be read, and what it told.
pub(super) struct Opened {
    target: Target,
    response: Response,
    pub(super) identity: Identity,
    /// The bytes that the reply holds. Without an end (a chunked reply to a whole read) the
    /// protocol's own end mark is the proof.
    from: u64,
    end: Option<u64>,
}

impl Target {
    /// Asks for the object, whole or the bytes of `range`; `None` where that is to have none.
    pub(super) async fn open(
        self,
        range: Option<Range<u64>>,
    ) -> Result<Option<Opened>, StoreError> {
        let asked = match &range {
            None => None,
            Some(range) if range.start < range.end => Some((range.start, Some(range.end))),
            Some(range) => return self.nothing_at(range).await.map(|()| None),
        };
        let response = match self.client.open(&self.get(asked)).await {
            Ok(response) => response,
            Err(fault) if fault.has_status(416) => return Err(self.outside()),
            Err(fault) => return Err(self.tell("read", fault)),
        };
        let headers = response.headers();
        let (from, end) = match range {
            None => (0, length(headers)),
            Some(range) => match answered(headers) {
                Some(part) if part == range => (range.start, Some(range.end)),
                // A shorter part: the range reaches past the end.
                Some(part) if part.start == range.start && part.end < range.end => {
                    return Err(self.outside());
                }
                _ => return Err(self.other_bytes()),
            },
        };
        Ok(Some(Opened {
            identity: Identity::of(headers),
            target: self,
            response,
            from,
            end,
        }))
    }

    fn get(&self, range: Option<(u64, Option<u64>)>) -> Call<'_> {
        let call = Call::new(Method::GET, &self.key);
        let Some((start, end)) = range else {
            return call;
        };
        let last = end.map(|end| (end - 1).to_string()).unwrap_or_default();
        let value = HeaderValue::try_from(format!("bytes={start}-{last}"));
        call.header(RANGE, value.expect("digits are a header value"))
    }

    /// HTTP cannot ask for nothing; whether nothing lies inside the object, HEAD tells.
    async fn nothing_at(&self, range: &Range<u64>) -> Result<(), StoreError> {
        let head = self.client.call(&Call::new(Method::HEAD, &self.key)).await;
        let head = head.map_err(|fault| self.tell("read", fault))?;
        match length(&head.headers) {
            Some(size) if range.start == range.end && range.start <= size => Ok(()),
            _ => Err(self.outside()),
        }
    }

    fn outside(&self) -> StoreError {
        let text = "the range asked for is not inside the object";
        self.error(ErrorKind::Corrupt, "read", text)
    }

    fn other_bytes(&self) -> StoreError {
        let text = "the reply holds other bytes than asked for";
        self.tell("read", Fault::Nonsense(text.into()))
    }

    /// The error of an object that is another than before.
    fn exchanged(&self, how: impl Into<String>) -> StoreError {
        self.error(ErrorKind::Corrupt, "read", how)
            .with_hint("it was exchanged while it was read: read it again")
    }
}

impl Opened {
    /// The bytes.
    pub(super) fn stream(self) -> BoxRead {
        let body = Body {
            waits: self.target.client.waits(),
            at: self.from,
            opened: self,
        };
        stream::try_unfold(body, Body::next).boxed()
    }

    /// An error of an object that must be as it was listed.
    pub(super) fn exchanged(&self, how: impl Into<String>) -> StoreError {
        self.target.exchanged(how)
    }
}

struct Body {
    opened: Opened,
    /// The place of the next byte.
    at: u64,
    /// The waits that are left until a byte must have come.
    waits: ExponentialBackoff,
}

impl Body {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, StoreError> {
        loop {
            let Opened {
                target,
                response,
                end,
                ..
            } = &mut self.opened;
            let fault = match target.client.transport().next_chunk(response).await {
                Ok(Some(chunk)) => {
                    self.at += chunk.len() as u64;
                    if end.is_none_or(|end| self.at <= end) {
                        self.waits = target.client.waits();
                        return Ok(Some((chunk, self)));
                    }
                    let fault = self.miscounted();
                    return Err(self.opened.target.tell("read", fault));
                }
                Ok(None) if end.is_none_or(|end| self.at == end) => return Ok(None),
                Ok(None) => self.miscounted(),
                Err(fault) => fault.into(),
            };
            self.go_on(fault).await?;
        }
    }

    fn miscounted(&self) -> Fault {
        let from = self.opened.from;
        let (came, told) = (self.at - from, self.opened.end.map(|end| end - from));
        let told = told.unwrap_or_default();
        Fault::Nonsense(format!("{came} bytes came where {told} were told"))
    }

    /// Asks for the rest after a while, if it may still come and can be told from another's.
    async fn go_on(&mut self, fault: Fault) -> Result<(), StoreError> {
        let Opened {
            target,
            response,
            identity,
            end,
            ..
        } = &mut self.opened;
        let wait = self.waits.next().filter(|_| fault.is_transient());
        let Some(wait) = wait.filter(|_| identity.can_be_told()) else {
            return Err(target.tell("read", fault));
        };
        sleep(wait).await;
        let mut call = target.get(Some((self.at, *end)));
        if let Some(etag) = identity.strong_etag() {
            call = call.header(IF_MATCH, etag.clone());
        }
        let rest = match target.client.open(&call).await {
            Ok(rest) => rest,
            Err(fault) if fault.has_status(412) || fault.has_status(416) => {
                return Err(target.exchanged("it is another object by now"));
            }
            Err(fault) => return Err(target.tell("read", fault)),
        };
        // A server that does not know the condition answers all the same.
        if !identity.may_be(&Identity::of(rest.headers())) {
            return Err(target.exchanged("it is another object by now"));
        }
        match answered(rest.headers()) {
            Some(part) if part.start == self.at && end.is_none_or(|end| end == part.end) => {
                *end = Some(part.end);
                *response = rest;
                Ok(())
            }
            _ => Err(target.other_bytes()),
        }
    }
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The part that a reply holds: `bytes 0-4/10` (RFC 9110, 14.4). Read instead of the status:
/// rclone answers 200 to a range.
fn answered(headers: &HeaderMap) -> Option<Range<u64>> {
    let text = headers.get(CONTENT_RANGE)?.to_str().ok()?;
    let (first, rest) = text.strip_prefix("bytes ")?.split_once('-')?;
    let (last, _) = rest.split_once('/')?;
    Some(first.parse().ok()?..last.parse::<u64>().ok()?.checked_add(1)?)
}
