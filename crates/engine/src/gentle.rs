//! A stream that is read no faster than is allowed, and that does etcd no harm by being slow.
//!
//! While a snapshot's stream is open etcd can reuse no page, and a defragmentation waits for its
//! end with the database locked. So the member is looked at every second, over a connection of its
//! own: where its database grows too much (`growth`), or where it does not answer in time,
//! the pace is let go; where it grows on, so is the stream. A look that fails says nothing.

use std::fmt;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt, StreamExt, TryStreamExt};
use rollsnap_etcd::{Chunk, ErrorKind, MemberStatus, SnapshotStream, Source, SourceError};
use tokio::time::{Instant, sleep, timeout};

use crate::event::{Event, Observer};
use crate::growth::{Advice, Growth};
use crate::pace::Pace;
use crate::save_error::Cause;

/// How often the member is looked at.
const EVERY: Duration = Duration::from_secs(1);
/// How long it may take to answer. Whoever waits so long for its database may wait for the end of
/// this stream.
const LIMIT: Duration = Duration::from_secs(2);
/// How long a defragmentation is waited for: etcd rewrites some 30 MB a second of it on a slow
/// disk, so this is enough for the largest database that etcd recommends (8 GB).
const PATIENCE: Duration = Duration::from_secs(600);
/// How often a member that defragments is asked whether that is over.
const AGAIN: Duration = Duration::from_secs(1);

/// The pieces of a snapshot, as fast as they are to be read.
pub(crate) type Pieces = BoxStream<'static, Result<Chunk, Cause>>;

/// Who hears what happens while a snapshot is taken; nobody unless somebody is named.
#[derive(Clone, Default)]
pub struct Hearer(Option<Arc<dyn Observer>>);

impl Hearer {
    /// This one hears it.
    pub fn new(observer: Arc<dyn Observer>) -> Self {
        Self(Some(observer))
    }

    pub(crate) fn tell(&self, event: Event<'_>) {
        if let Some(observer) = &self.0 {
            observer.tell(event);
        }
    }
}

impl fmt::Debug for Hearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hearer")
    }
}

/// Why a stream is read at full speed from here on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Haste {
    /// The database grew by so many bytes since the stream began.
    Grown(u64),
    /// The member did not answer.
    Silent,
}

/// A member whose database grew too much while its stream was open.
#[derive(Debug, thiserror::Error)]
#[error("the database grew by {by} bytes while its snapshot was read, at full speed at last")]
pub struct Grown {
    by: u64,
}

/// Asks a member until it has an answer other than that it defragments its database, ten minutes
/// at most.
pub(crate) async fn patiently<T, F>(hearer: &Hearer, ask: impl Fn() -> F) -> Result<T, SourceError>
where
    F: Future<Output = Result<T, SourceError>>,
{
    let began = Instant::now();
    let mut is_told = false;
    loop {
        match ask().await {
            Err(error) if error.kind() == ErrorKind::Busy && began.elapsed() < PATIENCE => {
                if !is_told {
                    hearer.tell(Event::Defragmenting { error: &error });
                    is_told = true;
                }
                sleep(AGAIN).await;
            }
            answer => return answer,
        }
    }
}

/// The stream as fast as it comes, or no faster than `rate`. `status` is that of its member from
/// before it began.
pub(crate) fn read(
    source: &Arc<dyn Source>,
    stream: SnapshotStream,
    status: &MemberStatus,
    rate: Option<NonZeroU64>,
    hearer: &Hearer,
) -> Pieces {
    let Some(rate) = rate else {
        return stream.map_err(Cause::from).boxed();
    };
    let gentle = Gentle {
        stream,
        pace: Some(Pace::new(rate)),
        look: look(Arc::clone(source)),
        source: Arc::clone(source),
        member: status.member_id,
        growth: Growth::since(status.db_size),
        size: status.db_size,
        hearer: hearer.clone(),
    };
    stream::try_unfold(gentle, Gentle::next).boxed()
}

/// A look at the member a while from now: none if it does not answer in time.
type Look = BoxFuture<'static, Option<Result<MemberStatus, SourceError>>>;

fn look(source: Arc<dyn Source>) -> Look {
    let look = async move {
        sleep(EVERY).await;
        timeout(LIMIT, source.look()).await.ok()
    };
    look.boxed()
}

struct Gentle {
    stream: SnapshotStream,
    /// None once it was let go.
    pace: Option<Pace>,
    source: Arc<dyn Source>,
    look: Look,
    member: u64,
    growth: Growth,
    /// The database as it was seen last.
    size: u64,
    hearer: Hearer,
}

impl Gentle {
    async fn next(mut self) -> Result<Option<(Chunk, Self)>, Cause> {
        loop {
            let Self {
                stream,
                pace,
                look: soon,
                ..
            } = &mut self;
            let piece = async {
                if let Some(pace) = pace {
                    pace.ready().await;
                }
                stream.try_next().await
            };
            tokio::select! {
                biased;
                seen = soon => {
                    self.look = look(Arc::clone(&self.source));
                    self.judge(seen)?;
                }
                piece = piece => {
                    let Some(chunk) = piece? else { return Ok(None) };
                    if let Some(pace) = &mut self.pace {
                        pace.count(chunk.bytes.len());
                    }
                    return Ok(Some((chunk, self)));
                }
            }
        }
    }

    fn judge(&mut self, seen: Option<Result<MemberStatus, SourceError>>) -> Result<(), Grown> {
        match seen {
            None => self.hurry(Haste::Silent),
            Some(Ok(status)) if status.member_id == self.member => {
                self.size = status.db_size;
                let by = self.growth.by(self.size);
                match self.growth.advice(self.size) {
                    Advice::GoOn => {}
                    Advice::LetGoOfPace => self.hurry(Haste::Grown(by)),
                    Advice::LetGo => return Err(Grown { by }),
                }
            }
            // Another's size says nothing of this one's, and the stream tells by itself if it ends.
            Some(_) => {}
        }
        Ok(())
    }

    fn hurry(&mut self, haste: Haste) {
        if self.pace.take().is_some() {
            self.growth.pace_is_gone(self.size);
            self.hearer.tell(Event::PaceLetGo { haste });
        }
    }
}
