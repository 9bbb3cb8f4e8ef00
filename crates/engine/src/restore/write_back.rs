//! A file that goes to the disk while it is written, and while what was written is read again.
//!
//! One sync at the end would leave the disk idle until then, and the processor idle after it.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::thread::{self, JoinHandle};

/// A sync starts each time this many bytes have come: as the spool of a save does.
const EVERY: u64 = 32 << 20;

/// A file whose syncs run beside its writes, at most one at a time.
///
/// The kernel tells a failed write-back once, to whichever sync comes next: the result of each is
/// heard.
#[derive(Debug)]
pub(super) struct WriteBack {
    file: File,
    /// Bytes written since the last sync began.
    since: u64,
    running: Option<Syncing>,
}

/// A sync that runs.
#[derive(Debug)]
pub(super) struct Syncing(JoinHandle<io::Result<()>>);

impl WriteBack {
    pub(super) fn new(file: File) -> Self {
        Self {
            file,
            since: 0,
            running: None,
        }
    }

    /// Starts the sync after which every byte and the size are on the disk.
    pub(super) fn finish(mut self) -> io::Result<Syncing> {
        if let Some(sync) = self.running.take() {
            sync.wait()?;
        }
        let file = self.file;
        Syncing::start(move || file.sync_all())
    }

    fn keep_up(&mut self) -> io::Result<()> {
        if let Some(sync) = self.running.take_if(|sync| sync.0.is_finished()) {
            sync.wait()?;
        }
        if self.since >= EVERY && self.running.is_none() {
            let file = self.file.try_clone()?;
            self.running = Some(Syncing::start(move || file.sync_data())?);
            self.since = 0;
        }
        Ok(())
    }
}

impl Syncing {
    fn start(sync: impl FnOnce() -> io::Result<()> + Send + 'static) -> io::Result<Self> {
        let thread = thread::Builder::new().name("sync".to_owned());
        Ok(Self(thread.spawn(sync)?))
    }

    /// Returns when it has ended.
    pub(super) fn wait(self) -> io::Result<()> {
        let ended = self.0.join();
        ended.unwrap_or_else(|_| Err(io::Error::other("a sync ended early")))
    }
}

impl Write for WriteBack {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.since = self.since.saturating_add(written as u64);
        self.keep_up()?;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for WriteBack {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file that no sync succeeds on: fsync(2) gives EINVAL for a device like this.
    fn bad() -> WriteBack {
        let file = File::options().write(true).open("/dev/null").unwrap();
        WriteBack::new(file)
    }

    #[test]
    fn a_sync_that_goes_wrong_on_the_way_is_heard() {
        let mut file = bad();
        let heard = (0..5).find_map(|_| {
            let wrote = file.write_all(&vec![0; 32 << 20]);
            // Each ends before the next begins, so that the test knows which is heard.
            while file.running.as_ref().is_some_and(|it| !it.0.is_finished()) {
                thread::yield_now();
            }
            wrote.err()
        });
        assert!(heard.is_some());
    }

    #[test]
    fn a_sync_that_still_runs_is_heard_at_the_end_and_so_is_the_last() {
        let mut file = bad();
        file.write_all(&vec![0; 32 << 20]).unwrap();
        file.finish().unwrap_err();
        bad().finish().unwrap().wait().unwrap_err();
    }

    #[test]
    fn what_is_written_here_and_there_is_there() {
        let there = tempfile::tempfile().unwrap();
        let mut file = WriteBack::new(there.try_clone().unwrap());
        for _ in 0..3 {
            file.write_all(&vec![7; 32 << 20]).unwrap();
        }
        file.seek(SeekFrom::Start(1)).unwrap();
        file.write_all(b"!").unwrap();
        file.finish().unwrap().wait().unwrap();
        assert_eq!(there.metadata().unwrap().len(), 96 << 20);
        let mut head = [0; 3];
        std::os::unix::fs::FileExt::read_exact_at(&there, &mut head, 0).unwrap();
        assert_eq!(head, [7, b'!', 7]);
    }
}
