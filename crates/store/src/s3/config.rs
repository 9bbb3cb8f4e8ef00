//! What the operator writes about a bucket, and everything that is wrong with it at once.

use std::num::NonZeroU64;
use std::time::Duration;

use super::address::Endpoint;
use super::ca::CustomCa;
use super::clock::Clock;
use super::credentials::CredentialSource;
use super::writing::Writing;

/// One bucket, a folder in it, and how to get there. Nothing is checked before
/// [`check`](Self::check) or [`S3Store::open`](super::S3Store::open).
#[derive(Debug, Clone, Default)]
pub struct S3Config {
    /// A bare host, `host:port`, or either behind `http://` or `https://` (`https` when bare; IPv6
    /// in brackets). Empty or `s3.amazonaws.com` is Amazon, in whichever region the bucket lives.
    pub endpoint: String,
    /// The region that signs. Without one it is taken from an amazonaws host name, else asked.
    pub region: Option<String>,
    /// The bucket's name.
    pub bucket: String,
    /// The folder inside the bucket, such as `clusters/east`; slashes around it are ignored.
    pub folder: Option<String>,
    /// The keys.
    pub credentials: CredentialSource,
    /// Who else is trusted to vouch for the server, besides the system's roots.
    pub custom_ca: Option<CustomCa>,
    /// Where the bucket's name goes.
    pub addressing: Addressing,
    /// Whether anybody at all may vouch for the server. What is sent can then be read and
    /// changed by whoever stands between: whoever sets it warns, loudly.
    pub insecure_skip_verify: bool,
    /// What every object is written with.
    pub writing: Writing,
    /// Most bytes a second for all uploads together; no limit without. Reading has none.
    pub upload_rate: Option<NonZeroU64>,
    /// Times, tries and sizes. The default is right for a daemon.
    pub tuning: Tuning,
}

pub(super) fn shortened(text: &str) -> String {
    let mut short: String = text.escape_debug().take(60).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// Where the bucket's name goes in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Addressing {
    /// In the host name for Amazon, Google and Aliyun (in the path all the same when the bucket's
    /// name has a dot, which their certificates do not cover), in the path for everyone else.
    #[default]
    Auto,
    /// `https://endpoint/bucket/key`.
    Path,
    /// `https://bucket.endpoint/key`.
    VirtualHost,
}

/// Whether proxies of the environment (`HTTPS_PROXY`, `NO_PROXY`, …) are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ProxyUse {
    /// As the environment says.
    #[default]
    Environment,
    /// Never.
    Direct,
}

/// Times, tries and sizes of one store.
#[derive(Debug, Clone)]
pub struct Tuning {
    /// Longest wait for a connection, TLS included.
    pub connect_timeout: Duration,
    /// Longest time without a byte moving, either way. There is no limit on the whole: a slow
    /// line is slow, not broken.
    pub stall_timeout: Duration,
    /// How often a request is tried in all, at least once.
    pub tries: usize,
    /// The wait before the second try; it doubles from there, with jitter.
    pub first_delay: Duration,
    /// Longest wait between tries, also when the server asks for more.
    pub max_delay: Duration,
    /// Bytes in one part of an upload. Servers refuse less than 5 MiB, and more than 10,000 parts.
    pub part_size: usize,
    /// Parts under way at once, at least one.
    pub parts_in_flight: usize,
    /// Proxies.
    pub proxy: ProxyUse,
    /// What time it is, for signatures.
    pub clock: Clock,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            stall_timeout: Duration::from_secs(30),
            tries: 5,
            first_delay: Duration::from_millis(200),
            max_delay: Duration::from_secs(30),
            part_size: 8 * 1024 * 1024,
            parts_in_flight: 2,
            proxy: ProxyUse::Environment,
            clock: Clock::system(),
        }
    }
}

/// One thing that is wrong, and the cure: `bucket_name: is empty: name the bucket`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {message}")]
pub struct ConfigFault {
    /// The key in `s3backupconfig`.
    pub key: &'static str,
    /// What is wrong, and what to do. Holds no secret.
    pub message: String,
}

impl S3Config {
    /// Everything that is wrong, in the order of the keys; empty when nothing is. Reads the CA's
    /// file, touches no network.
    pub fn check(&self) -> Vec<ConfigFault> {
        let mut faults = Vec::new();
        let mut fault = |key, message: String| faults.push(ConfigFault { key, message });

        if let Some(why) = self.wrong_endpoint() {
            fault("endpoint", why);
        }
        if let Some(why) = self.region.as_deref().and_then(wrong_region) {
            fault("region", why);
        }
        if let Some(why) = wrong_bucket(&self.bucket) {
            fault("bucket_name", why);
        }
        if let Some(why) = self.folder.as_deref().and_then(wrong_folder) {
            fault("folder", why);
        }
        if let CredentialSource::Keys(keys) = &self.credentials {
            for (key, why) in keys.faults() {
                fault(key, why.into());
            }
        }
        if let Some(Err(why)) = self.custom_ca.as_ref().map(CustomCa::load) {
            fault("custom_ca", why);
        }
        let is_tls = !Endpoint::parse(&self.endpoint).is_ok_and(|endpoint| endpoint.is_plain());
        for (key, why) in self.writing.faults(is_tls) {
            fault(key, why);
        }
        faults
    }

    fn wrong_endpoint(&self) -> Option<String> {
        match Endpoint::parse(&self.endpoint) {
            Err(why) => Some(why),
            Ok(endpoint) => {
                (self.addressing == Addressing::VirtualHost && endpoint.is_ip()).then(|| {
                    "is an address, which cannot carry a bucket's name: use path style".into()
                })
            }
        }
    }

    /// The folder as the beginning of every key: empty, or with one slash at its end.
    pub(super) fn key_prefix(&self) -> String {
        match self
            .folder
            .as_deref()
            .map(|folder| folder.trim_matches('/'))
        {
            None | Some("") => String::new(),
            Some(folder) => format!("{folder}/"),
        }
    }
}

fn wrong_region(region: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    (!region.chars().all(plain)).then(|| {
        format!(
            "{} is no region: use letters, digits and dashes, or leave it empty",
            shortened(region)
        )
    })
}

/// What a bucket's name may hold is narrower on Amazon and wider elsewhere; here only what cannot
/// stand in a host or a path is refused.
fn wrong_bucket(bucket: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if bucket.is_empty() {
        Some(String::from("is empty: name the bucket"))
    } else if bucket.contains('/') {
        Some(format!(
            "{} holds a slash: give the bucket alone, and what follows it as folder",
            shortened(bucket)
        ))
    } else if !bucket.chars().all(plain) || bucket.starts_with('.') || bucket.contains("..") {
        Some(format!(
            "{} is no bucket name: use letters, digits, dashes and dots",
            shortened(bucket)
        ))
    } else {
        None
    }
}

/// `.`, `..` and empty segments would be folded away on the way, and the objects land elsewhere.
fn wrong_folder(folder: &str) -> Option<String> {
    let inner = folder.trim_matches('/');
    if inner.is_empty() {
        return None;
    }
    let shown = shortened(folder);
    for segment in inner.split('/') {
        if matches!(segment, "" | "." | "..") {
            return Some(format!(
                "{shown} has an empty, \".\" or \"..\" segment: write it out plainly"
            ));
        }
        if segment.contains(char::is_control) || segment.trim() != segment {
            return Some(format!(
                "{shown} has control characters or outer white space: write it without"
            ));
        }
    }
    None
}
