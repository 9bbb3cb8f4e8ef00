//! Roles by the token service (STS): for whoever shows a web identity.
//!
//! `AssumeRoleWithWebIdentity`, AWS STS API reference, version 2011-06-15: a form that is posted,
//! so that the token stands in no log of URLs, and XML that comes back.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::key_files::secret_in;
use super::lease::{Grant, Lease};
use super::line::{self, Lines, Reply};
use super::no_keys::NoKeys;

/// Longest wait for a grant.
pub(super) const LIMIT: Duration = Duration::from_secs(10);
pub(super) const VERSION: &str = "2011-06-15";

/// A role that is given to whoever shows the token in a file, as Kubernetes writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WebIdentity {
    pub(super) role: String,
    pub(super) session: String,
    pub(super) token: PathBuf,
    /// Where the token service is, without a slash at its end.
    pub(super) service: String,
}

/// `<AssumeRole…Response><AssumeRole…Result><Credentials>`.
#[derive(Deserialize)]
struct Granted {
    #[serde(rename = "AssumeRoleWithWebIdentityResult", alias = "AssumeRoleResult")]
    result: GrantedResult,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GrantedResult {
    credentials: Grant,
}

/// `<ErrorResponse><Error><Code>`.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Refused {
    error: RefusedError,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct RefusedError {
    code: String,
    message: String,
}

impl WebIdentity {
    pub(super) async fn ask(&self, lines: &Lines) -> Result<Lease, NoKeys> {
        let token = secret_in(&self.token).await?;
        let form = [
            ("Action", "AssumeRoleWithWebIdentity"),
            ("Version", VERSION),
            ("RoleArn", &self.role),
            ("RoleSessionName", &self.session),
            ("WebIdentityToken", token.as_str()),
        ];
        let request = lines.outward.post(&self.service).form(&form);
        let told = line::ask(request, LIMIT)
            .await
            .and_then(|reply| grant(&reply));
        told.map_err(|why| why.of(&self.service))
    }

    pub(super) fn told(&self) -> String {
        let (role, token) = (&self.role, self.token.display());
        format!("role {role} by the web identity in {token}")
    }
}

/// What the token service answered.
pub(super) fn grant(reply: &Reply) -> Result<Lease, NoKeys> {
    if !reply.is_success() {
        let refused: Refused = quick_xml::de::from_str(&reply.body).unwrap_or_default();
        let RefusedError { code, message } = refused.error;
        let hint = match code.as_str() {
            "ExpiredTokenException" => "see why the token in the file is not renewed",
            "AccessDenied" | "InvalidIdentityToken" => {
                "let the role's trust policy name this identity and its provider"
            }
            _ => "see the role's name, its trust policy, and AWS_REGION",
        };
        return Err(reply.refusal(&code, &message).with_hint(hint));
    }
    // The words of a parser may quote what it reads.
    let granted: Granted = quick_xml::de::from_str(&reply.body)
        .map_err(|_| NoKeys::unavailable("the reply holds no keys"))?;
    granted.result.credentials.lease(reply.date)
}
