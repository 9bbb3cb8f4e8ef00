//! What the tests of this binary share: how to ask, and how to read a stream to its end.

use std::error::Error;
use std::time::Duration;

use futures_util::StreamExt;
use rollsnap_etcd::{Member, MemberConfig, Source, SourceError, TlsFiles};
use rollsnap_testkit::etcd_real::EtcdReal;
use rollsnap_testkit::tls::Certificates;
use sha2::{Digest, Sha256};

/// Short, because a test waits for it to pass; long enough for a busy machine to say a word.
pub(crate) const STALL: Duration = Duration::from_millis(600);

/// The configuration with which this server can be asked.
pub(crate) fn config_for(etcd: &EtcdReal) -> MemberConfig {
    MemberConfig {
        tls: etcd.certificates().map(files_of).unwrap_or_default(),
        ..MemberConfig::new(etcd.endpoint())
    }
}

pub(crate) fn member_of(etcd: &EtcdReal) -> Member {
    Member::new(config_for(etcd)).expect("the configuration is right")
}

/// A member at `endpoint`, asked without TLS.
pub(crate) fn member_at(endpoint: impl Into<String>) -> Member {
    Member::new(MemberConfig::new(endpoint)).expect("the configuration is right")
}

pub(crate) fn files_of(certificates: &Certificates) -> TlsFiles {
    TlsFiles {
        ca: Some(certificates.ca()),
        cert: Some(certificates.client()),
        key: Some(certificates.client_key()),
    }
}

/// What came out of a stream, whether it ended well or not.
pub(crate) struct Drained {
    pub(crate) bytes: Vec<u8>,
    pub(crate) first_remaining: Option<u64>,
    pub(crate) end: Result<(), SourceError>,
}

impl Drained {
    pub(crate) fn error(self) -> SourceError {
        self.end.expect_err("the stream ends with an error")
    }

    /// The database, after the digest behind it was compared.
    pub(crate) fn database(&self) -> &[u8] {
        self.end.as_ref().expect("the stream ends well");
        let (database, digest) = self.bytes.split_at(self.bytes.len() - 32);
        assert_eq!(digest, &Sha256::digest(database)[..], "etcd's digest");
        database
    }
}

/// Opens a snapshot and reads it to its end.
pub(crate) async fn drain(source: &dyn Source) -> Drained {
    let mut drained = Drained {
        bytes: Vec::new(),
        first_remaining: None,
        end: Ok(()),
    };
    let mut stream = match source.snapshot().await {
        Ok(stream) => stream,
        Err(error) => {
            drained.end = Err(error);
            return drained;
        }
    };
    while let Some(item) = stream.next().await {
        match item {
            Ok(chunk) => {
                assert!(!chunk.bytes.is_empty(), "a chunk is never empty");
                drained.first_remaining.get_or_insert(chunk.remaining);
                drained.bytes.extend_from_slice(&chunk.bytes);
            }
            Err(error) => {
                drained.end = Err(error);
                assert!(stream.next().await.is_none(), "an error ends the stream");
                return drained;
            }
        }
    }
    drained
}

/// An error as the log prints it: its message and its causes.
pub(crate) fn printed(error: &SourceError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[track_caller]
pub(crate) fn assert_says(error: &SourceError, kind: rollsnap_etcd::ErrorKind, words: &str) {
    let text = printed(error);
    assert!(
        error.kind() == kind && text.contains(words),
        "wanted {kind:?} with {words:?}, got {:?}: {text}",
        error.kind()
    );
}
