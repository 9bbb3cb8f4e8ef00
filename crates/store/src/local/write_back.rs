//! Writing to the disk what lies in the page cache, beside the writes instead of after them.

use std::fs::File;
use std::io;
use std::sync::Arc;

use tokio::task::JoinHandle;

/// A sync starts each time this many bytes have come. Small enough that the last sync has little
/// left to do, large enough that its cost in threads and journal commits does not show.
const EVERY: u64 = 32 << 20;

/// The syncs of one file, at most one at a time.
///
/// The kernel tells a failed write-back once per open file, to whichever sync comes next. So the
/// result of each is heard before success is claimed, even when a caller's future was dropped.
#[derive(Debug, Default)]
pub(super) struct WriteBack {
    running: Option<JoinHandle<io::Result<()>>>,
    /// The bytes that were there when the last sync started.
    started_at: u64,
}

impl WriteBack {
    /// Starts a sync when enough has come since the last. Waits only for one that is over.
    pub(super) async fn keep_up(&mut self, file: &Arc<File>, written: u64) -> io::Result<()> {
        if written - self.started_at < EVERY {
            return Ok(());
        }
        if self
            .running
            .as_ref()
            .is_some_and(|sync| !sync.is_finished())
        {
            return Ok(());
        }
        self.heard().await?;
        let file = Arc::clone(file);
        self.running = Some(tokio::task::spawn_blocking(move || file.sync_data()));
        self.started_at = written;
        Ok(())
    }

    /// Returns when every byte and the size are on the disk. Cancel-safe.
    pub(super) async fn finish(&mut self, file: &Arc<File>) -> io::Result<()> {
        self.heard().await?;
        let file = Arc::clone(file);
        self.running = Some(tokio::task::spawn_blocking(move || file.sync_all()));
        self.heard().await
    }

    /// Waits for the running sync and takes its result.
    async fn heard(&mut self) -> io::Result<()> {
        let Some(sync) = &mut self.running else {
            return Ok(());
        };
        let result = sync.await;
        self.running = None;
        result.unwrap_or_else(|ended| Err(io::Error::other(ended)))
    }
}
