//! Keys of a container, by the agent beside it: ECS, and EKS pod identity.
//!
//! "Container credential provider", AWS SDKs and Tools reference. An address without TLS is taken
//! only where nobody else can answer: this machine and the agents' own addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::AUTHORIZATION;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::key_files::secret_in;
use super::lease::{Grant, Lease};
use super::line::{self, Lines};
use super::no_keys::NoKeys;
use super::surroundings::Surroundings;

const LIMIT: Duration = Duration::from_secs(5);
const RELATIVE: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
const FULL: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
const TOKEN: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
const TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";

const ECS: Ipv4Addr = Ipv4Addr::new(169, 254, 170, 2);
const EKS: Ipv4Addr = Ipv4Addr::new(169, 254, 170, 23);
const EKS_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23);

/// The agent of a container, and what proves to it whose the container is.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Container {
    url: Url,
    token: Option<Token>,
}

#[derive(Clone, PartialEq, Eq)]
enum Token {
    Given(Zeroizing<String>),
    File(PathBuf),
}

impl std::fmt::Debug for Container {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Container")
            .field("url", &self.url.as_str())
            .finish_non_exhaustive()
    }
}

/// What the agents answer when they refuse.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Refused {
    code: String,
    message: String,
}

impl Container {
    /// The agent that the environment names, if it names one.
    pub(super) fn of(surroundings: &Surroundings) -> Result<Option<Self>, NoKeys> {
        let (name, text) = match (surroundings.get(RELATIVE), surroundings.get(FULL)) {
            (Some(path), _) => (RELATIVE, format!("http://{ECS}{path}")),
            (None, Some(url)) => (FULL, url.to_owned()),
            (None, None) => return Ok(None),
        };
        let url = Url::parse(&text).ok().filter(is_an_agents);
        let url = url.ok_or_else(|| {
            NoKeys::wrong(format!("{name} is no address that keys are asked at")).with_hint(
                "name one with https://, or with http:// one of this machine or of the agents of \
                 ECS (169.254.170.2) and EKS (169.254.170.23, [fd00:ec2::23])",
            )
        })?;
        let file = surroundings.get(TOKEN_FILE).map(PathBuf::from);
        let given = || Some(Zeroizing::new(surroundings.get(TOKEN)?.to_owned()));
        let token = file.map(Token::File).or_else(|| given().map(Token::Given));
        Ok(Some(Self { url, token }))
    }

    pub(super) async fn ask(&self, lines: &Lines) -> Result<Lease, NoKeys> {
        let line = match self.url.scheme() {
            "https" => &lines.outward,
            _ => &lines.inward,
        };
        let mut request = line.get(self.url.clone());
        if let Some(token) = self.token().await? {
            request = request.header(AUTHORIZATION, line::sensitive(&token)?);
        }
        let reply = line::ask(request, LIMIT).await;
        reply
            .and_then(|reply| grant(&reply))
            .map_err(|why| why.of(&self.told()))
    }

    async fn token(&self) -> Result<Option<Zeroizing<String>>, NoKeys> {
        match &self.token {
            None => Ok(None),
            Some(Token::Given(token)) => Ok(Some(token.clone())),
            Some(Token::File(path)) => secret_in(path).await.map(Some),
        }
    }

    pub(super) fn told(&self) -> String {
        let (scheme, host) = (self.url.scheme(), self.url.host_str().unwrap_or_default());
        format!("the container's agent at {scheme}://{host}")
    }
}

fn grant(reply: &line::Reply) -> Result<Lease, NoKeys> {
    if !reply.is_success() {
        let Refused { code, message } = serde_json::from_str(&reply.body).unwrap_or_default();
        let hint = "see the container's role, and whether its agent runs";
        return Err(reply.refusal(&code, &message).with_hint(hint));
    }
    // The words of a parser may quote what it reads.
    let granted: Grant = serde_json::from_str(&reply.body)
        .map_err(|_| NoKeys::unavailable("the reply holds no keys"))?;
    granted.lease(reply.date)
}

/// Whether keys may be asked for there.
fn is_an_agents(url: &Url) -> bool {
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return false;
    }
    let host = url.host_str().unwrap_or_default();
    let address: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
    match (url.scheme(), address) {
        ("https", _) => true,
        ("http", Some(IpAddr::V4(ip))) => ip.is_loopback() || ip == ECS || ip == EKS,
        ("http", Some(IpAddr::V6(ip))) => ip.is_loopback() || ip == EKS_V6,
        ("http", None) => host == "localhost",
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(variables: &[(&str, &str)]) -> Option<String> {
        let found = Container::of(&variables.iter().copied().collect()).ok()??;
        Some(found.url.to_string())
    }

    #[test]
    fn keys_are_asked_for_only_where_an_agent_can_be() {
        for (uri, url_of_agent) in [
            (
                "/v2/credentials/1",
                Some("http://169.254.170.2/v2/credentials/1"),
            ),
            ("@evil.example/", None),
            (".evil.example/", None),
            (":80@evil.example/", None),
        ] {
            assert_eq!(url(&[(RELATIVE, uri)]).as_deref(), url_of_agent, "{uri}");
        }
        for (uri, is_taken) in [
            ("http://169.254.170.23/v1/credentials", true),
            ("http://[fd00:ec2::23]/v1/credentials", true),
            ("http://127.0.0.1:8080/", true),
            ("http://[::1]/", true),
            ("http://localhost/", true),
            ("https://agent.example/", true),
            ("http://agent.example/", false),
            ("http://169.254.169.254/", false),
            ("http://me@127.0.0.1/", false),
            ("ftp://127.0.0.1/", false),
            ("127.0.0.1", false),
        ] {
            assert_eq!(url(&[(FULL, uri)]).is_some(), is_taken, "{uri}");
        }
    }
}
