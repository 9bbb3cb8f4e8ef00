//! The role of an EC2 instance, by its metadata service, version 2 only.
//!
//! "Use the Instance Metadata Service", Amazon EC2 user guide: a token is put first, and shown
//! with each question. Version 1 asks for none, and whoever gets a server to fetch a URL has the
//! keys; it is never used.

use std::time::Duration;

use reqwest::header::{HeaderName, HeaderValue};
use serde::Deserialize;

use super::lease::{Grant, Lease};
use super::line::{self, Lines, Reply};
use super::no_keys::NoKeys;
use super::surroundings::Surroundings;

/// The service is on the same machine: whoever has not answered by then is not there.
const LIMIT: Duration = Duration::from_secs(2);

const TOKEN_TTL: HeaderName = HeaderName::from_static("x-aws-ec2-metadata-token-ttl-seconds");
const TOKEN: HeaderName = HeaderName::from_static("x-aws-ec2-metadata-token");
/// For the two questions that follow.
const TTL_SECONDS: HeaderValue = HeaderValue::from_static("60");
const ROLES: &str = "latest/meta-data/iam/security-credentials/";

/// The metadata service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Instance {
    /// Without a slash at its end.
    service: String,
}

/// What stands beside the keys: `Success`, or why there are none.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Verdict {
    code: Option<String>,
    message: Option<String>,
}

impl Instance {
    /// The service, unless the environment says that it is not to be asked.
    pub(super) fn of(surroundings: &Surroundings) -> Option<Self> {
        let is_off = surroundings.get("AWS_EC2_METADATA_DISABLED");
        if is_off.is_some_and(|off| off.eq_ignore_ascii_case("true")) {
            return None;
        }
        let mode = surroundings.get("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
        let usual = match mode {
            Some(mode) if mode.eq_ignore_ascii_case("ipv6") => "http://[fd00:ec2::254]",
            _ => "http://169.254.169.254",
        };
        let service = surroundings.get("AWS_EC2_METADATA_SERVICE_ENDPOINT");
        let service = service.unwrap_or(usual).trim_end_matches('/').to_owned();
        Some(Self { service })
    }

    pub(super) async fn ask(&self, lines: &Lines) -> Result<Lease, NoKeys> {
        self.role(lines).await.map_err(|why| why.of(&self.service))
    }

    async fn role(&self, lines: &Lines) -> Result<Lease, NoKeys> {
        let url = format!("{}/latest/api/token", self.service);
        let request = lines.inward.put(url).header(TOKEN_TTL, TTL_SECONDS);
        let reply = line::ask(request, LIMIT).await.map_err(|why| {
            why.with_hint("in a container on EC2, set the instance's metadata hop limit to 2")
        })?;
        let token = line::sensitive(succeeded(&reply)?.trim())?;
        let get = async |path: &str| {
            let url = format!("{}/{ROLES}{path}", self.service);
            let request = lines.inward.get(url).header(TOKEN, token.clone());
            line::ask(request, LIMIT).await
        };
        let roles = get("").await?;
        let role = match roles.status {
            404 => "",
            _ => succeeded(&roles)?.lines().next().unwrap_or_default().trim(),
        };
        if role.is_empty() || role.contains(['/', '?', '#', '<']) {
            let why = NoKeys::wrong("the instance has no role");
            return Err(why.with_hint("give the instance a profile with a role"));
        }
        let reply = get(role).await?;
        let body = succeeded(&reply)?;
        let lease = grant(body).and_then(|grant| grant.lease(reply.date));
        let lease = lease.map_err(|why| why.of(&format!("role {role}")))?;
        Ok(Lease {
            owner: Some(format!("role {role} of this EC2 instance")),
            ..lease
        })
    }

    pub(super) fn told(&self) -> String {
        format!("the role of this EC2 instance, by {}", self.service)
    }
}

fn succeeded(reply: &Reply) -> Result<&str, NoKeys> {
    if reply.is_success() {
        Ok(&reply.body)
    } else {
        Err(reply.refusal("", ""))
    }
}

fn grant(body: &str) -> Result<Grant, NoKeys> {
    // The words of a parser may quote what it reads.
    let nonsense = |_| NoKeys::unavailable("the reply holds no keys");
    let verdict: Verdict = serde_json::from_str(body).map_err(nonsense)?;
    match verdict.code.as_deref() {
        None | Some("Success") => serde_json::from_str(body).map_err(nonsense),
        Some(code) => {
            let words = verdict.message.unwrap_or_default();
            let words = words.trim_end_matches('.');
            Err(NoKeys::denied(format!("{code}: {words}"))
                .with_hint("let the role's trust policy name ec2.amazonaws.com"))
        }
    }
}
