//! Starts an etcd for measuring and trying by hand: `etcd plain|tls MEGABYTES`.
//!
//! Prints its endpoint and the directory of its certificates, and runs until its input ends.

use std::io::{self, Read as _, Write as _};

use rollsnap_testkit::etcd_real::EtcdReal;
use rollsnap_testkit::tls::Certificates;

#[tokio::main]
async fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (secure, megabytes) = match &arguments[..] {
        [mode, size] if mode == "tls" || mode == "plain" => (mode == "tls", size.parse().ok()),
        _ => (false, None),
    };
    let megabytes: usize = megabytes.ok_or_else(|| io::Error::other("etcd plain|tls MEGABYTES"))?;
    let dir = tempfile::tempdir()?;
    let certificates = Certificates::issue(dir.path(), &[]);
    let builder = EtcdReal::builder();
    let etcd = if secure {
        builder.tls(&certificates).start().await
    } else {
        builder.start().await
    };
    etcd.fill(megabytes << 20).await;
    let mut out = io::stdout();
    writeln!(
        out,
        "{} {} {}",
        etcd.endpoint(),
        dir.path().display(),
        etcd.pid()
    )?;
    out.flush()?;
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
