//! Where a member listens: the forms people write, and the one form that is used and shown.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use crate::{ErrorKind, SourceError};

/// etcd's client port where none is written.
const DEFAULT_PORT: u16 = 2379;

/// How the member is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https,
}

/// One parsed endpoint. Its text is a URL without path, such as `https://[::1]:2379`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    scheme: Scheme,
    host: String,
    port: u16,
    text: String,
}

impl Endpoint {
    /// Reads `host:port`, `http://…` or `https://…`. A bare one means `https` if certificates are
    /// given (`bare`), as etcd's own tools have it. The port may be missing, a slash may follow.
    pub(crate) fn parse(written: &str, bare: Scheme) -> Result<Self, SourceError> {
        let written = written.trim();
        let fault = |message: &str, hint: &str| {
            SourceError::new(ErrorKind::Config, "endpoint", quoted(written), message)
                .with_hint(hint)
        };
        if written.is_empty() {
            return Err(fault(
                "is empty",
                "give the member's client URL, such as https://127.0.0.1:2379, with --endpoints",
            ));
        }
        let (scheme, rest) = match written.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (Scheme::Http, rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (Scheme::Https, rest),
            Some((scheme, _)) => {
                return Err(fault(
                    &format!("has the unknown scheme {scheme:?}"),
                    "write http://host:port or https://host:port",
                ));
            }
            None => (bare, written),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains('@') {
            return Err(fault(
                "holds a user",
                "name the user with --user and its password with --password-file",
            ));
        }
        if authority.contains(['/', '?', '#']) {
            return Err(fault(
                "has a path or a query",
                "an etcd endpoint is only scheme, host and port",
            ));
        }
        if authority.contains(',') {
            return Err(fault(
                "holds a comma",
                "an endpoint is one member; give several as a list",
            ));
        }
        let (host, port) = split_port(authority).map_err(|(message, hint)| fault(message, hint))?;
        let text = format!("{scheme}://{host}:{port}");
        Ok(Self {
            scheme,
            host,
            port,
            text,
        })
    }

    pub(crate) fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Host and port, as `lookup_host` wants them.
    pub(crate) fn authority(&self) -> (&str, u16) {
        (self.bare_host(), self.port)
    }

    /// The host without the brackets of an IPv6 address.
    pub(crate) fn bare_host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// Whether the host is `0.0.0.0` or `::`, which says where to listen and not where to call.
    pub(crate) fn is_unspecified(&self) -> bool {
        let address = self.bare_host().parse::<IpAddr>();
        address.is_ok_and(|address| address.is_unspecified())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "http",
            Self::Https => "https",
        })
    }
}

/// What was written, without what may be a password: everything before an `@` is left out.
fn quoted(written: &str) -> String {
    match written.rsplit_once('@') {
        Some((_, rest)) => format!("\"…@{rest}\""),
        None => format!("{written:?}"),
    }
}

type Complaint = (&'static str, &'static str);

fn split_port(authority: &str) -> Result<(String, u16), Complaint> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (address, after) = rest
                .split_once(']')
                .ok_or(("has a [ without ]", "write an IPv6 endpoint as [::1]:2379"))?;
            address.parse::<Ipv6Addr>().map_err(|_| {
                (
                    "has something in brackets that is no IPv6 address",
                    "write an IPv6 endpoint as [::1]:2379",
                )
            })?;
            (
                format!("[{address}]"),
                after
                    .strip_prefix(':')
                    .or_else(|| after.is_empty().then_some(""))
                    .ok_or((
                        "has something between ] and the port",
                        "write an IPv6 endpoint as [::1]:2379",
                    ))?,
            )
        }
        None if authority.matches(':').count() > 1 => {
            return Err((
                "has more than one colon",
                "put an IPv6 address in brackets, such as [::1]:2379",
            ));
        }
        None => {
            let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
            (host.to_owned(), port)
        }
    };
    if host.is_empty() {
        return Err(("has no host", "write host:port, such as 127.0.0.1:2379"));
    }
    let is_name_letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    if !host.starts_with('[') && !host.chars().all(is_name_letter) {
        return Err((
            "has a host with letters that no host name has",
            "write host:port, such as 127.0.0.1:2379",
        ));
    }
    let port = if port.is_empty() {
        DEFAULT_PORT
    } else {
        port.parse().ok().filter(|port| *port != 0).ok_or((
            "has a port that is none",
            "a port is a number from 1 to 65535",
        ))?
    };
    Ok((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(written: &str) -> String {
        let endpoint = Endpoint::parse(written, Scheme::Http).unwrap();
        endpoint.as_str().to_owned()
    }

    #[test]
    fn every_way_to_write_an_endpoint_has_one_text() {
        for (written, expected) in [
            ("127.0.0.1:2379", "http://127.0.0.1:2379"),
            ("etcd-0.etcd", "http://etcd-0.etcd:2379"),
            ("http://a:1", "http://a:1"),
            ("HTTPS://a:1/", "https://a:1"),
            (" https://[::1]:2380/ ", "https://[::1]:2380"),
            ("[fe80::1]", "http://[fe80::1]:2379"),
        ] {
            assert_eq!(text(written), expected, "{written}");
        }
    }

    #[test]
    fn a_bare_endpoint_takes_the_scheme_it_is_given() {
        let endpoint = Endpoint::parse("a:1", Scheme::Https).unwrap();
        assert_eq!(endpoint.as_str(), "https://a:1");
    }

    #[test]
    fn an_ipv6_host_loses_its_brackets_for_lookups() {
        let endpoint = Endpoint::parse("[::1]:7", Scheme::Http).unwrap();
        assert_eq!(endpoint.authority(), ("::1", 7));
    }

    #[test]
    fn what_is_no_endpoint_is_named_with_its_fault_and_its_cure() {
        for (written, fault) in [
            ("", "is empty"),
            ("  ", "is empty"),
            ("unix:///run/etcd.sock", "unknown scheme \"unix\""),
            ("ftp://a", "unknown scheme \"ftp\""),
            ("https://", "has no host"),
            (":2379", "has no host"),
            ("http://a/v3", "path or a query"),
            ("a:1?x=y", "path or a query"),
            ("a:1,b:2", "holds a comma"),
            ("::1:2379", "more than one colon"),
            ("[::1", "[ without ]"),
            ("[localhost]:1", "no IPv6 address"),
            ("[::1]x", "between ] and the port"),
            ("a:0", "port that is none"),
            ("a:65536", "port that is none"),
            ("a:port", "port that is none"),
            ("a b:1", "letters that no host name has"),
        ] {
            let error = Endpoint::parse(written, Scheme::Http).unwrap_err();
            assert!(error.to_string().contains(fault), "{written}: {error}");
            assert_eq!(error.kind(), ErrorKind::Config, "{written}");
            assert!(error.hint().is_some(), "{written}");
        }
    }

    #[test]
    fn a_password_in_an_endpoint_is_refused_and_not_shown() {
        let error = Endpoint::parse("https://root:hunter2@a:1", Scheme::Http).unwrap_err();
        assert!(error.to_string().contains("holds a user"), "{error}");
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
}
