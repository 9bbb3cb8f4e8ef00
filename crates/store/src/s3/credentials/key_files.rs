//! Keys in files of their own, read anew before each use.
//!
//! The files hold some 60 bytes; reading them is cheaper than any way to know that they changed,
//! and a Kubernetes secret changes by a link that no modification time tells of.

use std::io;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::no_keys::NoKeys;
use super::pair::Credentials;
use crate::error::io_message;

/// Longest file of keys, tokens or profiles that is read, in bytes.
const LIMIT: u64 = 1 << 20;

/// One key of a pair: as it is, or the file that holds nothing else.
#[derive(Clone)]
pub enum KeyText {
    /// The key.
    Given(Zeroizing<String>),
    /// The file. White space around the key is not part of it.
    File(PathBuf),
}

/// A pair of keys of which at least one is in a file.
#[derive(Debug, Clone)]
pub struct KeyFiles {
    /// The access key.
    pub access_key: KeyText,
    /// The secret key.
    pub secret_key: KeyText,
}

impl std::fmt::Debug for KeyText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Given(_) => f.write_str("KeyText(redacted)"),
            Self::File(path) => f.debug_tuple("KeyText").field(path).finish(),
        }
    }
}

impl KeyFiles {
    /// The keys as the files hold them now.
    pub(super) async fn read(&self) -> Result<Credentials, NoKeys> {
        let access_key = self.access_key.read().await?;
        let secret_key = self.secret_key.read().await?;
        Credentials::new(access_key.as_str(), secret_key.as_str())
            .judged()
            .map_err(NoKeys::wrong)
    }

    /// Where the keys are, for people.
    pub(super) fn told(&self) -> String {
        let files = [&self.access_key, &self.secret_key];
        let files = files.into_iter().filter_map(|key| match key {
            KeyText::Given(_) => None,
            KeyText::File(path) => Some(path.display().to_string()),
        });
        format!("the files {}", files.collect::<Vec<_>>().join(" and "))
    }
}

impl KeyText {
    /// The key itself.
    pub fn given(key: impl Into<String>) -> Self {
        Self::Given(Zeroizing::new(key.into()))
    }

    async fn read(&self) -> Result<Zeroizing<String>, NoKeys> {
        match self {
            Self::Given(key) => Ok(key.clone()),
            Self::File(path) => secret_in(path).await,
        }
    }
}

/// The secret in a file that holds nothing else.
pub(super) async fn secret_in(path: &Path) -> Result<Zeroizing<String>, NoKeys> {
    let text = text_of(path)
        .await
        .map_err(|cause| unreadable(path, &cause))?;
    match text.trim() {
        "" => Err(NoKeys::wrong(format!("{} is empty", path.display()))),
        secret => Ok(Zeroizing::new(secret.to_owned())),
    }
}

pub(super) fn unreadable(path: &Path, cause: &io::Error) -> NoKeys {
    NoKeys::wrong(format!("read {}: {}", path.display(), io_message(cause)))
}

/// A text file of at most [`LIMIT`] bytes.
pub(super) async fn text_of(path: &Path) -> io::Result<Zeroizing<String>> {
    let path = path.to_owned();
    let reading = tokio::task::spawn_blocking(move || {
        use std::io::Read as _;
        let mut text = Zeroizing::new(String::new());
        let file = std::fs::File::open(path)?;
        file.take(LIMIT).read_to_string(&mut text)?;
        Ok(text)
    });
    reading.await.map_err(io::Error::other)?
}
