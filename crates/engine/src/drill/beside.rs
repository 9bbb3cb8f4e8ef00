//! Drills on a thread of their own, beside everything else.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use async_trait::async_trait;
use rollsnap_store::ReadBack;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot};

use super::{DrillError, Drilled, Ears, Order, drill};
use crate::examine::{Gentle, StopWhenDropped, Unpacked, unpacked};
use crate::image::{ImageError, Scratch};
use crate::{Clock, Codec};

/// Rehearses restores from stored snapshots.
#[async_trait]
pub trait Driller: Send + Sync + fmt::Debug {
    /// Rehearses one. Dropping the future ends it soon; what it made goes with it.
    async fn drill(&self, stored: Box<dyn ReadBack>, codec: Codec) -> Result<Drilled, DrillError>;

    /// Waits until nothing is left of drills that were dropped.
    async fn rest(&self);
}

/// Drills on a thread that is gone afterwards, one at a time.
pub struct Beside {
    gentle: Gentle,
    clock: Arc<dyn Clock>,
    scratch: Scratch,
    boot: Option<super::Boot>,
    free: Arc<Semaphore>,
}

impl Beside {
    /// A driller whose thread calls `gentle` before anything else; the server, where there is one,
    /// inherits what that did. Everything is made in `scratch`, where what is compressed is unpacked
    /// too.
    pub fn new(
        gentle: Gentle,
        clock: Arc<dyn Clock>,
        scratch: Scratch,
        boot: Option<super::Boot>,
    ) -> Self {
        Self {
            gentle,
            clock,
            scratch,
            boot,
            free: Arc::new(Semaphore::new(1)),
        }
    }
}

impl fmt::Debug for Beside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Beside")
            .field("scratch", &self.scratch)
            .field("boot", &self.boot)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Driller for Beside {
    async fn drill(&self, stored: Box<dyn ReadBack>, codec: Codec) -> Result<Drilled, DrillError> {
        // One that was dropped may still be cleaning up.
        let turn = Arc::clone(&self.free).acquire_owned().await;
        let stop = StopWhenDropped::default();
        let stopped = Arc::clone(&stop.0);
        let gentle = Arc::clone(&self.gentle);
        let (scratch, runtime) = (self.scratch.clone(), Handle::current());
        let order = Order {
            scratch: scratch.dir().to_owned(),
            boot: self.boot.clone(),
            skip_hash_check: false,
            at: self.clock.now(),
        };
        let (tell, told) = oneshot::channel();
        let work = move || {
            gentle();
            let done = work(stored, codec, &scratch, &order, &runtime, &stopped);
            drop(turn);
            // Nobody may be listening any more.
            let _ = tell.send(done);
        };
        let thread = thread::Builder::new().name("drill".to_owned());
        thread.spawn(work).map_err(DrillError::Thread)?;
        told.await.unwrap_or(Err(DrillError::Stopped))
    }

    async fn rest(&self) {
        drop(self.free.acquire().await);
    }
}

fn work(
    stored: Box<dyn ReadBack>,
    codec: Codec,
    scratch: &Scratch,
    order: &Order,
    runtime: &Handle,
    stopped: &AtomicBool,
) -> Result<Drilled, DrillError> {
    let pages = match unpacked(stored, codec, scratch, stopped) {
        Ok(pages) => pages,
        Err(Unpacked::Ended) => return Err(DrillError::Stopped),
        Err(Unpacked::Read(error)) if crate::examine::is_content(&error) => {
            let took = std::time::Duration::ZERO;
            return Ok(Drilled::broken(error.to_string(), took));
        }
        Err(Unpacked::Read(error)) => return Err(ImageError::Read(error).into()),
    };
    let ears = Ears {
        stop: &|| stopped.load(Ordering::Relaxed),
        tell: &|_, _, _| {},
    };
    drill(&*pages, order, runtime, &ears)
}
