//! How the programs of the bench reach an etcd: three options, the same for each of them.

use std::fs;
use std::io;
use std::path::PathBuf;

use clap::Args;
use etcd_client::{Certificate, Client, ConnectOptions, Identity, TlsOptions};

/// One member and the directory of its [`Certificates`](crate::tls::Certificates).
#[derive(Debug, Args)]
pub struct MemberArgs {
    /// The member's client URL
    #[arg(long)]
    endpoint: String,
    /// Directory with ca.pem, client.pem and client-key.pem; none for http
    #[arg(long)]
    certificates: Option<PathBuf>,
}

impl MemberArgs {
    /// Connects with etcd-client's own settings, nothing tuned.
    pub async fn connect(&self) -> io::Result<Client> {
        let mut options = ConnectOptions::new();
        if let Some(dir) = &self.certificates {
            let read = |name| fs::read(dir.join(name));
            options = options.with_tls(
                TlsOptions::new()
                    .ca_certificate(Certificate::from_pem(read("ca.pem")?))
                    .identity(Identity::from_pem(
                        read("client.pem")?,
                        read("client-key.pem")?,
                    )),
            );
        }
        let client = Client::connect([&self.endpoint], Some(options)).await;
        client.map_err(io::Error::other)
    }
}
