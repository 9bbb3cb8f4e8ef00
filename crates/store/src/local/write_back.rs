//! Writing to the disk what lies in the page cache, beside the writes instead of after them.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;

/// A sync starts when this many bytes have come since the last one: the last of all is to have
/// little left to do.
const MOST: u64 = 32 << 20;

/// Or when this time has passed, and so many bytes have come: etcd waits for a sync of its log with
/// every write, and the disk makes it wait for ours. The more often, the shorter; but each has a
/// cost in threads and journal commits.
const PAUSE: Duration = Duration::from_millis(100);
const LEAST: u64 = 1 << 20;

/// The syncs of one file, at most one at a time.
///
/// The kernel tells a failed write-back once per open file, to whichever sync comes next. So the
/// result of each is heard before success is claimed, even when a caller's future was dropped.
#[derive(Debug, Default)]
pub(super) struct WriteBack {
    running: Option<JoinHandle<io::Result<()>>>,
    /// The bytes that were there when the last sync started.
    synced: u64,
    /// When that was.
    started_at: Option<Instant>,
}

impl WriteBack {
    /// Starts a sync when enough has come since the last. Waits only for one that is over.
    pub(super) async fn keep_up(&mut self, file: &Arc<File>, written: u64) -> io::Result<()> {
        if !self.is_due(written) {
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
        self.synced = written;
        self.started_at = Some(Instant::now());
        Ok(())
    }

    fn is_due(&self, written: u64) -> bool {
        let came = written - self.synced;
        let pause = self.started_at.map(|at| at.elapsed());
        came >= MOST || came >= LEAST && pause.is_none_or(|pause| pause >= PAUSE)
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
    use tokio::time::advance;

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
        syncs.keep_up(&bad(), LEAST).await.unwrap();
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
        syncs.keep_up(&bad(), LEAST - 1).await.unwrap();
        syncs.finish(&good()).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_stream_is_synced_by_time_and_a_fast_one_by_size() {
        let mut syncs = WriteBack::default();
        syncs.keep_up(&good(), LEAST).await.unwrap();
        syncs.finish(&good()).await.unwrap();
        let soon = LEAST + MOST - 1;
        syncs.keep_up(&bad(), soon).await.unwrap();
        syncs.finish(&good()).await.unwrap();
        advance(PAUSE).await;
        syncs.keep_up(&bad(), soon).await.unwrap();
        syncs.finish(&good()).await.unwrap_err();

        syncs.keep_up(&bad(), soon + MOST).await.unwrap();
        syncs.finish(&good()).await.unwrap_err();
    }
}
