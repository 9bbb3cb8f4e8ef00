//! A tiny S3 server for the demo and the end-to-end test: one directory, one bucket, one pair of
//! keys. Prints one line when it is ready; SIGTERM or SIGINT ends it with status 0.

use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::Parser;
use rollsnap_testkit::{s3_objects, s3_server};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

#[derive(Parser)]
#[command(about, long_about = None)]
struct Arguments {
    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, env = "S3_LISTEN", default_value = "127.0.0.1:9000")]
    listen: String,
    /// Directory that holds the bucket; made when missing
    #[arg(long, env = "S3_DIR")]
    dir: PathBuf,
    /// The bucket; made when missing
    #[arg(long, env = "S3_BUCKET")]
    bucket: String,
    /// The access key that clients must use
    #[arg(long, env = "S3_ACCESS_KEY", hide_env_values = true)]
    access_key: String,
    /// Its secret
    #[arg(long, env = "S3_SECRET_KEY", hide_env_values = true)]
    secret_key: String,
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let arguments = Arguments::parse();
    // Before the line that says it is ready: whoever reads that may stop it at once.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;

    fs::create_dir_all(arguments.dir.join(&arguments.bucket))?;
    let service = s3_server::service(&arguments.dir, &arguments.access_key, &arguments.secret_key);
    let listener = TcpListener::bind(&arguments.listen).await?;
    let address = listener.local_addr()?;
    writeln!(
        io::stdout(),
        "s3-server ready at http://{address} with bucket {}",
        arguments.bucket
    )?;
    tokio::select! {
        () = s3_objects::serve(listener, service, arguments.dir) => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
