//! The old program's command lines, carried out by the whole program against a real etcd behind
//! certificates as RKE makes them.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed, wherever it is"
)]

#[expect(
    dead_code,
    reason = "the kit of the other commands' tests, of which these need a part"
)]
#[path = "../commands/program.rs"]
mod program;
#[path = "../commands/running.rs"]
mod running;
#[expect(dead_code, reason = "as above")]
#[path = "../commands/world.rs"]
mod world;

mod node;

mod bucket;
mod defects;
mod delete;
mod extract;
mod going_back;
mod golden;
mod neighbours;
mod once;
mod originals;
mod peers;
mod rancher;
mod rolling;
mod words;
