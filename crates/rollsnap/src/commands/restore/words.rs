//! What was typed, as an order; every fault of it at once.

use std::collections::BTreeMap;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use rollsnap_engine::Kind;
use rollsnap_engine::look::Status;
use rollsnap_engine::restore::{Alarms, Changes, Cluster, ClusterError, Order, bump};

use super::source::Source;
use crate::cli::restore::Restore;
use crate::report::Failure;

/// Half of what etcd can count: after it there is room for as many writes again.
const MOST_BUMP: u64 = 1 << 62;

/// etcd's own, where nobody says more.
const PEER_URL: &str = "http://localhost:2380";

/// The cluster that was described. Touches nothing.
pub(super) fn cluster(request: &Restore) -> Result<Cluster, Failure> {
    let mut faults = Vec::new();
    let own = own_urls(request);
    let members = match &request.initial_cluster {
        None => {
            let urls = own.clone().unwrap_or_else(|| vec![PEER_URL.to_owned()]);
            BTreeMap::from([(request.name.clone(), urls)])
        }
        Some(text) => match Cluster::parse(text) {
            Ok(members) => members,
            Err(wrong) => {
                faults.extend(told("--initial-cluster", &wrong));
                BTreeMap::new()
            }
        },
    };
    if faults.is_empty() && !members.contains_key(&request.name) {
        let names: Vec<&str> = members.keys().map(String::as_str).collect();
        let name = &request.name;
        faults.push(format!(
            "--name {name}: --initial-cluster has no such member, only {}",
            names.join(", ")
        ));
    }
    if let (Some(mut own), Some(there)) = (own, members.get(&request.name)) {
        let mut there = there.clone();
        own.sort_unstable();
        there.sort_unstable();
        if own != there {
            faults.push(format!(
                "--initial-advertise-peer-urls {}: --initial-cluster has {} for {}",
                own.join(","),
                there.join(","),
                request.name
            ));
        }
    }
    let token = match &request.initial_cluster_token {
        Some(token) => token.clone(),
        None => random_token()?,
    };
    let cluster = match Cluster::new(&members, &token) {
        Ok(cluster) if faults.is_empty() => return Ok(cluster),
        Ok(_) => Vec::new(),
        Err(wrong) => wrong,
    };
    if faults.is_empty() {
        let option = match &request.initial_cluster {
            Some(_) => "--initial-cluster",
            None => "--initial-advertise-peer-urls",
        };
        faults.extend(told(option, &cluster));
    }
    let message = format!("restore: {}", faults.join("; "));
    Err(Failure::new(Kind::Usage, message)
        .with_hint("write --name m1 --initial-cluster m1=https://10.0.0.1:2380,m2=…"))
}

fn told(option: &str, wrong: &[ClusterError]) -> Vec<String> {
    let each = |wrong: &ClusterError| format!("{option}: {wrong}");
    wrong.iter().map(each).collect()
}

fn own_urls(request: &Restore) -> Option<Vec<String>> {
    let text = request.initial_advertise_peer_urls.as_ref()?;
    let urls = text.split(',').map(str::trim).filter(|url| !url.is_empty());
    Some(urls.map(str::to_owned).collect())
}

/// A token that no other cluster has.
fn random_token() -> Result<String, Failure> {
    let mut bytes = [0_u8; 8];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty()).map_err(
        |errno| {
            let message = format!("ask the system for random bytes: {errno}");
            Failure::new(Kind::Bug, message)
        },
    )?;
    Ok(format!("rollsnap-{:016x}", u64::from_be_bytes(bytes)))
}

/// Members that are restored apart must come out alike: whoever restores several says what would
/// else be chosen anew for each.
pub(super) fn may_act(request: &Restore, cluster: &Cluster) -> Result<(), Failure> {
    let mut missing = Vec::new();
    if request.initial_cluster_token.is_none() {
        missing.push("--initial-cluster-token");
    }
    if request.bump_revision == "auto" {
        missing.push("--bump-revision");
    }
    if request.digest.is_none() && !request.skip_hash_check {
        missing.push("--digest");
    }
    if cluster.members().len() < 2 || missing.is_empty() {
        return Ok(());
    }
    let message = format!(
        "restore: several members need the same {}",
        missing.join(" and ")
    );
    Err(Failure::new(Kind::Usage, message)
        .with_hint("run the commands of the plan above, each on its member"))
}

/// `seen` is the highest revision that is there to be seen.
pub(super) fn order(
    request: &Restore,
    cluster: Cluster,
    source: &Source,
    status: &Status,
    seen: Option<u64>,
    at: DateTime<Utc>,
) -> Result<Order, Failure> {
    let bump = bump_of(request, source, status, seen, at)?;
    let me = cluster.member(&request.name).cloned();
    let me = me.ok_or_else(|| Failure::new(Kind::Bug, "the member is not in its cluster"))?;
    Ok(Order {
        data_dir: PathBuf::from(&request.data_dir),
        wal_dir: request.wal_dir.as_ref().map(PathBuf::from),
        me,
        changes: Changes {
            cluster,
            alarms: match (request.drop_alarms, request.keep_alarms) {
                (true, _) => Alarms::Drop,
                (_, true) => Alarms::Keep,
                _ => Alarms::DropNoSpace,
            },
            expire_leases: request.expire_leases,
            disable_auth: request.disable_auth,
            bump,
        },
        skip_hash_check: request.skip_hash_check,
        held: None,
        at,
    })
}

fn bump_of(
    request: &Restore,
    source: &Source,
    status: &Status,
    seen: Option<u64>,
    now: DateTime<Utc>,
) -> Result<Option<u64>, Failure> {
    let text = request.bump_revision.as_str();
    let wrong = |why: &str| {
        let message = format!("--bump-revision {text}: {why}");
        Failure::new(Kind::Usage, message).with_hint("write auto, 0, or by how many")
    };
    let by = if text == "auto" {
        let from = status.store_revision;
        bump(&source.known, from, seen, source.taken_at(), now)
    } else {
        text.parse().map_err(|_| wrong("is no number"))?
    };
    if by > MOST_BUMP {
        return Err(wrong("is too much: etcd counts to 2^63"));
    }
    Ok((by > 0).then_some(by))
}
