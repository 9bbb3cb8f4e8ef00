//! `rollsnap` as a command: what it is given, and what comes of it.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use rollsnap_engine::Kind;
use rollsnap_testkit::etcd_real::EtcdReal;
use rollsnap_testkit::s3_peer::{ACCESS_KEY, SECRET_KEY};
use serde_json::Value;
use tokio::process::Command;
use tokio::time::timeout;

use crate::running::Running;
use crate::world::Bucket;

/// Longer than anything here takes on a machine that does other things too. Only a failure
/// waits that long.
pub(crate) const LIMIT: Duration = Duration::from_secs(40);

/// Stands in every secret that a test gives: whatever shows it, shows a secret.
const CANARY: &str = "canary";

/// Every line, every output and every command line of a running program goes through here.
#[track_caller]
pub(crate) fn assert_no_secret(place: &str, text: &str) {
    assert!(
        !text.contains(CANARY),
        "the {place} shows a secret:\n{text}"
    );
}

/// One run to come. It sees nothing of the environment of the tests.
pub(crate) struct Program {
    command: Command,
}

impl Program {
    /// Of the words on the command line, the verb and what goes with it.
    pub(crate) fn new<S: AsRef<OsStr>>(words: impl IntoIterator<Item = S>) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rollsnap"));
        command
            .env_clear()
            // Tests run beside each other; those of HTTP ask for a port of their own.
            .env("ROLLSNAP_HTTP", "off")
            .args(words)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        Self { command }
    }

    pub(crate) fn args<S: AsRef<OsStr>>(mut self, words: impl IntoIterator<Item = S>) -> Self {
        self.command.args(words);
        self
    }

    /// A flag whose value is a path.
    pub(crate) fn arg_path(mut self, flag: &str, path: &Path) -> Self {
        self.command.arg(flag).arg(path);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn dir(self, dir: &Path) -> Self {
        self.env("ROLLSNAP_DIR", dir)
    }

    /// Asks this member, with its certificates.
    pub(crate) fn etcd(self, etcd: &EtcdReal) -> Self {
        let program = self.env("ROLLSNAP_ENDPOINTS", etcd.endpoint());
        match etcd.certificates() {
            None => program,
            Some(certificates) => program
                .env("ROLLSNAP_CACERT", certificates.ca())
                .env("ROLLSNAP_CERT", certificates.client())
                .env("ROLLSNAP_KEY", certificates.client_key()),
        }
    }

    /// Copies to this bucket.
    pub(crate) fn bucket(self, bucket: &Bucket) -> Self {
        self.bucket_at(&bucket.endpoint())
    }

    /// Copies to the bucket of the tests at this endpoint.
    pub(crate) fn bucket_at(self, endpoint: &str) -> Self {
        self.env("ROLLSNAP_S3_ENDPOINT", endpoint)
            .env("ROLLSNAP_BUCKET_NAME", Bucket::NAME)
            .env("ROLLSNAP_FOLDER", Bucket::FOLDER)
            .env("ROLLSNAP_ACCESS_KEY", ACCESS_KEY)
            .env("ROLLSNAP_SECRET_KEY", SECRET_KEY)
    }

    /// Runs to the end.
    pub(crate) async fn run(mut self) -> Outcome {
        let output = timeout(LIMIT, self.command.output()).await;
        Outcome::of(&output.expect("it ends in time").expect("it can be started"))
    }

    /// Starts and stays.
    pub(crate) fn start(mut self) -> Running {
        Running::new(self.command.spawn().expect("it can be started"))
    }
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Outcome {
    fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("it prints UTF-8");
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert_no_secret("output", &out);
        assert_no_secret("output", &err);
        Self {
            code: output.status.code(),
            out,
            err,
        }
    }

    /// What it printed, for it went well.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
        self.out
    }

    #[track_caller]
    pub(crate) fn json(self) -> Value {
        serde_json::from_str(&self.ok()).expect("it prints JSON")
    }

    /// It failed with the exit code of `kind`, printed no result, and said all these words.
    #[track_caller]
    pub(crate) fn fails(&self, kind: Kind, words: &[&str]) {
        assert_eq!(self.out, "", "a failure prints no result");
        self.fails_with_result(kind, words);
    }

    #[track_caller]
    pub(crate) fn fails_with_result(&self, kind: Kind, words: &[&str]) {
        assert_eq!(self.code, Some(kind.exit_code().into()), "{}", self.err);
        for word in words {
            assert!(self.err.contains(word), "wanted {word:?} in:\n{}", self.err);
        }
        assert!(
            !self.err.contains("(os error"),
            "a code says nothing to people:\n{}",
            self.err
        );
    }
}
