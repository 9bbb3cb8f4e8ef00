//! Where the daemon answers over HTTP, and to whom it does what.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use rollsnap_rke::Wrong;
use rollsnap_rke::cluster_yml::ClusterYml;

use super::layers::{self, Layers, located_path, shortened};
use super::options::Id;
use super::{Origin, Sourced};

/// Where it answers unless somebody says otherwise: this machine alone.
const DEFAULT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 2389);

/// Where the daemon answers over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// The address; none where it answers at no port.
    pub address: Sourced<Option<SocketAddr>>,
    /// The Unix socket, if any.
    pub socket: Option<Sourced<PathBuf>>,
    /// The file of the bearer token; without one nobody may have anything done over the network.
    pub token_file: Option<Sourced<PathBuf>>,
    /// The certificate that is shown; without one there is no TLS.
    pub cert: Option<Sourced<PathBuf>>,
    /// Its key.
    pub key: Option<Sourced<PathBuf>>,
}

impl Http {
    pub(super) fn of(layers: &mut Layers<'_>, file: &ClusterYml) -> Self {
        let own = &file.own;
        let said = own.http.clone().map(|said| layers.located(said));
        let said = said.and_then(|said| match address(&said.value) {
            Ok(value) => Some(Sourced {
                value,
                origin: said.origin,
            }),
            Err(wrong) => {
                layers.fault_of(Id::Http, &said.origin, wrong);
                None
            }
        });
        let address = layers.pick(Id::Http, address, None).or(said);
        let mut path =
            |id, said: &Option<_>| layers.pick(id, layers::path, located_path(Option::clone(said)));
        let http = Self {
            address: address.unwrap_or_else(|| Sourced::default(Some(DEFAULT))),
            socket: path(Id::HttpSocket, &own.http_socket),
            token_file: path(Id::HttpTokenFile, &own.http_token_file),
            cert: path(Id::HttpCert, &own.http_cert),
            key: path(Id::HttpKey, &own.http_key),
        };
        let half = match (&http.cert, &http.key) {
            (Some(cert), None) => Some((Id::HttpKey, &cert.origin, "has no key")),
            (None, Some(key)) => Some((Id::HttpCert, &key.origin, "has no certificate")),
            _ => None,
        };
        if let Some((missing, origin, what)) = half
            && layers.knows(&[Id::HttpCert, Id::HttpKey])
        {
            let cure = format!("give {} too", missing.spec().name);
            layers.fault_of(missing, &Origin::clone(origin), Wrong::new(what, cure));
        }
        http
    }
}

/// `off`, nothing, or an address and a port; a port alone is at every address.
fn address(text: &str) -> Result<Option<SocketAddr>, Wrong> {
    let text = text.trim();
    if text.is_empty() || text == "off" {
        return Ok(None);
    }
    let everywhere = |port: &str| Some((Ipv6Addr::UNSPECIFIED, port.parse().ok()?).into());
    let found = match text.strip_prefix(':') {
        Some(port) => everywhere(port),
        None => text.parse().ok(),
    };
    found.map(Some).ok_or_else(|| {
        Wrong::new(
            format!("is {:?}", shortened(text)),
            "write an address and a port such as 127.0.0.1:2389, or off",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn an_address_is_numbers_and_off_is_a_word() {
        for (text, meant) in [
            ("127.0.0.1:2389", Some("127.0.0.1:2389")),
            ("[::1]:80", Some("[::1]:80")),
            (":9000", Some("[::]:9000")),
            ("off", None),
            ("", None),
        ] {
            let meant = meant.map(|it| it.parse().unwrap());
            assert_eq!(address(text).unwrap(), meant, "{text}");
        }
        for wrong in ["2389", "localhost:80", "127.0.0.1", ":", ":65536", "on"] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }
}
