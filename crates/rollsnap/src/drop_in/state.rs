//! The cluster's state beside a snapshot: where it is found, and what the old program said of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rollsnap_engine::SnapshotName;
use rollsnap_engine::enclosure::Enclosure;
use rollsnap_rke::argv::{Form, Save};
use rollsnap_rke::state_file::{self, DIRECTORY, KUBECONFIG, News, Origin, StateFile};
use rollsnap_rke::wording;
use tracing::{info, warn};

use crate::config::Environment;
use crate::report::chain;

/// The variable that says another place than [`DIRECTORY`].
const DIRECTORY_ENV: &str = "ROLLSNAP_KUBERNETES";

/// Who gives the state to the snapshots of a call; nobody for the older form, which knew of none.
pub(super) fn enclosure(save: &Save, environment: &Environment) -> Option<Arc<dyn Enclosure>> {
    let directory = directory(environment);
    let state = match (save.form, save.once) {
        (Form::Rolling, _) => return None,
        (Form::EtcdBackup, true) => StateFile::new(
            Origin::Placed(directory),
            Box::new(|news| tell_placed(&news)),
        ),
        (Form::EtcdBackup, false) => {
            let kubeconfig = Path::new(KUBECONFIG);
            let below = kubeconfig.strip_prefix(DIRECTORY).unwrap_or(kubeconfig);
            StateFile::new(
                Origin::Asked(directory.join(below)),
                Box::new(|news| tell(&news)),
            )
        }
    };
    Some(Arc::new(state))
}

/// Removes what RKE has laid beside a single snapshot that stands, as the old program did.
pub(super) fn forget(name: &SnapshotName, environment: &Environment) {
    if let Err(error) = state_file::remove_placed(&directory(environment), name) {
        warn!(error = chain(&error), "{}", wording::STATE_NOT_REMOVED);
    }
}

fn directory(environment: &Environment) -> PathBuf {
    environment.get(DIRECTORY_ENV).unwrap_or(DIRECTORY).into()
}

fn tell(news: &News<'_>) {
    match news {
        News::Trying { attempt, name } => info!(attempt, name = %name, "{}", wording::ASKING_STATE),
        News::Failed {
            attempt,
            name,
            error,
        } => warn!(attempt, err = chain(*error), name = %name, "{}", wording::STATE_NOT_GIVEN),
        News::Without { name, error } => {
            warn!(error = chain(*error), name = %name, "{}", wording::NO_STATE);
        }
        News::Found { path } => info!(filepath = path, "{}", wording::STATE_WRITTEN),
    }
}

/// Of a state that was laid there nothing was said but what is wrong.
fn tell_placed(news: &News<'_>) {
    if !matches!(news, News::Found { .. }) {
        tell(news);
    }
}
