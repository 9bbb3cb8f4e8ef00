//! The limit that a save is measured against: etcd's snapshot stream, read to nothing.
//!
//! The same etcd-client and TLS as the product, on one thread. No digest, no file.

use std::io::{self, Write as _};

use clap::Parser;
use rollsnap_testkit::member_args::MemberArgs;

#[derive(Parser)]
#[command(about, long_about = None)]
struct Arguments {
    #[command(flatten)]
    member: MemberArgs,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let client = Arguments::parse().member.connect().await?;
    let stream = client.maintenance_client().snapshot().await;
    let mut stream = stream.map_err(io::Error::other)?;
    let mut bytes = 0_u64;
    while let Some(message) = stream.message().await.map_err(io::Error::other)? {
        bytes += message.blob().len() as u64;
    }
    writeln!(io::stdout(), "{bytes}")
}
