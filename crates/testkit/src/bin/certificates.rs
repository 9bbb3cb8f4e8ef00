//! Writes an authority and the certificates of a server and a client into a directory.

use std::path::PathBuf;

use clap::Parser;
use rollsnap_testkit::tls::Certificates;

#[derive(Parser)]
#[command(about, long_about = None)]
struct Arguments {
    /// An existing directory
    dir: PathBuf,
}

fn main() {
    Certificates::issue(Arguments::parse().dir, &[]);
}
