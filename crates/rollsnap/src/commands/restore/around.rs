//! A look around before a restore: into the directory that it replaces, and at a live member, which is
//! saved first.

use std::path::Path;
use std::sync::Arc;

use rollsnap_engine::image::Access;
use rollsnap_engine::look::Difference;
use rollsnap_engine::manifest::Id;
use rollsnap_engine::restore::{self, Place, RestoreError, kept_clusters};
use rollsnap_etcd::{MemberStatus, Members, Source as _};

use super::Context;
use super::beside::{self, Beside};
use super::live::{self, Live};
use super::plan::Plan;
use crate::cli::restore::Restore;
use crate::commands::opened::Opened;
use crate::commands::operand::Operand;
use crate::commands::save;
use crate::report::Failure;

/// Who looks.
pub(super) struct Around<'a> {
    pub(super) context: &'a Context,
    pub(super) request: &'a Restore,
    pub(super) snapshot: &'a Opened,
    /// Whether this run does what it plans.
    pub(super) acts: bool,
}

impl Around<'_> {
    /// Adds to the plan what is there. An error where a member answers that cannot be saved.
    pub(super) async fn look(&self, live: Live, plan: &mut Plan) -> Result<(), Failure> {
        let place = Place::of(Path::new(&self.request.data_dir));
        let kept = place.map(|place| kept_clusters(&place)).unwrap_or_default();
        // What a server writes to is half-written at any moment.
        if !plan.is_in_use() {
            self.look_into_directory(plan, &kept).await;
        }
        let acts = self.acts && plan.verdict().is_ok();
        match live {
            Live::Unasked => {}
            Live::Silent(why) => plan.note(
                "live",
                format!("NO safety snapshot: no live member is compared: {why}"),
            ),
            Live::Refuses(failure) if acts => return Err(live::not_saved(failure)),
            Live::Refuses(failure) => plan.note("live", live::not_saved(failure).message),
            Live::There(members, status) if acts => {
                self.save(&members, &status, plan, &kept).await?;
            }
            Live::There(members, status) => {
                let place = place_of(&members, &status);
                let compared =
                    beside::member(self.context, self.snapshot, &members, &status, place);
                match compared.await {
                    Ok(there) => plan.compare(there),
                    Err(failure) => {
                        let text = format!("the live member is not compared: {}", failure.message);
                        plan.note("live", text);
                    }
                }
            }
        }
        Ok(())
    }

    async fn save(
        &self,
        members: &Members,
        status: &MemberStatus,
        plan: &mut Plan,
        kept: &[Id],
    ) -> Result<(), Failure> {
        let saved = save::before_restore(self.context).await;
        let (manifest, path) = saved.map_err(live::not_saved)?;
        let saved = Operand::open(self.context, &path, Access::All).await?;
        let bytes = saved.image.bytes();
        let place = place_of(members, status);
        let compared = beside::database(self.context, self.snapshot, bytes, place);
        let (mut there, all) = compared.await?;
        if self.stranger(&there, &all, plan, kept).is_some() {
            // Only key by key a stranger is known, so it was saved; but nothing will be done to it.
            drop(saved);
            if let Err(failure) = save::not_before_restore(self.context, &manifest).await {
                let (name, why) = (&manifest.name, failure.message);
                plan.note("live", format!("{name} was saved of it, and stays: {why}"));
            }
        } else {
            there.saved_as = Some(manifest.name.to_string());
        }
        self.judge((there, all), plan, kept);
        Ok(())
    }

    /// What cannot be read there is told, and is no obstacle: it may be why somebody restores.
    async fn look_into_directory(&self, plan: &mut Plan, kept: &[Id]) {
        let data_dir = &self.request.data_dir;
        let file = match restore::database_in(Path::new(data_dir)) {
            Ok(None) => return,
            Ok(Some(file)) => file,
            Err(error) => {
                let text = format!("what is there is not compared: {error}");
                return plan.note("directory", text);
            }
        };
        let place = beside::Place {
            what: "directory",
            location: data_dir.clone(),
            cluster_id: restore::cluster_in(&file),
        };
        let compared = beside::database(self.context, self.snapshot, Arc::new(file), place);
        match compared.await {
            Ok(compared) => self.judge(compared, plan, kept),
            Err(failure) => {
                let text = format!("what is there cannot be compared: {}", failure.message);
                plan.note("directory", text);
            }
        }
    }

    fn judge(&self, (there, all): (Beside, Difference), plan: &mut Plan, kept: &[Id]) {
        let stranger = self.stranger(&there, &all, plan, kept);
        plan.compare(there);
        if let Some(stranger) = stranger {
            plan.stop(stranger);
        }
    }

    /// Refuses another cluster, unless one is wanted.
    fn stranger(
        &self,
        there: &Beside,
        all: &Difference,
        plan: &Plan,
        kept: &[Id],
    ) -> Option<RestoreError> {
        let stranger = there.stranger(plan.cluster(), all, kept);
        stranger.filter(|_| !self.request.other_cluster)
    }
}

fn place_of(members: &Members, status: &MemberStatus) -> beside::Place {
    beside::Place {
        what: "member",
        location: members.endpoint().to_owned(),
        cluster_id: Some(Id(status.cluster_id)),
    }
}
