//! Roles by the token service (STS): for whoever has keys that may take them on.
//!
//! `AssumeRole`, AWS STS API reference: a form that is posted, signed like a request to S3.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{RequestBuilder, Url};
use s3::signing::uri_encode;
use time::OffsetDateTime;

use super::giver::Giver;
use super::lease::Lease;
use super::line::{self, Lines};
use super::no_keys::NoKeys;
use super::pair::Credentials;
use super::sts;
use super::tenancy::Ask as _;
use crate::s3::sign::{Digest, Signer};

const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");

/// A role that is taken on with other keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AssumedRole {
    pub(super) role: String,
    pub(super) session: String,
    pub(super) external_id: Option<String>,
    /// For so long; the service decides without.
    pub(super) duration: Option<Duration>,
    /// The region that signs.
    pub(super) region: String,
    /// Where the token service is, without a slash at its end.
    pub(super) service: String,
    pub(super) base: Box<Base>,
}

/// With whose keys a role is taken on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Base {
    Keys(Arc<Credentials>),
    Giver(Giver),
}

impl AssumedRole {
    /// Boxed, for the keys of a role may come by another: as deep as there are profiles.
    pub(super) fn ask<'a>(&'a self, lines: &'a Lines) -> BoxFuture<'a, Result<Lease, NoKeys>> {
        Box::pin(async move {
            let keys = match &*self.base {
                Base::Keys(keys) => Arc::clone(keys),
                Base::Giver(giver) => lines.ask(giver).await?.keys,
            };
            let told = match self.request(lines, &keys) {
                Ok(request) => line::ask(request, sts::LIMIT).await,
                Err(why) => Err(why),
            };
            told.and_then(|reply| sts::grant(&reply))
                .map_err(|why| why.of(&self.service))
        })
    }

    pub(super) fn told(&self) -> String {
        format!("role {}", self.role)
    }

    fn request(&self, lines: &Lines, keys: &Credentials) -> Result<RequestBuilder, NoKeys> {
        let url = Url::parse(&self.service).map_err(|_| {
            NoKeys::wrong("this is no address").with_hint("correct AWS_ENDPOINT_URL_STS")
        })?;
        let unsigned = |why: String| NoKeys::wrong(format!("sign the request: {why}"));
        let now = lines.clock.now().timestamp();
        let signer = Signer {
            keys: Some(keys),
            at: OffsetDateTime::from_unix_timestamp(now)
                .map_err(|why| unsigned(why.to_string()))?,
            region: &s3::Region::Custom {
                region: self.region.clone(),
                endpoint: String::new(),
            },
        };
        let form = self.form();
        let digest = Digest::of(form.as_bytes());
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, FORM);
        signer
            .sign_for("sts", "POST", &url, &mut headers, digest)
            .map_err(|why| unsigned(why.to_string()))?;
        Ok(lines.outward.post(url).headers(headers).body(form))
    }

    fn form(&self) -> String {
        let seconds = self.duration.map(|duration| duration.as_secs().to_string());
        let pairs = [
            ("Action", Some("AssumeRole")),
            ("Version", Some(sts::VERSION)),
            ("RoleArn", Some(self.role.as_str())),
            ("RoleSessionName", Some(self.session.as_str())),
            ("ExternalId", self.external_id.as_deref()),
            ("DurationSeconds", seconds.as_deref()),
        ];
        let pairs = pairs.into_iter().filter_map(|(name, value)| {
            let value = uri_encode(value?, true);
            Some(format!("{name}={value}"))
        });
        pairs.collect::<Vec<_>>().join("&")
    }
}
