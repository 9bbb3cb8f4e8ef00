//! What is there before a restore, and whether it has a past in common with the snapshot.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::disk::fault;
use super::error::RestoreError;
use super::site::Place;
use crate::look::{self, Difference, ReadAt};
use crate::manifest::Id;

/// The database in a data directory; `None` where there is none.
///
/// A server that was not stopped in order may hold more in its log.
pub fn database_in(data_dir: &Path) -> Result<Option<File>, RestoreError> {
    let path = data_dir.join("member/snap/db");
    match File::open(&path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(fault("open", &path, error)),
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// The revision of the database that is in a data directory now; `None` where there is none that
/// can be read. Clients may know it.
pub fn revision_in(data_dir: &Path) -> Option<u64> {
    let file = database_in(data_dir).ok()??;
    let revisions = look::revisions(&file).ok()?;
    Some(*revisions.end())
}

/// The cluster that the members in a database founded; `None` where nobody can tell. One whose
/// members came and went has another id than this.
pub fn cluster_in(file: &dyn ReadAt) -> Option<Id> {
    let members = look::members(file).ok()?;
    (!members.is_empty()).then(|| Id(look::cluster_id(&members)))
}

/// The clusters of the directories that restores kept beside this one, as far as they can be read.
pub fn kept_clusters(place: &Place) -> Vec<Id> {
    let of = |kept: PathBuf| {
        // Where the data directory is a mount point it is `member` that was kept.
        let databases = [kept.join("member/snap/db"), kept.join("snap/db")];
        let file = databases.iter().find_map(|path| File::open(path).ok())?;
        cluster_in(&file)
    };
    let kept = place.all_kept().unwrap_or_default();
    kept.into_iter().filter_map(of).collect()
}

/// Whether two databases have so little in common that neither is what the other was: of the
/// smaller one's keys hardly any was created in both at the same revision. What was restored keeps
/// the revisions at which its keys were created, so whatever came of one store has such keys,
/// unless all were written anew since.
pub fn are_strangers(all: &Difference) -> bool {
    let least = all.here.min(all.there);
    all.kin.saturating_mul(HARDLY) < least
}

/// One in so many: a few keys are created at the same revisions by chance, in clusters that began
/// with the same steps.
const HARDLY: u64 = 50;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_common_keys_are_chance_and_an_empty_store_is_nobodys() {
        for (here, there, kin, expected) in [
            (0, 0, 0, false),
            (0, 900, 0, false),
            (900, 0, 0, false),
            (1, 1, 0, true),
            (1, 1, 1, false),
            (5000, 400, 7, true),
            (5000, 400, 8, false),
        ] {
            let all = Difference {
                here,
                there,
                kin,
                ..Difference::default()
            };
            assert_eq!(are_strangers(&all), expected, "{all:?}");
        }
    }
}
