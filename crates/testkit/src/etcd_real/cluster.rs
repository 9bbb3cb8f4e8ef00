//! Several voting members that found a cluster together.

use futures_util::future::join_all;

use super::{EtcdBuilder, EtcdReal, Membership, PORT_TRIES, Seat};

/// Starts `m1` to `m{size}` where `make` has been. None of them answers before most of them run.
pub(super) async fn start(
    builder: &EtcdBuilder,
    size: usize,
    make: impl Fn(&[Seat]),
) -> Vec<EtcdReal> {
    for _ in 0..PORT_TRIES {
        let mut members = prepare(builder, size);
        let seats: Vec<Seat> = members.iter().map(seat).collect();
        make(&seats);
        let started = join_all(members.iter_mut().map(EtcdReal::spawn_and_wait)).await;
        let logs: Vec<String> = started.into_iter().filter_map(Result::err).collect();
        if logs.is_empty() {
            return members;
        }
        let logs = logs.join("\n\n");
        assert!(
            logs.contains("address already in use"),
            "the cluster does not answer; its logs:\n{logs}"
        );
    }
    panic!("no free ports for a cluster of etcd in {PORT_TRIES} tries");
}

fn prepare(builder: &EtcdBuilder, size: usize) -> Vec<EtcdReal> {
    let prepared = (1..=size).map(|n| {
        let unknown = Membership::Together(String::new());
        EtcdReal::prepare(builder.clone(), unknown, &format!("m{n}"))
    });
    let mut members: Vec<EtcdReal> = prepared.collect();
    let all: Vec<String> = members
        .iter()
        .map(|it| format!("{}=http://127.0.0.1:{}", it.name, it.peer_port))
        .collect();
    for member in &mut members {
        member.membership = Membership::Together(all.join(","));
    }
    members
}

fn seat(member: &EtcdReal) -> Seat {
    Seat {
        name: member.name.clone(),
        peer_url: format!("http://127.0.0.1:{}", member.peer_port),
        data_dir: member.data_dir(),
    }
}
