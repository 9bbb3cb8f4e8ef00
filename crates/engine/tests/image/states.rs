//! The state of the cluster that lies in a zip beside the snapshot.

use rollsnap_engine::Kind;
use rollsnap_engine::image::state_in;
use zip::CompressionMethod;
use zip::write::SimpleFileOptions;

use crate::kit::{NAME, STATE, database, frames, zip, zip_with};

#[test]
fn what_the_sidecar_enclosed_is_given_back() {
    let read = |release: &str| {
        let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/rke");
        let stored = std::fs::read(format!("{dir}/v0.1.{release}.mysnapshot.zip")).unwrap();
        state_in(&stored).unwrap()
    };
    for release in ["44", "56"] {
        assert!(read(release).is_none(), "{release}");
    }
    for release in ["62", "83", "111"] {
        let state = read(release).unwrap();
        let state: serde_json::Value = serde_json::from_slice(&state).unwrap();
        assert!(state.get("desiredState").is_some(), "{release}");
    }
}

#[test]
fn what_is_no_zip_or_has_no_state_gives_none() {
    let plain = database(9000, 1);
    for stored in [
        vec![],
        plain.clone(),
        frames(&plain),
        zip(&[(NAME, &plain)]),
    ] {
        assert!(state_in(&stored).unwrap().is_none());
    }
}

#[test]
fn a_state_alone_is_one_and_several_are_none() {
    let alone = zip(&[("any.rkestate", b"{}")]);
    assert_eq!(&**state_in(&alone).unwrap().unwrap(), b"{}");
    let several = zip(&[(STATE, b"{}"), ("b.rkestate", b"{}")]);
    let error = state_in(&several).unwrap_err();
    assert!(error.to_string().contains("b.rkestate"), "{error}");
    assert_eq!(error.kind(), Kind::Usage);
}

#[test]
fn a_state_of_another_size_than_is_told_is_an_error() {
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let stored = zip_with(&[(STATE, b"{\"a\": 1}")], options);
    // The plain size in the central directory (APPNOTE.TXT, 4.3.12).
    let directory = stored.windows(4).position(|four| four == b"PK\x01\x02");
    let size = directory.unwrap() + 24;
    assert_eq!(stored[size], 8);
    for (told, kind) in [
        (7_u32, Kind::Corrupt),
        (9, Kind::Corrupt),
        (u32::MAX - 1, Kind::Usage),
    ] {
        let mut lying = stored.clone();
        lying[size..size + 4].copy_from_slice(&told.to_le_bytes());
        assert_eq!(state_in(&lying).unwrap_err().kind(), kind, "{told}");
    }
}
