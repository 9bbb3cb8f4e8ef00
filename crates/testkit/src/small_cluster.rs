//! Writes such as those of a small Kubernetes cluster: nodes renew leases, pods change, events come
//! and go.

use std::time::Duration;

use etcd_client::{Error, KvClient};
use tokio::time::interval;

/// Three writes at each step of so many milliseconds. Returns only the reason why it cannot go on.
pub async fn write(mut etcd: KvClient, step_millis: u64) -> Error {
    let mut pace = interval(Duration::from_millis(step_millis));
    for step in 0_u64.. {
        pace.tick().await;
        let written = async {
            let lease = format!("/registry/leases/kube-node-lease/node-{}", step % 3);
            etcd.put(lease, protobuf("Lease", step), None).await?;
            let pod = format!("/registry/pods/default/web-{}", step % 40);
            etcd.put(pod, protobuf("Pod", step), None).await?;
            let event = |n: u64| format!("/registry/events/default/web-{}.{n:016x}", n % 40);
            let body = format!("{{\"kind\":\"Event\",\"reason\":\"Scheduled\",\"count\":{step}}}");
            etcd.put(event(step), body, None).await?;
            if let Some(old) = step.checked_sub(200) {
                etcd.delete(event(old), None).await?;
            }
            Ok::<_, Error>(())
        };
        if let Err(error) = written.await {
            return error;
        }
    }
    unreachable!("2^64 steps take longer than anybody waits")
}

/// A value that looks like the API server's: its four bytes of magic, then a message.
fn protobuf(kind: &str, step: u64) -> Vec<u8> {
    let mut value = b"k8s\0\n\x0c\n\x02v1\x12".to_vec();
    value.extend(kind.as_bytes());
    for n in 0..48 {
        value.extend(
            step.wrapping_mul(0x9e37_79b9_7f4a_7c15)
                .rotate_left(n)
                .to_le_bytes(),
        );
    }
    value
}
