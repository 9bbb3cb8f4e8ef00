//! What a snapshot holds, as etcdutl prints it: `cargo run --example status -- FILE`.

#![allow(clippy::disallowed_macros)] // An example has no output of its own.

use std::fs::File;
use std::ops::ControlFlow;

use rollsnap_snapfile::{Trailer, status};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args_os().nth(1).ok_or("usage: status FILE")?;
    let file = File::open(path)?;
    let (trailer, status) = status(&file, &mut |_| ControlFlow::Continue(()))?;
    println!("hash        {:x}", status.hash);
    println!("revision    {}", status.revision);
    println!("live keys   {}", status.live_keys);
    println!("entries     {}", status.entries);
    println!("total size  {}", status.total_size);
    match trailer {
        Trailer::Held(digest) => println!("digest      {digest} holds"),
        Trailer::Absent => println!("digest      absent"),
        Trailer::Wrong { .. } => println!("digest      WRONG"),
    }
    Ok(())
}
