//! Several who hear the same.

use std::sync::Arc;

use rollsnap_engine::event::{Event, Observer};

/// Tells each event to every one of them, in their order: the log comes first.
pub struct Listeners(pub Vec<Arc<dyn Observer>>);

impl Observer for Listeners {
    fn tell(&self, event: Event<'_>) {
        for listener in &self.0 {
            listener.tell(event.clone());
        }
    }
}
