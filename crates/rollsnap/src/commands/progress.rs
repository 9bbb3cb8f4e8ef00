//! How far a long command is: a bar on a terminal, nothing elsewhere, where the line at the end
//! says it all.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rollsnap_store::{BoxRead, Location, ObjectInfo, ObjectName, Store, StoreError, Terms, Upload};

/// The bar of one command. Gone when it is dropped.
pub(crate) struct Bar(ProgressBar);

impl Bar {
    pub(crate) fn new() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
        let style = "{bar:30} {percent:>3}% {bytes}/{total_bytes} {bytes_per_sec} {eta} {msg}";
        let style = ProgressStyle::with_template(style);
        Self(bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())))
    }

    /// A bar that nobody sees, for whoever has a log instead.
    pub(crate) fn hidden() -> Self {
        Self(ProgressBar::hidden())
    }

    /// A bar without an end, for what comes nobody knows how long.
    pub(super) fn endless() -> Self {
        let bar = Self::new();
        let style = ProgressStyle::with_template("{spinner} {bytes} {bytes_per_sec} {msg}");
        bar.0
            .set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        bar
    }

    /// So many bytes of so many.
    pub(super) fn at(&self, done: u64, total: u64) {
        self.0.set_length(total);
        self.0.set_position(done);
    }

    /// The same for whoever outlives this.
    pub(super) fn hearer(&self) -> Arc<dyn Fn(u64, u64) + Send + Sync> {
        let bar = self.0.clone();
        Arc::new(move |done, total| {
            bar.set_length(total);
            bar.set_position(done);
        })
    }

    /// What is being done now.
    pub(super) fn say(&self, what: String) {
        self.0.set_message(what);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// A store whose reads move a bar of `total` bytes.
#[derive(Debug)]
pub(super) struct Watched<'a> {
    store: &'a dyn Store,
    bar: ProgressBar,
}

impl Bar {
    /// The store, its reads moving this bar.
    pub(super) fn watching<'a>(&self, store: &'a dyn Store, total: u64) -> Watched<'a> {
        self.0.set_length(total);
        Watched {
            store,
            bar: self.0.clone(),
        }
    }
}

#[async_trait]
impl Store for Watched<'_> {
    fn location(&self) -> &Location {
        self.store.location()
    }

    async fn begin(&self, name: &ObjectName, terms: Terms) -> Result<Box<dyn Upload>, StoreError> {
        self.store.begin(name, terms).await
    }

    async fn read(
        &self,
        name: &ObjectName,
        range: Option<Range<u64>>,
    ) -> Result<BoxRead, StoreError> {
        let bar = self.bar.clone();
        let pieces = self.store.read(name, range).await?;
        Ok(pieces
            .inspect_ok(move |piece| bar.inc(piece.len() as u64))
            .boxed())
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>, StoreError> {
        self.store.list(prefix).await
    }

    async fn delete(&self, name: &ObjectName) -> Result<(), StoreError> {
        self.store.delete(name).await
    }
}
