//! Reads one snapshot and throws it away: the raw drain, which no save can beat.
//!
//! `drain ENDPOINT [CA CERT KEY]`

use std::io::Write as _;

use futures_util::StreamExt;
use rollsnap_etcd::{Member, MemberConfig, Source, TlsFiles};

type Failure = Box<dyn std::error::Error>;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let endpoint = arguments.next().ok_or("drain ENDPOINT [CA CERT KEY]")?;
    let mut file = || arguments.next().map(Into::into);
    let tls = TlsFiles {
        ca: file(),
        cert: file(),
        key: file(),
    };
    let member = Member::new(MemberConfig {
        tls,
        ..MemberConfig::new(endpoint)
    })
    .map_err(|faults| {
        faults
            .into_iter()
            .map(Failure::from)
            .next()
            .unwrap_or("".into())
    })?;
    let mut bytes = 0;
    let mut stream = member.snapshot().await?;
    while let Some(chunk) = stream.next().await {
        bytes += chunk?.bytes.len();
    }
    writeln!(std::io::stdout(), "{bytes} bytes")?;
    Ok(())
}
