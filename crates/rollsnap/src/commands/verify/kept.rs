//! A snapshot that the directory keeps: what is found of it is written into its manifest, for
//! retention counts on what manifests say.

use std::time::Duration;

use rollsnap_engine::examine::Examined;
use rollsnap_engine::{Manifest, image, proof};
use rollsnap_store::local::LocalDir;

use crate::assembly;
use crate::commands::Context;
use crate::commands::operand::Operand;
use crate::config::Settings;
use crate::output;
use crate::report::Failure;

/// A snapshot of the directory, and the manifest beside it as it was before.
pub(super) struct Kept {
    dir: LocalDir,
    manifest: Manifest,
}

impl Kept {
    /// The snapshot that is meant, if it is one of the directory's and has a manifest that fits.
    pub(super) async fn find(context: &Context, operand: &str) -> Option<Self> {
        // Whoever verifies a file needs no settings.
        let settings = Settings::read(context.inputs()).0;
        let name = match Operand::parse(operand).ok()? {
            Operand::Name(name) => name,
            Operand::File(path) => {
                let here = settings.dir.value.canonicalize().ok()?;
                let is_here = path.parent()?.canonicalize().ok()? == here;
                path.file_name()?.to_str().filter(|_| is_here)?
            }
            Operand::Stdin | Operand::Object { .. } => return None,
        };
        let dir = assembly::local_to_read(&settings).ok()?;
        let found = image::find(&dir, name).await.ok()??;
        let manifest = found.manifest?;
        Some(Self { dir, manifest })
    }

    /// Its manifest with what was found.
    pub(super) fn judge(&self, context: &Context, found: Examined, took: Duration) -> Manifest {
        proof::judge(self.manifest.clone(), found, context.clock.now(), took)
    }

    /// Writes that down. Returns whether it was; what keeps it from being written is told, and
    /// changes nothing of the answer.
    pub(super) async fn record(&self, judged: &Manifest) -> bool {
        match proof::record(&self.dir, &self.manifest, judged).await {
            Ok(recorded) => recorded,
            Err(error) => {
                let why = Failure::from(error);
                output::complain(&format!(
                    "rollsnap: what was found of {} is not written into its manifest: {}",
                    judged.name, why.message
                ));
                false
            }
        }
    }
}
