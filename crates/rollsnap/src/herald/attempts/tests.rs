use std::time::Duration;

use rollsnap_engine::catalog::Entry;
use rollsnap_store::{ErrorKind, Location};

use super::*;

const TOOK: Duration = Duration::from_secs(1);

/// A snapshot of a member, with so much of a manifest as decides here.
fn manifest(name: &str, member: &str, result: &str) -> Manifest {
    let digest = "0".repeat(64);
    let text = format!(
        r#"{{"format":1,"name":"{name}","class":"rolling","order":1,"cluster_id":"a",
        "member_id":"{member}","etcd_version":"3.5.1","revision":7,"raft_term":1,
        "raft_applied_index":1,"database":{{"digest":"{digest}","size":1}},
        "stored":{{"codec":"none","digest":"{digest}","size":1}},
        "started_at":"2026-05-01T12:00:00Z","finished_at":"2026-05-01T12:00:00Z","tool":"t",
        "verification":{{"method":"deep","result":"{result}","at":"2026-05-01T12:00:01Z",
        "seconds":1,"tool":"t","findings":["node2 differs"]}}}}"#
    );
    serde_json::from_str(&text).unwrap()
}

fn held(name: &str) -> Manifest {
    manifest(name, "b", "held")
}

fn attempts(is_deep: bool, has_bucket: bool) -> Attempts {
    Attempts {
        is_deep,
        has_bucket,
        ..Attempts::default()
    }
}

fn place() -> Location {
    Location::new("s3://b")
}

fn trouble() -> StoreError {
    StoreError::at(
        ErrorKind::Unavailable,
        "list",
        "s3://b",
        "connection refused",
    )
}

impl Attempts {
    fn begins(&mut self, name: &str) -> Option<News> {
        let name = SnapshotName::new(name).unwrap();
        self.hear(&Event::Begins { name: &name })
    }

    fn saved(&mut self, name: &str) -> Option<News> {
        let (manifest, took) = (&held(name), TOOK);
        self.hear(&Event::Saved { manifest, took })
    }

    fn verified(&mut self, manifest: &Manifest) -> Option<News> {
        let took = TOOK;
        self.hear(&Event::Verified { manifest, took })
    }

    fn uploaded(&mut self, name: &str) -> Option<News> {
        self.hear(&Event::Uploaded {
            manifest: &held(name),
            location: &place(),
            took: TOOK,
            resumed: 0,
        })
    }

    fn listed(&mut self, manifest: Manifest) -> Option<News> {
        let entry = Entry {
            name: manifest.name.clone(),
            codec: manifest.stored.codec,
            size: 1,
            modified: None,
            standing: Standing::Proved(Box::new(manifest)),
        };
        let catalog = &Catalog {
            entries: vec![entry],
            ..Catalog::default()
        };
        self.hear(&Event::RemoteListed { catalog })
    }

    fn goes_down(&mut self) -> Option<News> {
        self.hear(&Event::RemoteDown {
            location: &place(),
            error: &trouble(),
            owed: 1,
        })
    }

    fn comes_back(&mut self) -> Option<News> {
        let location = &place();
        self.hear(&Event::RemoteBack { location })
    }
}

fn uncopied_news() -> News {
    let words = "Backup was not uploaded: list s3://b: connection refused";
    News::Failed(words.to_owned())
}

#[test]
fn without_a_bucket_an_attempt_stands_once_it_is_proved_as_deep_as_is_wanted() {
    let mut deep = attempts(true, false);
    assert_eq!(deep.begins("n"), Some(News::Begun));
    assert_eq!(deep.saved("n"), None);
    assert_eq!(deep.verified(&held("n")), Some(News::Stands));
    let mut plain = attempts(false, false);
    plain.begins("n");
    assert_eq!(plain.saved("n"), Some(News::Stands));
}

#[test]
fn what_is_taken_by_hand_or_proved_late_is_no_attempt() {
    let mut all = attempts(true, false);
    assert_eq!(all.saved("by-hand"), None);
    assert_eq!(all.verified(&held("by-hand")), None);
    all.begins("n");
    assert_eq!(all.verified(&held("old")), None);
    assert_eq!(all.verified(&held("n")), Some(News::Stands));
}

#[test]
fn a_disputed_snapshot_is_a_failure() {
    let mut all = attempts(true, true);
    all.begins("n");
    let words = "Members disagree about a snapshot: n: node2 differs";
    let news = all.verified(&manifest("n", "b", "disputed"));
    assert_eq!(news, Some(News::Failed(words.to_owned())));
    assert_eq!(all.uploaded("n"), None, "a copy makes it no better");
}

#[test]
fn with_a_bucket_it_stands_once_it_is_there_and_the_next_may_have_begun() {
    let mut all = attempts(true, true);
    all.begins("n1");
    assert_eq!(all.verified(&held("n1")), None);
    all.begins("n2");
    assert_eq!(all.uploaded("n0"), None);
    assert_eq!(all.uploaded("n1"), Some(News::Stands));
    assert_eq!(all.uploaded("n1"), None);
}

#[test]
fn a_copy_whose_upload_nobody_told_of_is_found_and_anothers_of_its_name_is_not_it() {
    let mut all = attempts(true, true);
    all.begins("n");
    all.verified(&held("n"));
    assert_eq!(all.listed(manifest("n", "c", "held")), None);
    assert_eq!(all.listed(held("n")), Some(News::Stands));
    assert_eq!(all.listed(held("n")), None);
}

#[test]
fn while_the_bucket_fails_each_attempt_does_and_all_is_well_once_it_is_paid() {
    let mut all = attempts(true, true);
    all.begins("n1");
    all.verified(&held("n1"));
    assert_eq!(all.goes_down(), Some(uncopied_news()));
    assert_eq!(all.begins("n2"), Some(News::Begun));
    assert_eq!(all.verified(&held("n2")), Some(uncopied_news()));
    assert_eq!(all.uploaded("n2"), Some(News::Stands));
    // An older one fails meanwhile, and then does not.
    assert_eq!(all.goes_down(), Some(uncopied_news()));
    assert_eq!(all.uploaded("n1"), None);
    assert_eq!(all.comes_back(), Some(News::Stands));
    assert_eq!(all.comes_back(), None);
}

#[test]
fn a_bucket_that_comes_back_does_not_mend_what_failed_here() {
    let mut all = attempts(true, true);
    all.begins("n1");
    all.verified(&manifest("n1", "b", "disputed"));
    all.goes_down();
    assert_eq!(all.comes_back(), None);
}

#[test]
fn a_name_that_is_taken_in_the_bucket_is_a_failure() {
    let mut all = attempts(true, true);
    all.begins("n");
    all.verified(&held("n"));
    let name = &SnapshotName::new("n").unwrap();
    let error = &trouble();
    let news = all.hear(&Event::NotCopied { name, error });
    assert_eq!(news, Some(uncopied_news()));
    assert_eq!(all.uploaded("n"), None);
}
