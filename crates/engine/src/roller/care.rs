//! What etcd tells at the start, and what its plight changes about saves and rotation.

use std::sync::Arc;

use super::{Roller, State};
use crate::Catalog;
use crate::event::Event;
use crate::gentle::Hearer;
use crate::manifest::Id;
use crate::pipeline::Pipeline;
use crate::retention::Guard;

/// What is known of it from one attempt to the next.
#[derive(Default)]
pub(super) struct Care {
    /// The last attempt was let go for what its pace cost etcd: the next has none.
    pub(super) is_hasty: bool,
    /// The cluster has no space left for writes. Who frees it may delete what was meant to stay,
    /// so every snapshot from before stays until that is over.
    pub(super) is_held: bool,
}

impl Roller {
    /// The pipeline of the next attempt.
    pub(super) fn careful(&self, state: &State) -> Pipeline {
        let mut pipeline = self.pipeline.clone();
        pipeline.hearer = Hearer::new(Arc::clone(&self.observer));
        if state.care.is_hasty {
            pipeline.max_rate = None;
        }
        pipeline
    }

    /// Holds retention, or lets it go on.
    pub(super) fn hold(&self, state: &mut State, has_no_space: bool) {
        state.rounds.hold(has_no_space);
        if state.care.is_held != has_no_space {
            state.care.is_held = has_no_space;
            self.observer.tell(Event::RetentionHeld(has_no_space));
        }
    }

    /// Whose snapshots these are: the member's own word, or while it is silent that of the
    /// newest snapshot. Members may share a directory, and a member may be rebuilt. With it,
    /// whether the cluster has no space left.
    pub(super) async fn guard(&self, catalog: &Catalog) -> (Option<Guard>, bool) {
        let source = &self.pipeline.source;
        match source.status().await {
            Ok(status) => {
                let (cluster, member) = (Id(status.cluster_id), Id(status.member_id));
                let fellows = source.fellows().into_iter().collect();
                let guard = Guard {
                    cluster,
                    member,
                    fellows,
                };
                (Some(guard), status.has_no_space())
            }
            // The first save tells what is wrong.
            Err(_) => (catalog.newest().map(Guard::of), false),
        }
    }
}
