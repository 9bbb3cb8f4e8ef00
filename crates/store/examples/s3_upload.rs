//! Streams so many MiB into a bucket and tells what it took.
//!
//! `s3-server --dir /tmp/s3 --bucket demo --access-key key --secret-key secret &`
//! `cargo run --release --example s3_upload http://127.0.0.1:9000 demo key secret 1024`

use std::error::Error;
use std::io::{self, Write as _};

use bytes::Bytes;
use rollsnap_store::s3::{Credentials, S3Config, S3Store};
use rollsnap_store::{ObjectName, Store as _, Terms};

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [endpoint, bucket, access_key, secret_key, mib] = &arguments[..] else {
        return Err("usage: s3_upload ENDPOINT BUCKET ACCESS_KEY SECRET_KEY MIB".into());
    };
    let store = S3Store::open(&S3Config {
        endpoint: endpoint.clone(),
        bucket: bucket.clone(),
        credentials: Credentials::new(access_key, secret_key).into(),
        ..S3Config::default()
    })?;
    store.check_bucket().await?;

    let begun = tokio::time::Instant::now();
    let mut upload = store
        .begin(&ObjectName::new("example")?, Terms::replacing())
        .await?;
    let part = upload.part_size();
    let mut left = mib.parse::<usize>()? << 20;
    while left > 0 {
        let size = left.min(part);
        upload.write(Bytes::from(vec![7; size])).await?;
        left -= size;
    }
    let info = upload.commit().await?;
    let took = begun.elapsed();

    let peak = std::fs::read_to_string("/proc/self/status")?;
    let peak = peak.lines().find(|line| line.starts_with("VmHWM"));
    writeln!(
        io::stdout(),
        "{} bytes at {} in {took:?}, {}",
        info.size,
        store.location(),
        peak.unwrap_or_default()
    )?;
    Ok(())
}
