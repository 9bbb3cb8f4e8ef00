//! The directory tried out, and whether the next snapshot has room in it.

use std::io;
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rollsnap_engine::Kind;
use rollsnap_store::local::LocalDir;
use rollsnap_store::{Effort, Store, StoreError};
use rustix::fs::{Access, access};

use super::{Outcome, Part, Trial};
use crate::assembly;
use crate::config::Settings;
use crate::output::{Size, moment};

/// How far ahead of the clock a file may be: file systems of other machines have clocks of theirs.
const AHEAD: Duration = Duration::from_secs(60);

/// What came of it.
pub(super) struct Tried {
    location: String,
    trials: Vec<Trial>,
    /// The bytes that are free, where that is known.
    free: Option<u64>,
}

pub(super) async fn try_out(settings: &Settings, effort: Effort, now: DateTime<Utc>) -> Tried {
    let location = settings.dir.value.display().to_string();
    let not_open = |location: String, outcome| Tried {
        trials: vec![Trial::new(Part::Directory, &location, "open", outcome)],
        location,
        free: None,
    };
    if let Some(above) = above_missing(&settings.dir.value) {
        return not_open(location, missing(above));
    }
    let opened = match effort {
        Effort::Full => assembly::local(settings),
        Effort::Harmless => assembly::local_to_read(settings),
    };
    let dir = match opened {
        Ok(dir) => dir,
        Err(failure) => return not_open(location, Outcome::Failed(failure)),
    };
    let location = dir.location().to_string();
    let probes = dir.probe(effort).await.into_iter();
    let mut trials: Vec<_> = probes
        .map(|probe| Trial::of_probe(Part::Directory, &location, probe))
        .collect();
    let clock = clock(&dir, now).await;
    trials.push(Trial::new(Part::Directory, &location, "clock", clock));
    Tried {
        free: dir.free().ok().flatten(),
        trials,
        location,
    }
}

/// The directory above one of which only itself is missing: `run` and `save` make that.
fn above_missing(dir: &Path) -> Option<&Path> {
    let is_missing =
        matches!(dir.symlink_metadata(), Err(error) if error.kind() == io::ErrorKind::NotFound);
    let above = match dir.parent()? {
        here if here.as_os_str().is_empty() => Path::new("."),
        above => above,
    };
    (is_missing && above.is_dir()).then_some(above)
}

/// What is made is not made by a look at it.
fn missing(above: &Path) -> Outcome {
    match access(above, Access::WRITE_OK | Access::EXEC_OK) {
        Ok(()) => Outcome::weak(
            "is missing: the first save or run makes it",
            "check --dir again once it is there: nothing of it could be tried out",
        ),
        Err(errno) => {
            Outcome::Failed(StoreError::io("create in", above.display(), errno.into()).into())
        }
    }
}

impl Tried {
    /// All trials, with that of the room for a snapshot of `size` bytes where both are known.
    pub(super) fn with_room_for(self, size: Option<u64>) -> Vec<Trial> {
        let mut trials = self.trials;
        if let (Some(size), Some(free)) = (size, self.free) {
            trials.push(Trial::new(
                Part::Directory,
                self.location,
                "room",
                room(size, free),
            ));
        }
        trials
    }
}

/// A tenth more than the database: it grows from one snapshot to the next.
fn room(size: u64, free: u64) -> Outcome {
    let needed = size.saturating_add(size.div_ceil(10));
    let (shown, needed_shown) = (Size(free), Size(needed));
    if needed <= free {
        return Outcome::Held(format!("{needed_shown} for the next snapshot, of {shown}"));
    }
    Outcome::failed(
        Kind::Full,
        format!("the next snapshot needs {needed_shown}, free are {shown}"),
        "free space on this file system, keep fewer snapshots, or use another directory",
    )
}

/// Whether the clock went back since the newest file was written: names, ages and the schedule are
/// by it.
async fn clock(dir: &LocalDir, now: DateTime<Utc>) -> Outcome {
    let objects = match dir.list("").await {
        Ok(objects) => objects,
        Err(error) => return Outcome::Failed(error.into()),
    };
    let newest = objects.iter().filter_map(|object| object.modified).max();
    match newest {
        Some(newest) if newest > now + AHEAD => Outcome::weak(
            format!(
                "it is {}, and the newest file is of {}",
                moment(now),
                moment(newest)
            ),
            "set the clock, and keep it set (chrony, systemd-timesyncd)",
        ),
        _ => Outcome::Held(moment(now)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_more_than_the_database_must_be_free() {
        assert!(matches!(room(1000, 1100), Outcome::Held(_)));
        let Outcome::Failed(failure) = room(1000, 1099) else {
            panic!("there is no room")
        };
        assert_eq!(failure.kind, Kind::Full);
        assert!(matches!(room(u64::MAX, u64::MAX), Outcome::Held(_)));
    }

    #[tokio::test]
    async fn a_clock_behind_what_was_written_is_told() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("2026-05-01T12:00:00Z_etcd"), "x").unwrap();
        let dir = LocalDir::open_existing(folder.path()).unwrap();
        let written = dir.list("").await.unwrap()[0].modified.unwrap();
        assert!(matches!(clock(&dir, written).await, Outcome::Held(_)));
        let before = written - Duration::from_secs(3600);
        let Outcome::Weak { hint, .. } = clock(&dir, before).await else {
            panic!("the clock is believed")
        };
        assert!(hint.is_some_and(|hint| hint.contains("set the clock")));
    }
}
