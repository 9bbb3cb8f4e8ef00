//! The snapshot stream: pieces as they come, and an error where etcd's would be silence.
//!
//! No task, no channel and no copy stands between the connection and the reader: each message's
//! bytes are moved out, and the stall timer is touched only when there is nothing to read.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use etcd_client::{Client, SnapshotStreaming};
use futures_util::Stream;
use tokio::time::{Instant, Sleep, sleep};

use crate::diagnosis::Subject;
use crate::{Chunk, ErrorKind, SourceError};

const VERB: &str = "snapshot from";

/// One open snapshot.
pub(crate) struct Chunks {
    messages: SnapshotStreaming,
    /// Holds the connection.
    _client: Client,
    subject: Arc<Subject>,
    /// Database bytes still to come; none before the first message.
    remaining: Option<u64>,
    stall: Stall,
    ended: bool,
}

impl Chunks {
    pub(crate) fn new(
        messages: SnapshotStreaming,
        client: Client,
        subject: Arc<Subject>,
        stall_timeout: Duration,
    ) -> Self {
        Self {
            messages,
            _client: client,
            subject,
            remaining: None,
            stall: Stall::new(stall_timeout),
            ended: false,
        }
    }

    fn fault(&self, kind: ErrorKind, message: impl Into<String>) -> SourceError {
        self.subject.error(kind, VERB, message)
    }

    /// The next piece, or none at a clean end.
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Chunk>, SourceError>> {
        let Poll::Ready(message) = Pin::new(&mut self.messages.0).poll_next(cx) else {
            ready!(self.stall.poll(cx));
            let limit = self.stall.limit;
            return Poll::Ready(Err(stalled(&self.subject, limit)));
        };
        self.stall.disarm();
        Poll::Ready(match message {
            Some(Ok(message)) => {
                let remaining = message.remaining_bytes;
                self.remaining = Some(remaining);
                if message.blob.is_empty() {
                    // etcd sends such messages for ever when it cannot read its database.
                    Err(self.fault(
                        ErrorKind::Unavailable,
                        format!("an empty message with {remaining} bytes still to come"),
                    ))
                } else {
                    Ok(Some(Chunk {
                        bytes: message.blob.into(),
                        remaining,
                    }))
                }
            }
            Some(Err(status)) => Err(self.subject.explain_break(VERB, status.into())),
            None => match self.remaining {
                Some(0) => Ok(None),
                Some(missing) => Err(self.fault(
                    ErrorKind::Unavailable,
                    format!("it ended with {missing} bytes still to come"),
                )),
                None => Err(self.fault(ErrorKind::Unavailable, "it ended without any bytes")),
            },
        })
    }
}

impl Stream for Chunks {
    type Item = Result<Chunk, SourceError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.ended {
            return Poll::Ready(None);
        }
        let item = ready!(this.poll_chunk(cx)).transpose();
        this.ended = !matches!(item, Some(Ok(_)));
        Poll::Ready(item)
    }
}

/// Nothing came for so long.
pub(crate) fn stalled(subject: &Subject, limit: Duration) -> SourceError {
    subject
        .error(
            ErrorKind::Unavailable,
            VERB,
            format!("no bytes for {limit:?}"),
        )
        .with_hint("etcd or the network stands still; the next try opens a new connection")
}

/// Measures how long the reader has waited in vain. The time between two reads, when the reader
/// is busy elsewhere, is not etcd's fault and does not count.
struct Stall {
    limit: Duration,
    timer: Pin<Box<Sleep>>,
    waiting_since: Option<Instant>,
}

impl Stall {
    fn new(limit: Duration) -> Self {
        Self {
            limit,
            timer: Box::pin(sleep(limit)),
            waiting_since: None,
        }
    }

    /// Something came.
    fn disarm(&mut self) {
        self.waiting_since = None;
    }

    /// Nothing is there now; ready when that lasted too long. The timer itself is set anew only
    /// when it goes off, not for each wait: that is once in `limit`, not once in 32 KiB.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let since = *self.waiting_since.get_or_insert_with(Instant::now);
        let deadline = since + self.limit;
        loop {
            ready!(self.timer.as_mut().poll(cx));
            if Instant::now() >= deadline {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(deadline);
        }
    }
}
