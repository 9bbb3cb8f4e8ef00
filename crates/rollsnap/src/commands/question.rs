//! A question to an open snapshot: asked on a thread for blocking work, with a bar, and with an
//! ear for whoever stops the program.

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rollsnap_engine::Kind;
use rollsnap_engine::look::{self, Heed, LookError, ReadAt};
use tokio_util::sync::CancellationToken;

use super::Context;
use super::opened::{Opened, blocking};
use super::progress::Bar;
use crate::report::Failure;

impl Opened {
    /// Asks, and tells a failure as one of `verb`. The question tells its progress.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        context: &Context,
        verb: &str,
        question: impl FnOnce(&dyn ReadAt, Heed<'_>) -> Result<T, LookError> + Send + 'static,
    ) -> Result<T, Failure> {
        let stop = context.orders.stop.clone();
        let bar = Bar::new();
        bar.say(format!("{verb} {}", self.name));
        let question = move |bytes: &dyn ReadAt| {
            question(bytes, &mut |now| {
                bar.at(now.done, now.total);
                if stop.is_cancelled() {
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(())
            })
        };
        self.put(context, verb, None, question).await
    }

    /// Asks what tells no progress: the bar shows how much was read.
    pub(super) async fn look<T: Send + 'static>(
        &self,
        context: &Context,
        verb: &str,
        question: impl FnOnce(&dyn ReadAt) -> Result<T, LookError> + Send + 'static,
    ) -> Result<T, Failure> {
        let bar = Bar::endless();
        bar.say(format!("{verb} {}", self.name));
        self.put(context, verb, Some(bar), question).await
    }

    async fn put<T: Send + 'static>(
        &self,
        context: &Context,
        verb: &str,
        bar: Option<Bar>,
        question: impl FnOnce(&dyn ReadAt) -> Result<T, LookError> + Send + 'static,
    ) -> Result<T, Failure> {
        let bytes = Stoppable {
            bytes: self.image.bytes(),
            stop: context.orders.stop.clone(),
            read: AtomicU64::new(0),
            bar,
        };
        let answer = blocking(move || question(&bytes)).await?;
        answer.map_err(|error| {
            if context.orders.stop.is_cancelled() {
                let message = format!("{verb} {}: stopped before the end", self.location);
                return Failure::new(Kind::Canceled, message);
            }
            self.unanswered(verb, &error)
        })
    }

    /// Why a question has no answer.
    fn unanswered(&self, verb: &str, error: &LookError) -> Failure {
        if let LookError::Read(error) = error {
            return self.unreadable(error);
        }
        let message = format!("{verb} {}: {error}", self.location);
        let failure = Failure::new(look::kind_of(error), message);
        match look::hint_of(error) {
            Some(hint) => failure.with_hint(hint),
            None => failure,
        }
    }
}

/// Bytes that cannot be read any more once the program is to stop.
struct Stoppable {
    bytes: Arc<dyn ReadAt>,
    stop: CancellationToken,
    /// Bytes that were read.
    read: AtomicU64,
    /// The bar that shows them.
    bar: Option<Bar>,
}

impl ReadAt for Stoppable {
    fn size(&self) -> io::Result<u64> {
        self.bytes.size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        if self.stop.is_cancelled() {
            return Err(io::Error::other("told to stop"));
        }
        self.bytes.read_at(offset, buf)?;
        let len = buf.len() as u64;
        let read = self.read.fetch_add(len, Ordering::Relaxed) + len;
        if let Some(bar) = &self.bar {
            bar.at(read, read);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Once, OnceLock};

    use rollsnap_engine::SystemClock;
    use rollsnap_engine::image::Access;
    use rollsnap_engine::look::{status, verify};

    use super::*;
    use crate::commands::operand::Operand;
    use crate::config::{Environment, Flags};
    use crate::output::Format;
    use crate::signals::Orders;

    #[tokio::test]
    async fn a_stop_ends_any_question_and_is_told_as_one() {
        let context = Context {
            flags: Flags::default(),
            environment: Environment::default(),
            format: Format::Text,
            clock: Arc::new(SystemClock),
            orders: Orders::default(),
            tended: OnceLock::new(),
            warned: Once::new(),
            last_word: tokio::sync::Mutex::default(),
        };
        let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../snapfile/testdata");
        let file = format!("{dir}/3.5.1.db.gz");
        let opened = Operand::open(&context, &file, Access::All).await.unwrap();
        assert!(opened.ask(&context, "verify", verify).await.is_ok());

        context.orders.stop.cancel();
        let told = opened.ask(&context, "verify", verify).await.unwrap_err();
        assert_eq!(told.kind, Kind::Canceled);
        let told = opened.ask(&context, "status of", status).await.unwrap_err();
        let words = format!("status of {file}: stopped before the end");
        assert_eq!((told.kind, told.message), (Kind::Canceled, words));
    }
}
