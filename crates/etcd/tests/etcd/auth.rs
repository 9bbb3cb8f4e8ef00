//! Users and passwords against etcd's own auth.

use std::fs;

use rollsnap_etcd::{ErrorKind, Member, MemberConfig, Password, Secret, Source, User};
use rollsnap_testkit::etcd_real::{EtcdReal, EtcdVersion};

use crate::kit::{assert_says, config_for, drain};

const RIGHT: &str = "correct horse";

async fn guarded(version: EtcdVersion) -> EtcdReal {
    let mut etcd = EtcdReal::builder().version(version).start().await;
    etcd.put("a", "1").await;
    etcd.enable_auth(RIGHT).await;
    etcd.add_user("reader", RIGHT).await;
    etcd
}

fn member_as(etcd: &EtcdReal, name: &str, password: Password) -> Member {
    let user = Some(User {
        name: name.to_owned(),
        password,
    });
    Member::new(MemberConfig {
        user,
        ..config_for(etcd)
    })
    .unwrap()
}

fn given(password: &str) -> Password {
    Password::Given(Secret::new(password))
}

#[tokio::test]
async fn the_right_user_saves() {
    for version in EtcdVersion::ALL {
        let etcd = guarded(version).await;
        let member = member_as(&etcd, "root", given(RIGHT));
        assert_eq!(member.status().await.unwrap().version, version.number());
        drain(&member).await.database();
    }
}

#[tokio::test]
async fn every_wrong_user_is_denied_and_told_what_to_do() {
    for version in EtcdVersion::ALL {
        let etcd = guarded(version).await;

        let nobody = Member::new(config_for(&etcd)).unwrap();
        let error = drain(&nobody).await.error();
        assert_says(&error, ErrorKind::Denied, "etcd wants a user");
        assert!(error.hint().unwrap().contains("--user and --password-file"));

        let mistyped = member_as(&etcd, "root", given("wrong horse"));
        for error in [
            drain(&mistyped).await.error(),
            mistyped.status().await.unwrap_err(),
        ] {
            assert_says(&error, ErrorKind::Denied, "the password of user \"root\"");
        }

        let unknown = member_as(&etcd, "nemo", given(RIGHT));
        let error = drain(&unknown).await.error();
        assert_says(&error, ErrorKind::Denied, "the password of user \"nemo\"");

        let powerless = member_as(&etcd, "reader", given(RIGHT));
        let error = drain(&powerless).await.error();
        assert_says(
            &error,
            ErrorKind::Denied,
            "user \"reader\" may not take snapshots",
        );
        assert!(error.hint().unwrap().contains("grant-role reader root"));
    }
}

#[tokio::test]
async fn a_user_where_none_is_wanted_does_no_harm() {
    for version in EtcdVersion::ALL {
        let etcd = EtcdReal::builder().version(version).start().await;
        let member = member_as(&etcd, "root", given(RIGHT));
        member.status().await.unwrap();
        drain(&member).await.database();
    }
}

#[tokio::test]
async fn a_password_file_is_read_again_for_each_call() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("password");
    fs::write(&file, "stale\n").unwrap();
    let etcd = guarded(EtcdVersion::V3_5).await;
    let member = member_as(&etcd, "root", Password::File(file.clone()));
    assert_says(
        &member.status().await.unwrap_err(),
        ErrorKind::Denied,
        "the password of user \"root\"",
    );
    fs::write(&file, format!("{RIGHT}\n")).unwrap();
    drain(&member).await.database();
    fs::remove_file(&file).unwrap();
    assert_says(
        &member.status().await.unwrap_err(),
        ErrorKind::Config,
        &file.display().to_string(),
    );
}

#[test]
fn a_bad_password_file_is_a_fault_of_the_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let empty = dir.path().join("empty");
    fs::write(&empty, "\n").unwrap();
    for (path, words) in [
        (empty, "is empty"),
        (dir.path().join("missing"), "no such file"),
    ] {
        let config = MemberConfig {
            user: Some(User {
                name: "root".to_owned(),
                password: Password::File(path.clone()),
            }),
            ..MemberConfig::new("127.0.0.1:2379")
        };
        let faults = Member::new(config).unwrap_err();
        assert_eq!(faults.len(), 1);
        assert_says(&faults[0], ErrorKind::Config, words);
        assert_says(&faults[0], ErrorKind::Config, &path.display().to_string());
    }
}

#[tokio::test]
async fn a_password_is_never_shown() {
    let etcd = guarded(EtcdVersion::V3_5).await;
    let member = member_as(&etcd, "root", given("hunter2"));
    let error = member.status().await.unwrap_err();
    let shown = format!("{member:?} {error:?} {error}");
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(shown.contains("Secret(…)"), "{shown}");
}
