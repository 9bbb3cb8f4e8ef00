//! Certificates: the wrong ones, the missing ones, and those that change while the daemon runs.

use std::fs;
use std::path::PathBuf;

use rollsnap_etcd::{ErrorKind, Member, MemberConfig, Source, SourceError, TlsFiles};
use rollsnap_testkit::etcd_peer::{EtcdPeer, Script};
use rollsnap_testkit::etcd_real::{EtcdReal, EtcdVersion};
use rollsnap_testkit::tls::{Certificates, Validity};
use tempfile::TempDir;

use crate::kit::{assert_says, drain, files_of, member_of, printed};

fn certificates() -> (TempDir, Certificates) {
    let dir = tempfile::tempdir().unwrap();
    let certificates = Certificates::issue(dir.path(), &[]);
    (dir, certificates)
}

async fn status_error(etcd: &EtcdReal, tls: TlsFiles) -> SourceError {
    let config = MemberConfig {
        tls,
        ..MemberConfig::new(etcd.endpoint())
    };
    let member = Member::new(config).unwrap();
    let opening = drain(&member).await.error();
    let error = member.status().await.unwrap_err();
    assert_eq!(opening.kind(), error.kind(), "{}", printed(&opening));
    error
}

#[tokio::test]
async fn rotated_certificates_are_used_without_a_restart() {
    for version in EtcdVersion::ALL {
        let (_dir, certificates) = certificates();
        let mut etcd = EtcdReal::builder()
            .version(version)
            .tls(&certificates)
            .start()
            .await;
        let member = member_of(&etcd);
        member.status().await.unwrap();
        certificates.reissue();
        etcd.restart().await;
        member.status().await.unwrap();
        drain(&member).await.database();
    }
}

#[tokio::test]
async fn a_ca_that_did_not_sign_the_servers_certificate_is_named() {
    let (_dir, ours) = certificates();
    let (_other_dir, other) = certificates();
    let etcd = EtcdReal::builder().tls(&ours).start().await;
    let error = status_error(&etcd, files_of(&other)).await;
    let words = format!("not signed by the CA in {}", other.ca().display());
    assert_says(&error, ErrorKind::Denied, &words);
    assert!(error.hint().unwrap().contains("--cacert"));
}

#[tokio::test]
async fn without_a_ca_the_systems_decide() {
    let (_dir, ours) = certificates();
    let etcd = EtcdReal::builder().tls(&ours).start().await;
    let error = status_error(&etcd, TlsFiles::default()).await;
    assert!(
        printed(&error).contains("CA") && error.hint().unwrap().contains("--cacert"),
        "{}",
        printed(&error)
    );
}

#[tokio::test]
async fn a_missing_client_certificate_is_asked_for() {
    for version in EtcdVersion::ALL {
        let (_dir, ours) = certificates();
        let etcd = EtcdReal::builder()
            .version(version)
            .tls(&ours)
            .start()
            .await;
        let only_ca = TlsFiles {
            ca: Some(ours.ca()),
            ..TlsFiles::default()
        };
        let error = status_error(&etcd, only_ca).await;
        assert_says(&error, ErrorKind::Denied, "wants a client certificate");
    }
}

#[tokio::test]
async fn a_client_certificate_of_another_ca_is_refused() {
    for version in EtcdVersion::ALL {
        let (_dir, ours) = certificates();
        let (_other_dir, other) = certificates();
        let etcd = EtcdReal::builder()
            .version(version)
            .tls(&ours)
            .start()
            .await;
        let mixed = TlsFiles {
            ca: Some(ours.ca()),
            ..files_of(&other)
        };
        let error = status_error(&etcd, mixed).await;
        assert_says(&error, ErrorKind::Denied, "refuses the client certificate");
    }
}

#[tokio::test]
async fn a_certificate_for_another_host_or_of_another_time_is_told_from_a_wrong_ca() {
    for (names, validity, words) in [
        (
            ["etcd.example"],
            Validity::Current,
            "is not for host 127.0.0.1",
        ),
        (["127.0.0.1"], Validity::Expired, "has expired"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let certificates = Certificates::issue_exactly(dir.path(), &names, validity);
        let peer = EtcdPeer::start_tls([], &certificates).await;
        let config = MemberConfig {
            tls: TlsFiles {
                ca: Some(certificates.ca()),
                ..TlsFiles::default()
            },
            ..MemberConfig::new(peer.endpoint())
        };
        let error = Member::new(config).unwrap().status().await.unwrap_err();
        assert_says(&error, ErrorKind::Denied, words);
        assert!(error.hint().is_some());
    }
}

#[tokio::test]
async fn a_server_that_asks_for_no_certificate_needs_only_its_ca() {
    let dir = tempfile::tempdir().unwrap();
    let certificates = Certificates::issue_exactly(dir.path(), &["localhost"], Validity::Current);
    let peer = EtcdPeer::start_tls([Script::honest(b"database")], &certificates).await;
    let config = MemberConfig {
        tls: TlsFiles {
            ca: Some(certificates.ca()),
            ..TlsFiles::default()
        },
        ..MemberConfig::new(format!("localhost:{}", peer.address().port()))
    };
    let member = Member::new(config).unwrap();
    assert_eq!(drain(&member).await.database(), b"database");
}

#[tokio::test]
async fn http_against_https_says_so() {
    for version in EtcdVersion::ALL {
        let (_dir, ours) = certificates();
        let etcd = EtcdReal::builder()
            .version(version)
            .tls(&ours)
            .start()
            .await;
        let member = crate::kit::member_at(etcd.address().to_string());
        for error in [
            member.status().await.unwrap_err(),
            drain(&member).await.error(),
        ] {
            assert_says(
                &error,
                ErrorKind::Config,
                "it speaks TLS, and was asked without",
            );
            assert!(error.hint().unwrap().contains("https://"));
        }
    }
}

#[tokio::test]
async fn https_against_http_says_so() {
    let (_dir, ours) = certificates();
    for version in EtcdVersion::ALL {
        let etcd = EtcdReal::builder().version(version).start().await;
        let config = MemberConfig {
            tls: files_of(&ours),
            ..MemberConfig::new(etcd.address().to_string())
        };
        let error = Member::new(config).unwrap().status().await.unwrap_err();
        assert_says(
            &error,
            ErrorKind::Config,
            "it speaks no TLS, and was asked with it",
        );
        assert!(error.hint().unwrap().contains("http://"));
    }
}

/// The faults that the files have by themselves, before anybody is asked.
fn faults_of(tls: TlsFiles) -> Vec<SourceError> {
    let config = MemberConfig {
        tls,
        ..MemberConfig::new("https://127.0.0.1:2379")
    };
    Member::new(config).expect_err("the files are wrong")
}

#[test]
fn each_broken_file_is_named_with_its_cure() {
    let (dir, good) = certificates();
    let write = |name: &str, content: &[u8]| -> PathBuf {
        let path = dir.path().join(name);
        fs::write(&path, content).unwrap();
        path
    };
    let missing = dir.path().join("missing.pem");
    let garbage = write("garbage.pem", &[0xff, 0, 1, 2]);
    let empty = write("empty.pem", b"");
    let broken = write(
        "broken.pem",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    );
    let locked = write(
        "locked.pem",
        b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
    );
    let (other_dir, other) = certificates();
    let good = files_of(&good);
    let with_ca = |ca: &PathBuf| TlsFiles {
        ca: Some(ca.clone()),
        ..good.clone()
    };
    let with_cert = |cert: &PathBuf| TlsFiles {
        cert: Some(cert.clone()),
        ..good.clone()
    };
    let with_key = |key: &PathBuf| TlsFiles {
        key: Some(key.clone()),
        ..good.clone()
    };
    for (files, named, words) in [
        (with_ca(&missing), &missing, "no such file"),
        (with_ca(&garbage), &garbage, "no certificate"),
        (with_ca(&empty), &empty, "no certificate"),
        (with_ca(&broken), &broken, "is broken"),
        (
            with_ca(&other.client_key()),
            &other.client_key(),
            "a private key and no certificate",
        ),
        (
            with_ca(&dir.path().to_path_buf()),
            &dir.path().to_path_buf(),
            "is a directory",
        ),
        (with_cert(&missing), &missing, "no such file"),
        (with_cert(&garbage), &garbage, "no certificate"),
        (with_key(&missing), &missing, "no such file"),
        (with_key(&garbage), &garbage, "no private key"),
        (with_key(&locked), &locked, "encrypted"),
        (
            with_key(&other.client_key()),
            &other.client_key(),
            "it is not the key of certificate",
        ),
        (
            TlsFiles {
                key: None,
                ..good.clone()
            },
            good.cert.as_ref().unwrap(),
            "key is not given",
        ),
        (
            TlsFiles {
                cert: None,
                ..good.clone()
            },
            good.key.as_ref().unwrap(),
            "certificate is not given",
        ),
    ] {
        let faults = faults_of(files);
        assert_eq!(faults.len(), 1, "{named:?}: {faults:?}");
        let fault = &faults[0];
        assert_says(fault, ErrorKind::Config, words);
        assert_says(fault, ErrorKind::Config, &named.display().to_string());
        assert!(fault.hint().is_some(), "{fault}");
    }
    drop(other_dir);
}

#[test]
fn swapped_certificate_and_key_are_noticed_on_both_sides() {
    let (_dir, good) = certificates();
    let swapped = TlsFiles {
        ca: Some(good.ca()),
        cert: Some(good.client_key()),
        key: Some(good.client()),
    };
    let faults = faults_of(swapped);
    assert_eq!(faults.len(), 2);
    for fault in &faults {
        assert_eq!(fault.hint(), Some("are --cert and --key swapped?"));
    }
}

#[test]
fn all_faults_are_told_at_once() {
    let config = MemberConfig {
        tls: TlsFiles {
            ca: Some("/nonexistent/ca.pem".into()),
            cert: Some("/nonexistent/cert.pem".into()),
            key: Some("/nonexistent/key.pem".into()),
        },
        ..MemberConfig::new("http://127.0.0.1:2379")
    };
    let faults = Member::new(config).unwrap_err();
    let texts: Vec<String> = faults.iter().map(printed).collect();
    assert_eq!(texts.len(), 4, "{texts:?}");
    assert!(texts[0].contains("http:// uses none"), "{texts:?}");
}

#[tokio::test]
async fn files_that_break_later_are_named_then() {
    let (_dir, certificates) = certificates();
    let etcd = EtcdReal::builder().tls(&certificates).start().await;
    let member = member_of(&etcd);
    member.status().await.unwrap();
    fs::write(certificates.client_key(), "torn").unwrap();
    let error = member.status().await.unwrap_err();
    assert_says(&error, ErrorKind::Config, "client-key.pem");
    assert_says(&error, ErrorKind::Config, "no private key");
}
