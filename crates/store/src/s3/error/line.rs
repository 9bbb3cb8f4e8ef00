//! The line to the server: where in reqwest's chain of causes its fault is told, and by whom.

use std::error::Error as _;
use std::io;
use std::time::Duration;

use rustls::CertificateError;

use super::lowered;
use crate::{ErrorKind, StoreError};

/// The cure where a proxy asks for a user.
pub(super) const PROXY_LOGIN: &str =
    "put it into HTTP_PROXY and HTTPS_PROXY, as http://user:password@proxy:port";

/// The line to the server failed: name, connection, TLS, reset, stall.
///
/// Its words hold the bottom of reqwest's chain already, so that error is not kept: the layers
/// above it (`error sending request: client error (Connect)`) tell an operator nothing.
#[derive(Debug)]
pub(in crate::s3) enum LineFault {
    /// The server's certificate cannot be trusted.
    Certificate(CertificateError),
    NoTls,
    NoHttp,
    /// TLS broke in another way, in rustls' words.
    Tls(String),
    /// The resolver's words.
    Lookup(String),
    /// No connection, in the system's words.
    Connect(String),
    /// The proxy wants to know who asks.
    ProxyLogin,
    /// The proxy makes no way to the server, in its client's words or the system's.
    Proxy(String),
    /// It broke off later, in the system's words.
    Broken(String),
    Stalled(Duration),
}

impl LineFault {
    /// Reads the meaning from the bottom of reqwest's chain, where the operating system or rustls
    /// has spoken.
    pub(in crate::s3) fn new(error: &reqwest::Error) -> Self {
        match tls_error(error) {
            Some(rustls::Error::InvalidCertificate(bad)) => return Self::Certificate(bad.clone()),
            Some(rustls::Error::InvalidMessage(_)) => return Self::NoTls,
            Some(other) => return Self::Tls(lowered(&other.to_string())),
            None => {}
        }
        let words = chain(error);
        let holds = |part| words.iter().any(|text| text.contains(part));
        if holds("invalid HTTP") {
            Self::NoHttp
        } else if holds("proxy authorization required") {
            Self::ProxyLogin
        } else if holds("tunnel error") {
            Self::Proxy(bottom(&words))
        } else if holds("dns error") {
            Self::Lookup(bottom(&words))
        } else if error.is_connect() && error.is_timeout() {
            Self::Connect(String::from("timed out"))
        } else if error.is_connect() {
            Self::Connect(bottom(&words))
        } else {
            Self::Broken(bottom(&words))
        }
    }

    pub(super) fn kind(&self) -> ErrorKind {
        match self {
            Self::Certificate(_) | Self::ProxyLogin => ErrorKind::Denied,
            Self::NoTls | Self::NoHttp => ErrorKind::Config,
            Self::Tls(_)
            | Self::Lookup(_)
            | Self::Connect(_)
            | Self::Proxy(_)
            | Self::Broken(_)
            | Self::Stalled(_) => ErrorKind::Unavailable,
        }
    }

    pub(super) fn tell(
        &self,
        verb: &'static str,
        object: impl std::fmt::Display,
        endpoint: &str,
    ) -> StoreError {
        let (message, hint) = self.words(endpoint);
        let error = StoreError::at(self.kind(), verb, object, message);
        match hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }

    /// What happened, for a server that is no S3 server.
    pub(in crate::s3) fn bare_words(&self) -> String {
        match self {
            Self::Lookup(why) => format!("name lookup: {why}"),
            Self::Connect(why) => format!("connect: {why}"),
            Self::Tls(why) => format!("TLS: {why}"),
            Self::Broken(why) => why.clone(),
            Self::Proxy(why) => format!("the proxy before it: {why}"),
            Self::NoTls
            | Self::NoHttp
            | Self::ProxyLogin
            | Self::Certificate(_)
            | Self::Stalled(_) => {
                let (message, _) = self.words("it");
                message
            }
        }
    }

    fn words(&self, endpoint: &str) -> (String, Option<String>) {
        let (message, hint) = match self {
            Self::Certificate(bad) => return certificate(bad, endpoint),
            Self::NoTls => (
                format!("{endpoint} does not speak TLS"),
                "write the endpoint with http:// if it is meant to be plain",
            ),
            Self::NoHttp => (
                format!("{endpoint} does not speak plain HTTP"),
                "write the endpoint with https:// if the server wants TLS",
            ),
            Self::Lookup(why) => (
                format!("{endpoint}: name lookup: {why}"),
                "see whether the endpoint is spelled right and DNS answers",
            ),
            Self::Connect(why) => {
                let hint = format!(
                    "is the S3 server running at {endpoint}, and may this machine reach it?"
                );
                return (format!("{endpoint}: connect: {why}"), Some(hint));
            }
            Self::ProxyLogin => (
                format!("the proxy before {endpoint} wants a user"),
                PROXY_LOGIN,
            ),
            Self::Proxy(why) => (
                format!("the proxy before {endpoint}: {why}"),
                "see HTTPS_PROXY in the environment, or name the server in NO_PROXY",
            ),
            Self::Tls(why) => return (format!("{endpoint}: TLS: {why}"), None),
            Self::Broken(why) => return (format!("{endpoint}: {why}"), None),
            Self::Stalled(after) => {
                return (format!("{endpoint}: no byte moved for {after:?}"), None);
            }
        };
        (message, Some(hint.to_owned()))
    }
}

fn certificate(bad: &CertificateError, endpoint: &str) -> (String, Option<String>) {
    use CertificateError as Bad;
    let (fault, hint) = match bad {
        // A signature is bad where the trusted CA has the issuer's name and another key.
        Bad::UnknownIssuer | Bad::BadSignature => (
            "is not signed by a CA that is trusted".to_owned(),
            "give the CA that signed the server's certificate as custom_ca",
        ),
        Bad::NotValidForName | Bad::NotValidForNameContext { .. } => (
            "was made for another name".to_owned(),
            "use the host name that the server's certificate was made for",
        ),
        Bad::Expired | Bad::ExpiredContext { .. } => (
            "has expired".to_owned(),
            "renew the server's certificate, or set this machine's clock",
        ),
        Bad::NotValidYet | Bad::NotValidYetContext { .. } => (
            "is not valid yet".to_owned(),
            "set this machine's clock, or the clock of whoever made the certificate",
        ),
        other => (
            format!("is refused: {}", lowered(&other.to_string())),
            "see the server's certificate",
        ),
    };
    let message = format!("the certificate of {endpoint} {fault}");
    (message, Some(hint.to_owned()))
}

/// `io::Error` hides the error inside it from the chain, so both ways down are walked.
fn tls_error<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    if let Some(found) = error.downcast_ref::<rustls::Error>() {
        return Some(found);
    }
    let hidden = error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref)
        .and_then(|inner| tls_error(inner));
    hidden.or_else(|| error.source().and_then(tls_error))
}

fn chain(error: &reqwest::Error) -> Vec<String> {
    std::iter::successors(error.source(), |error| (*error).source())
        .map(ToString::to_string)
        .collect()
}

fn bottom(words: &[String]) -> String {
    words
        .last()
        .map_or_else(|| "the request broke off".into(), |text| lowered(text))
}
