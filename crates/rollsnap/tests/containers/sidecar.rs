//! The container under test, and its log.

use std::path::Path;

use crate::docker::{Container, Network};
use crate::folder::Folder;
use crate::wait::until;
use crate::{etcd, images};

/// What its users have grepped for since 2018.
pub(crate) const NAME: &str = "etcd-rolling-snapshots";
/// The image's own user.
pub(crate) const NONROOT: u32 = 65532;

#[derive(Debug)]
pub(crate) struct Sidecar {
    pub(crate) container: Container,
}

/// How to start it.
#[derive(Debug, Default)]
pub(crate) struct Setup {
    options: Vec<String>,
    arguments: Vec<String>,
}

impl Setup {
    /// Beside an etcd without TLS.
    pub(crate) fn plain() -> Self {
        Self::default().arguments([format!("--endpoints=http://{}:2379", etcd::HOST)])
    }

    pub(crate) fn options(mut self, options: impl IntoIterator<Item = String>) -> Self {
        self.options.extend(options);
        self
    }

    pub(crate) fn arguments(mut self, arguments: impl IntoIterator<Item = String>) -> Self {
        self.arguments.extend(arguments);
        self
    }

    pub(crate) fn every(self, creation: &str, retention: &str) -> Self {
        self.arguments([
            format!("--creation={creation}"),
            format!("--retention={retention}"),
        ])
    }

    pub(crate) fn mount(self, from: &Path, to: &str) -> Self {
        self.options([format!("--volume={}:{to}:ro", from.display())])
    }

    /// Starts it as RKE does but for the network: restarted always, and with no right that it
    /// does not need.
    pub(crate) fn start(self, network: &Network, folder: &Folder) -> Sidecar {
        let mut options = vec![
            "--restart=always".to_owned(),
            "--read-only".to_owned(),
            "--cap-drop=ALL".to_owned(),
            "--security-opt=no-new-privileges".to_owned(),
            format!(
                "--volume={}:/opt/rke/etcd-snapshots",
                folder.path().display()
            ),
        ];
        options.extend(self.options);
        let mut command = vec!["run".to_owned()];
        command.extend(self.arguments);
        let container = Container::run(NAME, network, &options, &images::sidecar(), &command);
        Sidecar { container }
    }
}

impl Sidecar {
    /// Secrets of these tests hold the word canary.
    pub(crate) fn log(&self) -> String {
        let log = self.container.log();
        assert!(!log.contains("canary"), "a secret is logged:\n{log}");
        log
    }

    /// The names in its `Created backup` lines, the oldest first.
    pub(crate) fn created(&self) -> Vec<String> {
        self.named("Created backup")
    }

    /// The names in the lines with this message.
    pub(crate) fn named(&self, message: &str) -> Vec<String> {
        let mark = format!(" msg=\"{message}\" name=");
        self.log()
            .lines()
            .filter_map(|line| line.split_once(&mark))
            .filter_map(|(_, fields)| fields.split(' ').next())
            .map(|name| name.trim_matches('"').to_owned())
            .collect()
    }

    /// Waits until it has created `count` snapshots since its first start.
    pub(crate) async fn has_created(&self, count: usize) -> Vec<String> {
        until(
            "another Created backup line",
            || Some(self.created()).filter(|names| names.len() >= count),
            || self.log(),
        )
        .await
    }

    /// Waits until it has created one more than it has now.
    pub(crate) async fn creates_another(&self) {
        self.has_created(self.created().len() + 1).await;
    }

    /// Waits until this text stands in its log behind the first `mark` bytes.
    pub(crate) async fn says_after(&self, mark: usize, text: &str) {
        until(
            text,
            || self.log().get(mark..)?.contains(text).then_some(()),
            || self.log(),
        )
        .await;
    }
}
