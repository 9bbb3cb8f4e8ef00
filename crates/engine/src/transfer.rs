//! One snapshot from one store to another, proved on the way.

use futures_util::TryStreamExt;
use rollsnap_snapfile::Digest;
use rollsnap_store::{ErrorKind, ObjectName, SpoolStore, Store, StoreError, Terms, Upload};
use sha2::{Digest as _, Sha256};

use crate::catalog::Entry;
use crate::follow::{occupied, put_manifest};
use crate::manifest::Content;
use crate::read_back::is_copy_of;
use crate::reconcile::content_of;
use crate::tickets::Tickets;
use crate::{Manifest, replacement};

/// What there was in the place of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Copied {
    /// Nothing, the copy itself without its manifest, or a snapshot that it was to replace.
    New,
    /// A copy of the same snapshot that is no longer what had been uploaded.
    Replaced,
}

/// Copies one stored snapshot from a store to another, proving on the way that it still is what
/// its manifest says.
pub async fn copy(
    from: &dyn Store,
    to: &dyn Store,
    entry: &Entry,
    manifest: &Manifest,
) -> Result<Copied, StoreError> {
    let transfer = Transfer {
        from,
        to,
        entry,
        manifest,
        earlier: None,
        replaces: false,
    };
    match transfer.run().await {
        Ok(done) => Ok(done.copied),
        Err(CopyError::Local(error) | CopyError::Remote(error) | CopyError::Taken(error)) => {
            Err(error)
        }
    }
}

/// What is to be copied, and where.
pub(crate) struct Transfer<'a> {
    pub(crate) from: &'a dyn Store,
    pub(crate) to: &'a dyn Store,
    pub(crate) entry: &'a Entry,
    pub(crate) manifest: &'a Manifest,
    /// Where uploads of earlier runs are found, of which one may be gone on with.
    pub(crate) earlier: Option<Earlier<'a>>,
    /// Whether it takes the place of another snapshot of its name, unless that is another
    /// cluster's.
    pub(crate) replaces: bool,
}

/// Uploads of earlier runs.
#[derive(Clone, Copy)]
pub(crate) struct Earlier<'a> {
    pub(crate) tickets: &'a Tickets,
    /// Where their content is.
    pub(crate) local: &'a dyn SpoolStore,
}

/// How a transfer ended.
pub(crate) struct Done {
    pub(crate) copied: Copied,
    /// The bytes that an earlier upload had sent already.
    pub(crate) resumed: u64,
}

/// Why a snapshot could not be copied, by the side that failed.
#[derive(Debug)]
pub(crate) enum CopyError {
    Local(StoreError),
    Remote(StoreError),
    /// Another object has the name there.
    Taken(StoreError),
}

impl Transfer<'_> {
    /// Copies, and writes the manifest last. What is there already is never taken for the copy
    /// unless it is equal byte for byte.
    pub(crate) async fn run(&self) -> Result<Done, CopyError> {
        let (object, content) = (self.entry.object(), self.manifest.stored.content);
        let there = self.to.list(self.manifest.name.as_str()).await;
        let there = there.map_err(CopyError::Remote)?;
        let find = |name: &ObjectName| there.iter().find(|there| there.name == *name);
        let mut done = Done {
            copied: Copied::New,
            resumed: 0,
        };
        let is_whole = match (find(&object), find(&self.manifest.name.manifest())) {
            (None, None) => match self.send(Terms::new_of(self.entry.size)).await {
                Ok(resumed) => {
                    done.resumed = resumed;
                    true
                }
                // Somebody else's copy of it, or another object, came first.
                Err(CopyError::Remote(error)) if error.kind() == ErrorKind::AlreadyExists => {
                    self.holds(&object, content).await?
                }
                Err(error) => return Err(error),
            },
            // An upload that was whole when its run died lacks only the manifest.
            (Some(there), _) if there.size == content.size => self.holds(&object, content).await?,
            _ => false,
        };
        if !is_whole {
            let is_copy = is_copy_of(self.to, self.manifest).await;
            if is_copy.map_err(CopyError::Remote)? {
                done.copied = Copied::Replaced;
            } else {
                self.take_place(&object).await?;
            }
            let terms = Terms {
                replaces: true,
                ..Terms::new_of(self.entry.size)
            };
            self.send(terms).await?;
        }
        let put = async {
            put_manifest(self.to, self.manifest).await?;
            if self.replaces {
                replacement::supersede(self.to, self.manifest).await?;
            }
            Ok(done)
        };
        put.await.map_err(CopyError::Remote)
    }

    /// Takes away what lies beside another snapshot of its name, or refuses to replace that.
    async fn take_place(&self, object: &ObjectName) -> Result<(), CopyError> {
        let (name, cluster) = (&self.manifest.name, self.manifest.cluster_id);
        if !self.replaces {
            return Err(CopyError::Taken(occupied(self.to.location(), object)));
        }
        match replacement::refuse_another(self.to, name, cluster).await {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                return Err(CopyError::Taken(error));
            }
            done => done.map_err(CopyError::Remote)?,
        }
        let stripped = replacement::strip(self.to, name).await;
        stripped.map_err(CopyError::Remote)
    }

    /// Whether the object there is the copy.
    async fn holds(&self, object: &ObjectName, content: Content) -> Result<bool, CopyError> {
        let held = content_of(self.to, object).await;
        Ok(held.map_err(CopyError::Remote)? == content)
    }

    /// Sends the object. Returns the bytes that were there already.
    async fn send(&self, terms: Terms) -> Result<u64, CopyError> {
        let object = self.entry.object();
        let earlier = self.earlier.filter(|_| !terms.replaces);
        let resumed = match earlier {
            Some(earlier) => earlier.resume(self.to, &object).await?,
            None => None,
        };
        let mut upload = match resumed {
            Some(upload) => upload,
            None => self
                .to
                .begin(&object, terms)
                .await
                .map_err(CopyError::Remote)?,
        };
        let written = upload.written();
        match self.pour(&mut *upload).await {
            Ok(()) => {
                upload.commit().await.map_err(CopyError::Remote)?;
                Ok(written)
            }
            // What arrived may be gone on with.
            Err(error @ CopyError::Remote(_)) => Err(error),
            Err(error) => {
                // The first error tells why; a failing clean-up only leaves invisible parts.
                let _ = upload.abort().await;
                Err(error)
            }
        }
    }

    /// Reads the object into the upload, which has its first bytes perhaps, and compares it with
    /// what it must be.
    async fn pour(&self, upload: &mut dyn Upload) -> Result<(), CopyError> {
        let (object, expected) = (self.entry.object(), self.manifest.stored.content.digest);
        let mut hash = Sha256::new();
        let mut known = upload.written();
        let pieces = self.from.read(&object, None).await;
        let mut pieces = pieces.map_err(CopyError::Local)?;
        while let Some(mut piece) = pieces.try_next().await.map_err(CopyError::Local)? {
            hash.update(&piece);
            let size = piece.len() as u64;
            let skipped = known.min(size);
            known -= skipped;
            let skipped = usize::try_from(skipped).unwrap_or(piece.len());
            let news = piece.split_off(skipped);
            if !news.is_empty() {
                upload.write(news).await.map_err(CopyError::Remote)?;
            }
        }
        let digest = Digest(hash.finalize().into());
        if digest == expected {
            return Ok(());
        }
        let message = format!("digest is {digest}, its manifest tells of {expected}");
        let (kind, location) = (ErrorKind::Corrupt, self.from.location());
        Err(CopyError::Local(
            StoreError::new(kind, "read", location, &object, message).with_hint(
                "it changed after it was proved: check the disk or the bucket that holds it",
            ),
        ))
    }
}

impl Earlier<'_> {
    /// The upload of that object that an earlier run began, where it can be gone on with.
    async fn resume(
        self,
        to: &dyn Store,
        object: &ObjectName,
    ) -> Result<Option<Box<dyn Upload>>, CopyError> {
        let Self { tickets, local } = self;
        let ticket = tickets.find(object).await.map_err(CopyError::Local)?;
        let Some(ticket) = ticket else {
            return Ok(None);
        };
        let content = local.open(object).await.map_err(CopyError::Local)?;
        let upload = to.resume(object, &ticket, content.into()).await;
        let upload = upload.map_err(CopyError::Remote)?;
        if upload.is_none() {
            tickets.remove(object).await.map_err(CopyError::Local)?;
        }
        Ok(upload)
    }
}
