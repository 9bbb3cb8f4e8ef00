//! Bodies that stop in the middle.

use std::io;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use s3s::Body;
use tokio::sync::watch;

/// What follows the bytes that pass.
#[derive(Debug)]
pub(super) enum Then {
    /// The connection breaks.
    Break,
    /// Nothing, until this says so; then the rest.
    Wait(watch::Receiver<bool>),
}

/// The first `len` bytes of `body`, as they come, and then what follows.
pub(super) fn stopping(body: Body, len: usize, then: Then) -> Body {
    let stopping = Stopping {
        body,
        held: Bytes::new(),
        room: Some((len, then)),
    };
    Body::http_body_unsync(StreamBody::new(stream::try_unfold(
        stopping,
        Stopping::next,
    )))
}

struct Stopping {
    body: Body,
    /// Came, and is not passed on yet.
    held: Bytes,
    /// How much may pass yet, and what then; no limit without.
    room: Option<(usize, Then)>,
}

impl Stopping {
    async fn next(mut self) -> io::Result<Option<(Frame<Bytes>, Self)>> {
        if self.room.as_ref().is_some_and(|(room, _)| *room == 0) {
            if let Some((_, Then::Wait(mut released))) = self.room.take() {
                let _ = released.wait_for(|released| *released).await;
            } else {
                // Lets hyper send what it has: it drops it when the error comes at once.
                tokio::task::yield_now().await;
                return Err(reset());
            }
        }
        while self.held.is_empty() {
            let Some(frame) = self.body.frame().await else {
                return match self.room {
                    Some((_, Then::Break)) => Err(reset()),
                    _ => Ok(None),
                };
            };
            let frame = frame.map_err(|fault| io::Error::other(fault.to_string()))?;
            self.held = frame.into_data().unwrap_or_default();
        }
        let passing = match &mut self.room {
            None => std::mem::take(&mut self.held),
            Some((room, _)) => {
                let passing = self.held.split_to(self.held.len().min(*room));
                *room -= passing.len();
                passing
            }
        };
        Ok(Some((Frame::data(passing), self)))
    }
}

pub(super) fn reset() -> io::Error {
    io::Error::from(io::ErrorKind::ConnectionReset)
}
