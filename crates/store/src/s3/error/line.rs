//! The line to the server: where in reqwest's chain of causes its fault is told, and by whom.

use std::error::Error as _;
use std::fmt;
use std::io;
use std::time::Duration;

use super::lowered;
use crate::ErrorKind;

const REACH: &str = "is the server up, and may this machine reach it at the endpoint?";

/// The line to the server failed: name, connection, TLS, reset, stall.
#[derive(Debug)]
pub(in crate::s3) struct LineFault {
    pub(super) kind: ErrorKind,
    pub(super) message: String,
    pub(super) hint: Option<&'static str>,
    pub(super) cause: Option<Innermost>,
}

/// What reqwest reported, shown as its innermost reason: the layers around it ("error sending
/// request: client error (Connect)") tell an operator nothing.
#[derive(Debug)]
pub(super) struct Innermost(reqwest::Error);

impl fmt::Display for Innermost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&bottom(&chain(&self.0)))
    }
}

impl std::error::Error for Innermost {}

impl LineFault {
    /// Reads the meaning from the bottom of reqwest's chain, where the operating system or rustls
    /// has spoken. The URL is dropped: the object is named by whoever tells the error.
    pub(in crate::s3) fn new(cause: reqwest::Error) -> Self {
        let cause = cause.without_url();
        let (kind, message, hint) = diagnose(&cause);
        Self {
            kind,
            message,
            hint,
            cause: Some(Innermost(cause)),
        }
    }

    pub(in crate::s3) fn stalled(after: Duration) -> Self {
        Self {
            kind: ErrorKind::Unavailable,
            message: format!("no byte moved for {after:?}"),
            hint: None,
            cause: None,
        }
    }
}

fn diagnose(error: &reqwest::Error) -> (ErrorKind, String, Option<&'static str>) {
    use rustls::CertificateError as Bad;
    use rustls::Error as Tls;

    match tls_error(error) {
        Some(Tls::InvalidCertificate(bad)) => {
            let hint = match bad {
                Bad::UnknownIssuer => {
                    "give the CA that signed the server's certificate as custom_ca"
                }
                Bad::NotValidForName | Bad::NotValidForNameContext { .. } => {
                    "use the host name that the server's certificate was made for"
                }
                Bad::Expired | Bad::ExpiredContext { .. } => {
                    "renew the server's certificate, or set this machine's clock"
                }
                _ => "see the server's certificate",
            };
            let message = format!("certificate refused: {}", lowered(&bad.to_string()));
            return (ErrorKind::Config, message, Some(hint));
        }
        Some(Tls::InvalidMessage(_)) => {
            return (
                ErrorKind::Config,
                "the server does not speak TLS here".into(),
                Some("write the endpoint with http:// if it is meant to be plain"),
            );
        }
        Some(other) => {
            let message = format!("TLS: {}", lowered(&other.to_string()));
            return (ErrorKind::Unavailable, message, None);
        }
        None => {}
    }
    let words = chain(error);
    if words.iter().any(|text| text.contains("invalid HTTP")) {
        return (
            ErrorKind::Config,
            "the server does not speak HTTP here".into(),
            Some("write the endpoint with https:// if the server wants TLS"),
        );
    }
    if words.iter().any(|text| text.contains("dns error")) {
        return (
            ErrorKind::Unavailable,
            format!("name lookup: {}", bottom(&words)),
            Some("see whether the endpoint is spelled right and DNS answers"),
        );
    }
    let (message, hint) = match (error.is_connect(), error.is_timeout()) {
        (true, true) => ("connect: timed out".into(), Some(REACH)),
        (true, false) => (format!("connect: {}", bottom(&words)), Some(REACH)),
        _ => (bottom(&words), None),
    };
    (ErrorKind::Unavailable, message, hint)
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
