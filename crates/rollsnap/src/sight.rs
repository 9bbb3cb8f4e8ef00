//! What lies in both stores, as far as it can be seen: what is here is told, whatever the bucket
//! says.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use rollsnap_engine::catalog::{Catalog, Reader};
use rollsnap_engine::retention::Guard;
use rollsnap_engine::standing::There;

use crate::assembly;
use crate::config::Settings;
use crate::report::Failure;
use crate::rules::{Plans, Rules};

/// Both stores at one moment.
#[derive(Debug)]
pub struct Sight {
    /// The directory.
    pub here: Catalog,
    /// What was found broken in it and moved aside.
    pub aside: Catalog,
    /// The bucket, as it was seen last; `None` where it was not.
    pub there: Option<Arc<Catalog>>,
    /// Why it cannot be seen now.
    pub unseen: Option<Failure>,
    /// Whether there is one.
    pub has_bucket: bool,
}

impl Sight {
    /// Reads the directory, which must be there, and the bucket, which may be out of reach.
    pub async fn of(settings: &Settings) -> Result<Self, Failure> {
        let local = assembly::local_to_read(settings)?;
        let remote = assembly::remote(settings)?;
        let mut sight = Self {
            here: Reader::default().read(&local).await?,
            aside: Reader::default().read(&local.quarantine()).await?,
            there: None,
            unseen: None,
            has_bucket: remote.is_some(),
        };
        if let Some(remote) = remote {
            match Reader::default().read(&*remote).await {
                Ok(there) => sight.there = Some(Arc::new(there)),
                Err(error) => sight.unseen = Some(error.into()),
            }
        }
        Ok(sight)
    }

    /// Everything that is known to be in the bucket.
    pub fn bucket(&self) -> Arc<Catalog> {
        self.there.clone().unwrap_or_default()
    }

    /// Why it is not all that the bucket holds; `None` where it is.
    pub fn why_unseen(&self) -> Option<&str> {
        match (&self.there, &self.unseen) {
            _ if !self.has_bucket => None,
            (_, Some(why)) => Some(&why.message),
            (None, None) => Some("the bucket has not been read yet"),
            (Some(_), None) => None,
        }
    }

    /// The bucket, for whoever judges how the backups stand.
    pub fn there(&self) -> There<'_> {
        match (&self.there, &self.unseen) {
            _ if !self.has_bucket => There::Nowhere,
            (Some(there), _) => There::Known(there),
            (None, Some(why)) => There::Unseen(&why.message),
            (None, None) => There::Unasked,
        }
    }

    /// What retention would do now: nothing, while no snapshot tells whose these are.
    pub fn plans(&self, rules: &Rules, now: DateTime<Utc>) -> Plans {
        let guard = self.here.newest().map(Guard::of);
        let plans = |guard| rules.plans(guard, &self.here, self.there.as_deref(), now);
        guard.map(plans).unwrap_or_default()
    }
}
