//! The reading of copies beside the loop: one at a time, and not while anything more urgent goes
//! to the bucket.
//!
//! A reading goes on only while its [end](Readings::end) is waited for. Where it is not, the copy
//! comes no further: the store goes on from there when it may.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use rollsnap_store::{ErrorKind, Store, StoreError};
use tokio::time::Instant;

use crate::catalog::Reader;
use crate::event::{Event, Observer};
use crate::read_back::{read_back, record, turn};
use crate::retention::Guard;
use crate::{Clock, Manifest};

/// How long until the bucket is looked at again where nothing could be read, or nothing is there.
const PAUSE: Duration = Duration::from_secs(600);

/// The running reading, if there is one. Where none is wanted, nothing ever happens.
pub(crate) struct Readings {
    wanted: Option<Wanted>,
    running: Option<BoxFuture<'static, End>>,
    next: Instant,
    /// Manifests that are known; a running one has them.
    reader: Reader,
    /// The last one failed, which was told.
    is_failing: bool,
}

/// What is to be read, and how often.
#[derive(Clone)]
pub(crate) struct Wanted {
    /// The bucket.
    pub(crate) store: Arc<dyn Store>,
    /// The time in which all copies are to be read once.
    pub(crate) every: Duration,
    /// The time of day, for the record.
    pub(crate) clock: Arc<dyn Clock>,
}

/// How a look at the bucket ended.
pub(crate) struct End {
    reader: Reader,
    /// The copy that was read, with its reading.
    read: Option<Box<Manifest>>,
    result: Result<Duration, StoreError>,
}

impl Readings {
    pub(crate) fn new(wanted: Option<Wanted>) -> Self {
        Self {
            wanted,
            running: None,
            next: Instant::now(),
            reader: Reader::default(),
            is_failing: false,
        }
    }

    /// When to look at the bucket; `None` while that is done or not wanted.
    pub(crate) fn due(&self) -> Option<Instant> {
        let is_wanted = self.wanted.is_some() && self.running.is_none();
        is_wanted.then_some(self.next)
    }

    /// Looks at the bucket if that is due, and reads the copy whose turn it is.
    pub(crate) fn begin(&mut self, guard: Guard) {
        if self.due().is_none_or(|due| due > Instant::now()) {
            return;
        }
        if let Some(wanted) = &self.wanted {
            let reader = std::mem::take(&mut self.reader);
            self.running = Some(look(wanted.clone(), reader, guard).boxed());
        }
    }

    /// The end of the running one, to be settled; never, while there is none. Cancel-safe.
    pub(crate) async fn end(&mut self) -> End {
        match &mut self.running {
            Some(running) => running.await,
            None => std::future::pending().await,
        }
    }

    /// Tells what was found, and each change between failing and working once. Returns whether a
    /// copy is broken.
    pub(crate) fn settle(&mut self, end: End, observer: &dyn Observer) -> bool {
        let End {
            reader,
            read,
            result,
        } = end;
        self.running = None;
        self.reader = reader;
        let Some(Wanted { store, every, .. }) = &self.wanted else {
            return false;
        };
        let location = store.location();
        if let Some(manifest) = &read {
            observer.tell(Event::ReadBack { manifest, location });
        }
        let wait = match &result {
            Ok(wait) => *wait,
            Err(error) => {
                if !self.is_failing {
                    observer.tell(Event::ReadBackFailed { location, error });
                }
                PAUSE.min(*every)
            }
        };
        self.is_failing = result.is_err();
        self.next = Instant::now() + wait;
        read.is_some_and(|manifest| manifest.is_of_broken_copy())
    }
}

async fn look(wanted: Wanted, mut reader: Reader, guard: Guard) -> End {
    let mut read = None;
    let result = read_next(&wanted, &mut reader, guard, &mut read).await;
    End {
        reader,
        read,
        result,
    }
}

/// Reads the copy whose turn it is, if that is now. Returns how long until the next look.
async fn read_next(
    wanted: &Wanted,
    reader: &mut Reader,
    guard: Guard,
    read: &mut Option<Box<Manifest>>,
) -> Result<Duration, StoreError> {
    let (store, clock) = (&*wanted.store, &*wanted.clock);
    let there = reader.read(store).await?;
    let Some(turn) = turn(&there, guard, wanted.every, clock.now()) else {
        return Ok(PAUSE.min(wanted.every));
    };
    if !turn.wait.is_zero() {
        return Ok(turn.wait);
    }
    let reading = match read_back(store, &turn.manifest, clock).await {
        // Retention took it meanwhile.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(turn.apart),
        reading => reading?,
    };
    // Told even where it cannot be written down.
    let told = turn.manifest.with_reading(Some(reading.clone()));
    *read = Some(Box::new(told));
    reader.forget(&turn.manifest.name);
    record(store, &turn.manifest, &reading).await?;
    Ok(turn.apart)
}
