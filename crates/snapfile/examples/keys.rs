//! Every key of a snapshot and the size of its value: `cargo run --example keys -- FILE [PREFIX]`.

#![allow(clippy::disallowed_macros)] // An example has no output of its own.

use std::fs::File;
use std::ops::ControlFlow;

use rollsnap_snapfile::mvcc::live;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let file = File::open(arguments.next().ok_or("usage: keys FILE [PREFIX]")?)?;
    let prefix = arguments.next().unwrap_or_default();
    live(&file, None, prefix.as_bytes(), &mut |live| {
        let record = live.record;
        let key = record.key.escape_ascii();
        println!("{} {key} {} bytes", live.revision, record.value.len());
        ControlFlow::Continue(())
    })?;
    Ok(())
}
