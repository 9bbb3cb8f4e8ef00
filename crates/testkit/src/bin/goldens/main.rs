//! Makes the golden snapshots of `crates/snapfile/testdata/made`: real servers are given fixed
//! keys, and what they and their own tools say of the result is kept beside it.
//!
//! The files are not the same bytes each time, for etcd makes up member and cluster ids; what is
//! said beside each holds for it.

mod chance;
mod keep;
mod recipes;

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::Parser;
use rollsnap_testkit::etcd_real::EtcdVersion;

#[derive(Parser)]
#[command(about, long_about = None)]
struct Arguments {
    /// Where the files go
    #[arg(long, default_value_os_t = default_dir())]
    dir: PathBuf,
    /// Only the recipes with these names
    only: Vec<String>,
}

fn default_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../snapfile/testdata/made")
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let arguments = Arguments::parse();
    std::fs::create_dir_all(&arguments.dir)?;
    for version in EtcdVersion::ALL {
        for recipe in recipes::ALL {
            if arguments.only.is_empty() || arguments.only.iter().any(|it| it == recipe.name) {
                let etcd = recipe.run(version).await;
                let name = format!("{}.{}", version.number(), recipe.name);
                let bytes = keep::keep(etcd, recipe.taken, &arguments.dir, &name).await;
                writeln!(io::stdout(), "{name}: {bytes} bytes")?;
            }
        }
    }
    Ok(())
}
