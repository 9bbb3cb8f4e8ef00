//! The bucket tried out: the store does it and tells.

use rollsnap_store::{Effort, Store};

use super::{Outcome, Part, Trial};
use crate::assembly;
use crate::config::Settings;

/// The store's trial that tells whose keys are used.
pub(super) const CREDENTIALS: &str = "credentials";

pub(super) async fn try_out(settings: &Settings, effort: Effort) -> Vec<Trial> {
    let store = match assembly::remote_to_try(settings) {
        Ok(Some(store)) => store,
        Ok(None) => {
            let why = "none is configured: snapshots have no second copy";
            let outcome = Outcome::Untried(why.to_owned());
            return vec![Trial::new(Part::Bucket, "", "bucket", outcome)];
        }
        Err(failure) => {
            let name = settings.bucket.value.as_ref().map(|bucket| &bucket.name);
            let location = name.map(|name| format!("s3://{}", name.value));
            let location = location.unwrap_or_default();
            return vec![Trial::new(
                Part::Bucket,
                location,
                "settings",
                Outcome::Failed(failure),
            )];
        }
    };
    let location = store.location().to_string();
    let probes = store.probe(effort).await.into_iter();
    probes
        .map(|probe| Trial::of_probe(Part::Bucket, &location, probe))
        .collect()
}
