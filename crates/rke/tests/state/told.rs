//! What is told meanwhile, line by line.

use std::sync::{Arc, Mutex};

use rollsnap_engine::SnapshotName;
use rollsnap_engine::enclosure::{Enclosed, Enclosure as _};
use rollsnap_rke::state_file::{News, Origin, StateFile};

pub(crate) const NAME: &str = "2026-11-22T22:27:06Z_etcd";

/// Fetches the state for [`NAME`], and returns what was told of it.
pub(crate) async fn fetch(origin: Origin) -> (Option<Enclosed>, Vec<String>) {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&lines);
    let tell = move |news: News<'_>| heard.lock().unwrap().push(line(&news));
    let state = StateFile::new(origin, Box::new(tell));
    let name = SnapshotName::new(NAME).unwrap();
    let enclosed = state.enclosed(&name).await;
    let lines = lines.lock().unwrap().clone();
    (enclosed, lines)
}

fn line(news: &News<'_>) -> String {
    match news {
        News::Trying { attempt, .. } => format!("trying {attempt}"),
        News::Failed { attempt, error, .. } => format!("failed {attempt}: {error}"),
        News::Without { error, .. } => format!("without: {error}"),
        News::Found { path } => format!("found {path}"),
    }
}
