//! From what etcd-client reports to what it means and what to do about it.
//!
//! Sources of the facts: etcd 3.4 and 3.5 answer most refusals of their auth with gRPC code
//! `Unknown` and a text, so the text decides; rustls errors and alerts are found in the chain of
//! causes, some of them only as text, because h2 keeps no more.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use etcd_client::Error;
use rustls::{AlertDescription, CertificateError};

use crate::endpoint::{Endpoint, Scheme};
use crate::probe::{self, Speech};
use crate::{ErrorKind, SourceError, TlsFiles};

/// gRPC codes (`google.rpc.Code`).
const UNIMPLEMENTED: i32 = 12;
const UNAUTHENTICATED: i32 = 16;
const PERMISSION_DENIED: i32 = 7;

/// The verb of a question for a hash.
pub(crate) const HASH: &str = "hash of";

/// Who was asked and how: what a message needs to name.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    pub(crate) endpoint: Endpoint,
    pub(crate) tls: TlsFiles,
    pub(crate) user: Option<String>,
}

impl Subject {
    /// An error of `verb` at this member.
    pub(crate) fn error(
        &self,
        kind: ErrorKind,
        verb: &'static str,
        message: impl Into<String>,
    ) -> SourceError {
        SourceError::new(kind, verb, self.endpoint.as_str(), message)
    }

    /// Explains a failure before any good answer. May ask the port what it speaks.
    pub(crate) async fn explain(&self, verb: &'static str, error: Error) -> SourceError {
        let finding = match self.finding(verb, &error) {
            Some(finding) => finding,
            None => self.ask_again().await,
        };
        self.report(verb, finding, error)
    }

    /// Explains a failure in the middle of good answers.
    pub(crate) fn explain_break(&self, verb: &'static str, error: Error) -> SourceError {
        let finding = self.finding(verb, &error).unwrap_or_else(|| {
            Finding::new(ErrorKind::Unavailable, "the connection broke").with_cause()
        });
        self.report(verb, finding, error)
    }

    fn report(&self, verb: &'static str, finding: Finding, error: Error) -> SourceError {
        let mut report = self.error(finding.kind, verb, finding.message);
        if let Some(hint) = finding.hint {
            report = report.with_hint(hint);
        }
        if finding.has_cause {
            report = report.caused_by(Cause(error));
        }
        report
    }

    /// What the error says by itself; none if the connection just broke.
    fn finding(&self, verb: &str, error: &Error) -> Option<Finding> {
        let Error::GRpcStatus(status) = error else {
            return Some(match error {
                Error::TransportError(_) => {
                    Finding::new(ErrorKind::Config, "TLS cannot be set up").with_cause()
                }
                other => Finding::new(ErrorKind::Unavailable, other.to_string()),
            });
        };
        if status.source().is_some() {
            self.of_transport(status)
        } else {
            self.of_answer(verb, i32::from(status.code()), status.message())
        }
    }

    /// The call got no answer: look for the reason below.
    fn of_transport(&self, error: &(dyn StdError + 'static)) -> Option<Finding> {
        let mut words = String::new();
        for cause in chain(error) {
            if let Some(finding) = cause.downcast_ref().and_then(|tls| self.of_tls(tls)) {
                return Some(finding);
            }
            if let Some(io) = cause.downcast_ref::<io::Error>()
                && io.kind() == io::ErrorKind::ConnectionRefused
            {
                let (host, port) = self.endpoint.authority();
                let hint = format!("is etcd running, and does it listen at {host}:{port}?");
                return Some(
                    Finding::new(ErrorKind::Unavailable, "connection refused").with_hint(hint),
                );
            }
            words.push_str(&cause.to_string());
            words.push('\n');
        }
        if words.contains("received fatal alert") {
            return Some(self.refused_by_alert());
        }
        if words.contains("dns error") || words.contains("failed to lookup address") {
            let host = self.endpoint.bare_host();
            return Some(
                Finding::new(
                    ErrorKind::Unavailable,
                    format!("no address for host {host}"),
                )
                .with_hint("check the host in --endpoints and the name service")
                .with_cause(),
            );
        }
        if words.contains("HTTP/2 was not negotiated") {
            return Some(not_etcd("it speaks TLS but no HTTP/2"));
        }
        if words.contains("invalid compression flag") || words.contains("decode Protobuf") {
            return Some(not_etcd("its answer is no gRPC message"));
        }
        None
    }

    fn of_tls(&self, error: &rustls::Error) -> Option<Finding> {
        use CertificateError as Fault;
        Some(
            match error {
                rustls::Error::InvalidCertificate(Fault::UnknownIssuer | Fault::BadSignature) => {
                    let signers = match &self.tls.ca {
                        Some(ca) => format!("the CA in {}", ca.display()),
                        None => "any CA of this system".to_owned(),
                    };
                    denied(format!(
                        "the server's certificate is not signed by {signers}"
                    ))
                    .with_hint("give the CA that signed etcd's certificate with --cacert")
                }
                rustls::Error::InvalidCertificate(
                    Fault::NotValidForName | Fault::NotValidForNameContext { .. },
                ) => denied(format!(
                    "the server's certificate is not for host {}",
                    self.endpoint.bare_host()
                ))
                .with_hint("use a name or an address that the certificate lists in --endpoints"),
                rustls::Error::InvalidCertificate(
                    Fault::Expired | Fault::ExpiredContext { .. },
                ) => denied("the server's certificate has expired")
                    .with_hint("renew etcd's certificate, and check both clocks"),
                rustls::Error::InvalidCertificate(_) => {
                    denied("the server's certificate is refused")
                }
                rustls::Error::AlertReceived(AlertDescription::HandshakeFailure) => {
                    denied("etcd refuses the TLS handshake")
                        .with_hint("etcd and this client share no TLS version or cipher")
                }
                rustls::Error::AlertReceived(_) => return Some(self.refused_by_alert()),
                // Something else than TLS came back: let the probe say what.
                _ => return None,
            }
            .with_cause(),
        )
    }

    fn refused_by_alert(&self) -> Finding {
        if self.tls.cert.is_some() {
            denied("etcd refuses the client certificate").with_hint(
                "give a certificate that etcd's --trusted-ca-file has signed with --cert and --key",
            )
        } else {
            denied("etcd wants a client certificate").with_hint("give one with --cert and --key")
        }
        .with_cause()
    }

    /// The call was answered with a gRPC status other than OK.
    fn of_answer(&self, verb: &str, code: i32, text: &str) -> Option<Finding> {
        let says = |words: &str| text.contains(words);
        // A client certificate's name is a user too, where no other is given.
        let is_unknown = says("user name not found") || says("user not found");
        if says("user name is empty") || is_unknown && self.user.is_none() {
            return Some(
                denied("etcd wants a user")
                    .with_hint("give one with the role root: --user and --password-file"),
            );
        }
        if says("authentication failed") || is_unknown {
            let user = self.user.as_deref().unwrap_or_default();
            return Some(
                denied(format!(
                    "etcd refuses the name or the password of user {user:?}"
                ))
                .with_hint("check --user and --password-file"),
            );
        }
        if says("grpc-status header missing") || says("invalid compression flag") {
            return Some(not_etcd("it answers HTTP/2, but no gRPC").with_cause());
        }
        if says("not supported for learner") {
            return Some(
                Finding::new(ErrorKind::Unsuitable, "this member is a learner")
                    .with_hint("name a voting member with --endpoints"),
            );
        }
        if says("invalid auth token") || says("auth store is old") {
            // Users were changed, or the server was restarted, between login and call.
            return Some(
                Finding::new(ErrorKind::Unavailable, "etcd forgot the login").with_cause(),
            );
        }
        // `mvcc: required revision …` (etcd `mvcc/kv.go`), in 3.4 to 3.6 alike.
        if says("has been compacted") {
            return Some(Finding::new(
                ErrorKind::Compacted,
                "the revision has been compacted there",
            ));
        }
        if says("is a future revision") {
            return Some(
                Finding::new(
                    ErrorKind::Unavailable,
                    "the member has not come to the revision",
                )
                .with_hint("a member that lags catches up by itself; ask again"),
            );
        }
        if says("permission denied") || code == PERMISSION_DENIED {
            let (who, hint) = match &self.user {
                Some(user) => (
                    format!("user {user:?}"),
                    format!("only the role root may: etcdctl user grant-role {user} root"),
                ),
                None => (
                    "the client certificate's user".to_owned(),
                    "name a user with the role root: --user and --password-file".to_owned(),
                ),
            };
            let what = if verb == HASH {
                "ask for hashes"
            } else {
                "take snapshots"
            };
            return Some(denied(format!("{who} may not {what}")).with_hint(hint));
        }
        if code == UNAUTHENTICATED {
            return Some(denied(text.to_owned()).with_hint("check --user and --password-file"));
        }
        if code == UNIMPLEMENTED {
            return Some(
                not_etcd("it answers gRPC, but knows no etcd maintenance API").with_cause(),
            );
        }
        if says("missing grpc-status trailer") {
            return None;
        }
        Some(Finding::new(ErrorKind::Unavailable, text.to_owned()))
    }

    /// The connection broke before any answer: ask the port what it speaks, and why it refuses.
    async fn ask_again(&self) -> Finding {
        let speech = probe::listen(&self.endpoint).await;
        if (self.endpoint.scheme(), speech) == (Scheme::Https, Speech::Tls)
            && let Some(config) = self.tls.handshake_config()
            && let Some(refusal) = probe::refusal(&self.endpoint, config).await
            && let Some(finding) = self.of_tls(&refusal)
        {
            return finding;
        }
        self.of_speech(speech)
    }

    /// The port speaks this, and hung up when it was asked.
    fn of_speech(&self, speech: Speech) -> Finding {
        let config = |message: &str| Finding::new(ErrorKind::Config, message);
        match (self.endpoint.scheme(), speech) {
            (Scheme::Http, Speech::Tls) => config("it speaks TLS, and was asked without")
                .with_hint("write https:// and give --cacert, --cert and --key"),
            (Scheme::Https, Speech::Http1 | Speech::Http2) => {
                config("it speaks no TLS, and was asked with it")
                    .with_hint("write http:// and drop --cacert, --cert and --key")
            }
            (Scheme::Http, Speech::Http1) => not_etcd("it is a web server that speaks no HTTP/2"),
            (_, Speech::Unknown) => not_etcd("it speaks neither TLS nor HTTP"),
            _ => Finding::new(ErrorKind::Unavailable, "the connection broke").with_cause(),
        }
    }
}

/// What was found out about a failure.
struct Finding {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
    /// Whether the cause says something that the message does not.
    has_cause: bool,
}

impl Finding {
    fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hint: None,
            has_cause: false,
        }
    }

    fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    fn with_cause(mut self) -> Self {
        self.has_cause = true;
        self
    }
}

fn denied(message: impl Into<String>) -> Finding {
    Finding::new(ErrorKind::Denied, message)
}

fn not_etcd(message: &str) -> Finding {
    Finding::new(ErrorKind::Unsuitable, format!("this is no etcd: {message}"))
        .with_hint("give etcd's client URL with --endpoints, not its peer or metrics URL")
}

/// Whether a login failed only because this etcd wants none.
pub(crate) fn is_auth_off(error: &Error) -> bool {
    matches!(error, Error::GRpcStatus(status)
        if status.message().contains("authentication is not enabled"))
}

/// What etcd-client reported, shown as the innermost reason and not as the layers around it.
#[derive(Debug)]
struct Cause(Error);

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Error::GRpcStatus(status) => match chain(status).last() {
                Some(innermost) if status.source().is_some() => write!(f, "{innermost}"),
                _ => f.write_str(status.message()),
            },
            Error::TransportError(error) => match chain(error).last() {
                Some(innermost) => write!(f, "{innermost}"),
                None => write!(f, "{error}"),
            },
            other => write!(f, "{other}"),
        }
    }
}

impl StdError for Cause {}

/// An error and its causes, also those that an `io::Error` wraps and its `source` leaves out.
fn chain<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| {
        let wrapped = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
            .map(|inner| inner as &(dyn StdError + 'static));
        wrapped.or_else(|| error.source())
    })
}
