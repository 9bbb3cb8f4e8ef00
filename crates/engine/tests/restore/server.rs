//! A real server goes on with what was restored.

use rollsnap_testkit::etcd_real::{EtcdReal, EtcdVersion, Seat};

use rollsnap_engine::restore::Cluster;

use crate::{order, run, snapshot};

#[tokio::test]
async fn a_cluster_of_three_starts_from_three_restores() {
    let file = snapshot();
    for version in [EtcdVersion::V3_4, EtcdVersion::V3_5] {
        let make = |seats: &[Seat]| {
            let members = seats
                .iter()
                .map(|seat| (seat.name.clone(), vec![seat.peer_url.clone()]));
            let cluster = Cluster::new(&members.collect(), "one token").unwrap();
            for seat in seats {
                let mut order = order(&seat.data_dir);
                order.me = cluster.member(&seat.name).unwrap().clone();
                order.changes.cluster = cluster.clone();
                order.changes.bump = Some(1000);
                run(&file, &order).unwrap();
            }
        };
        let members = EtcdReal::builder().version(version).start_on(3, make).await;
        members[1].put("after", b"the restore").await;
        let mut client = members[2].client().await;
        assert_eq!(client.get("after", None).await.unwrap().kvs().len(), 1);
    }
}
