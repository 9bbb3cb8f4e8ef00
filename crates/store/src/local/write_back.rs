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

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    /// A file that no sync succeeds on: fsync(2) gives EINVAL for a device like this.
    fn bad() -> Arc<File> {
        Arc::new(File::open("/dev/null").unwrap())
    }

    fn good() -> Arc<File> {
        Arc::new(tempfile::tempfile().unwrap())
    }

    #[tokio::test]
    async fn a_sync_that_went_wrong_on_the_way_is_heard_at_the_end() {
        let mut syncs = WriteBack::default();
        syncs.keep_up(&bad(), EVERY).await.unwrap();
        syncs.finish(&good()).await.unwrap_err();
        syncs.finish(&good()).await.unwrap();
    }

    #[tokio::test]
    async fn a_result_that_nobody_waited_for_is_not_lost() {
        let mut syncs = WriteBack::default();
        assert!(syncs.finish(&bad()).now_or_never().is_none());
        syncs.finish(&good()).await.unwrap_err();
    }

    #[tokio::test]
    async fn little_is_not_synced_on_the_way() {
        let mut syncs = WriteBack::default();
        syncs.keep_up(&bad(), EVERY - 1).await.unwrap();
        syncs.finish(&good()).await.unwrap();
    }
}
