//! From what happens to what became of each attempt at a snapshot. Pure.
//!
//! An attempt has succeeded when its snapshot is everywhere where it should be: proved in the
//! directory, as deep as `verify` says, and, with a bucket, whole in there. Snapshots on request are
//! no attempts: a switch that waits for the schedule must not be held by hand.

use rollsnap_engine::SnapshotName;
use rollsnap_engine::catalog::{Catalog, Standing};
use rollsnap_engine::event::Event;
use rollsnap_engine::manifest::{Manifest, Method, Verdict};
use rollsnap_rke::duration::GoDuration;
use rollsnap_store::StoreError;

use crate::config::Settings;
use crate::report::chain;

/// What is new of the attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum News {
    /// One begins.
    Begun,
    /// The last one's snapshot is everywhere where it should be.
    Stands,
    /// One failed, or the bucket does: in the log's words, without secrets.
    Failed(String),
}

/// What is known of the last attempt.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    is_deep: bool,
    has_bucket: bool,
    /// The snapshot that is being taken or proved.
    running: Option<SnapshotName>,
    /// The snapshot that is proved, and not yet known to be in the bucket.
    awaited: Option<Box<Manifest>>,
    /// Why the bucket fails; `None` while it answers.
    down: Option<String>,
    trouble: Trouble,
}

/// What the last news left open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Trouble {
    #[default]
    None,
    /// An attempt failed.
    Here,
    /// The bucket fails, and nothing else is known to be wrong.
    There,
}

impl Attempts {
    /// These settings are in force from now on.
    pub(super) fn put_in_force(&mut self, settings: &Settings) {
        self.is_deep = settings.making.verify.value == Method::Deep;
        self.has_bucket = settings.bucket.value.is_some();
        // The rounds begin anew, and tell anew what does not work. What they owed they still do.
        self.running = None;
        self.down = None;
        self.awaited = self.awaited.take().filter(|_| self.has_bucket);
    }

    /// What an event means.
    pub(super) fn hear(&mut self, event: &Event<'_>) -> Option<News> {
        let is_running = |name: &SnapshotName| self.running.as_ref() == Some(name);
        let is_awaited = |name: &SnapshotName| {
            let awaited = self.awaited.as_ref();
            awaited.is_some_and(|manifest| manifest.name == *name)
        };
        match event {
            Event::Begins { name } => {
                self.running = Some(SnapshotName::clone(name));
                Some(News::Begun)
            }
            Event::SaveFailed {
                error,
                attempt,
                retry_in,
                ..
            } => {
                self.running = None;
                let again = GoDuration(*retry_in);
                let words = words("Backup failed", &chain(*error), error.hint());
                Some(self.failed(format!(
                    "{words}\nattempt {attempt}, tried again in {again}"
                )))
            }
            Event::Saved { manifest, .. } if !self.is_deep && is_running(&manifest.name) => {
                self.proved(manifest)
            }
            Event::Verified { manifest, .. } if is_running(&manifest.name) => {
                if manifest.verdict() == Some(Verdict::Disputed) {
                    self.running = None;
                    let what = "Members disagree about a snapshot";
                    return Some(self.failed(words(what, &found(manifest), None)));
                }
                self.proved(manifest)
            }
            Event::ProofFailed { name, error } if is_running(name) => {
                self.running = None;
                let what = "Cannot verify a snapshot";
                Some(self.failed(words(what, &chain(*error), error.hint())))
            }
            Event::Uploaded { manifest, .. } if is_awaited(&manifest.name) => Some(self.stands()),
            // An upload whose last answer was lost is found there and not told of.
            Event::RemoteListed { catalog } if self.is_in(catalog) => Some(self.stands()),
            Event::NotCopied { name, error } if is_awaited(name) => {
                self.awaited = None;
                Some(self.failed(uncopied(error)))
            }
            Event::RemoteDown { error, .. } => {
                let words = uncopied(error);
                self.down = Some(words.clone());
                if self.trouble == Trouble::None {
                    self.trouble = Trouble::There;
                }
                Some(News::Failed(words))
            }
            Event::RemoteBack { .. } => {
                self.down = None;
                let is_paid = self.trouble == Trouble::There && self.awaited.is_none();
                is_paid.then(|| self.stands())
            }
            _ => None,
        }
    }

    fn proved(&mut self, manifest: &Manifest) -> Option<News> {
        self.running = None;
        if !self.has_bucket {
            return Some(self.stands());
        }
        self.awaited = Some(Box::new(manifest.clone()));
        // Told once by the rounds; each attempt has its own end.
        let words = self.down.clone()?;
        self.trouble = Trouble::There;
        Some(News::Failed(words))
    }

    fn stands(&mut self) -> News {
        self.awaited = None;
        self.trouble = Trouble::None;
        News::Stands
    }

    fn failed(&mut self, words: String) -> News {
        self.trouble = Trouble::Here;
        News::Failed(words)
    }

    /// Whether the bucket has what is awaited, and no other snapshot of its name.
    fn is_in(&self, catalog: &Catalog) -> bool {
        let Some(awaited) = &self.awaited else {
            return false;
        };
        let there = catalog.find(&awaited.name).map(|entry| &entry.standing);
        let Some(Standing::Proved(there)) = there else {
            return false;
        };
        there.database == awaited.database && there.member_id == awaited.member_id
    }
}

/// Which snapshot, and what was found first.
fn found(manifest: &Manifest) -> String {
    let verification = manifest.verification.as_ref();
    let finding = verification.and_then(|verification| verification.findings.first());
    let finding = finding.map_or("", String::as_str);
    format!("{}: {finding}", manifest.name)
}

fn uncopied(error: &StoreError) -> String {
    words("Backup was not uploaded", &chain(error), error.hint())
}

fn words(what: &str, cause: &str, hint: Option<&str>) -> String {
    let hint = hint.map(|hint| format!("\nhint: {hint}"));
    format!("{what}: {cause}{}", hint.unwrap_or_default())
}

#[cfg(test)]
mod tests;
