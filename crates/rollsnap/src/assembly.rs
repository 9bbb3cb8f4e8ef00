//! From checked settings to working parts. The only place where the pillars meet.

use std::sync::Arc;

use rollsnap_engine::pipeline::Pipeline;
use rollsnap_engine::{Clock, Kind};
use rollsnap_etcd::Members;
use rollsnap_etcd::{MemberConfig, Source};
use rollsnap_store::Store;
use rollsnap_store::local::LocalDir;
use rollsnap_store::s3::{Credentials, CustomCa, S3Config, S3Store};

use crate::config::{Bucket, Settings, Sourced};
use crate::report::{Failure, chain};

/// The directory, to write to. It is made if only it is missing.
pub fn local(settings: &Settings) -> Result<LocalDir, Failure> {
    Ok(LocalDir::open(&settings.dir.value)?)
}

/// The directory, to read from. It must be there.
pub fn local_to_read(settings: &Settings) -> Result<LocalDir, Failure> {
    Ok(LocalDir::open_existing(&settings.dir.value)?)
}

/// The etcd members. Asks nobody yet: an etcd that is down is no fault of the settings.
pub fn source(settings: &Settings) -> Result<Arc<dyn Source>, Failure> {
    let etcd = &settings.etcd;
    let configs = etcd.endpoints.value.iter().map(|endpoint| MemberConfig {
        tls: etcd.tls(),
        user: etcd.user(),
        ..MemberConfig::new(endpoint)
    });
    let members = Members::new(configs).map_err(|faults| {
        let hints: Vec<_> = faults.iter().filter_map(|fault| fault.hint()).collect();
        let lines: Vec<_> = faults.iter().map(|fault| chain(fault)).collect();
        let kind = faults
            .first()
            .map_or(Kind::Config, |fault| fault.kind().into());
        let failure = Failure::new(kind, lines.join("\n"));
        match hints.first() {
            Some(hint) => failure.with_hint(*hint),
            None => failure,
        }
    })?;
    Ok(Arc::new(members))
}

/// The bucket, where one is configured. Touches no network.
pub fn remote(settings: &Settings) -> Result<Option<Arc<dyn Store>>, Failure> {
    let Some(bucket) = &settings.bucket.value else {
        return Ok(None);
    };
    let config = s3_config(bucket);
    let faults = config.check();
    if !faults.is_empty() {
        let lines: Vec<_> = faults
            .iter()
            .map(|fault| bucket.fault(fault.key, &*fault.message).to_string())
            .collect();
        return Err(Failure::new(Kind::Config, lines.join("\n")));
    }
    Ok(Some(Arc::new(S3Store::open(&config)?)))
}

/// The bucket, which this command cannot do without.
pub fn remote_needed(settings: &Settings) -> Result<Arc<dyn Store>, Failure> {
    remote(settings)?.ok_or_else(|| {
        Failure::new(Kind::Usage, "there is no bucket")
            .with_hint("give --bucket-name and keys, or s3backupconfig in the file of --config")
    })
}

/// Everything that a save needs.
pub fn pipeline(
    settings: &Settings,
    local: &LocalDir,
    clock: &Arc<dyn Clock>,
) -> Result<Pipeline, Failure> {
    Ok(Pipeline {
        source: source(settings)?,
        local: Arc::new(local.clone()),
        drafts: Arc::new(local.private()),
        remote: remote(settings)?,
        codec: settings.making.codec.value,
        clock: Arc::clone(clock),
        limit: settings
            .making
            .timeout
            .as_ref()
            .map(|timeout| timeout.value),
        tool: concat!("rollsnap ", env!("CARGO_PKG_VERSION")).to_owned(),
    })
}

fn s3_config(bucket: &Bucket) -> S3Config {
    let text = |said: &Option<Sourced<String>>| said.as_ref().map(|said| said.value.clone());
    let keys = Credentials::new(
        bucket.access_key.value.reveal(),
        bucket.secret_key.value.reveal(),
    );
    S3Config {
        endpoint: bucket.endpoint.value.clone(),
        region: text(&bucket.region),
        bucket: bucket.name.value.clone(),
        folder: text(&bucket.folder),
        credentials: match &bucket.session_token {
            Some(token) => keys.with_session_token(token.value.reveal()),
            None => keys,
        },
        custom_ca: text(&bucket.custom_ca).map(CustomCa::new),
        ..S3Config::default()
    }
}
