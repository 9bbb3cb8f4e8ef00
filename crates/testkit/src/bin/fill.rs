//! Fills an etcd with what a Kubernetes cluster keeps there, until its database has a given size.
//!
//! Twelve kinds of keys; values of 0.5 to 20 KB with a median near 2 KB; one key in ten a secret
//! that does not compress; one put in five an update. The bytes depend on the revision alone, so
//! that two runs fill alike, and a second run goes on where the first ended.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use clap::Parser;
use etcd_client::{Client, Error, ResponseHeader};
use futures_util::{StreamExt, TryStreamExt, stream};
use rollsnap_testkit::member_args::MemberArgs;

#[derive(Parser)]
#[command(about, long_about = None)]
struct Arguments {
    #[command(flatten)]
    member: MemberArgs,
    /// Bytes that the database is to have
    #[arg(long)]
    size: u64,
}

/// Puts under way at a time: etcd answers them in batches.
const IN_FLIGHT: usize = 64;
/// Puts between two questions for the size.
const BATCH: u64 = 1000;

/// Beside the secrets.
const KINDS: [&str; 11] = [
    "pods",
    "events",
    "configmaps",
    "deployments/apps",
    "replicasets/apps",
    "endpointslices",
    "leases",
    "serviceaccounts",
    "minions",
    "services/specs",
    "persistentvolumeclaims",
];
const WORDS: [&str; 16] = [
    "\"apiVersion\":\"v1\",",
    "\"operation\":\"Update\",",
    "\"fieldsType\":\"FieldsV1\",",
    "\"f:metadata\":{\"f:labels\":{}},",
    "\"f:spec\":{\"f:containers\":{}},",
    "\"terminationMessagePath\":\"/dev/termination-log\",",
    "\"imagePullPolicy\":\"IfNotPresent\",",
    "\"restartPolicy\":\"Always\",",
    "\"dnsPolicy\":\"ClusterFirst\",",
    "\"protocol\":\"TCP\",",
    "\"status\":\"True\",",
    "\"type\":\"Ready\",",
    "\"readOnly\":true,",
    "\"mountPath\":\"/var/run/secrets/kubernetes.io/serviceaccount\",",
    "\"schedulerName\":\"default-scheduler\",",
    "\"lastTransitionTime\":\"2026-05-01T12:00:00Z\",",
];

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let arguments = Arguments::parse();
    let mut client = arguments.member.connect().await?;
    let size = fill(&mut client, arguments.size)
        .await
        .map_err(io::Error::other)?;
    writeln!(io::stdout(), "{size}")
}

async fn fill(client: &mut Client, size: u64) -> Result<i64, Error> {
    loop {
        let status = client.status().await?;
        let next = status.header().map_or(0, ResponseHeader::revision);
        if u64::try_from(status.db_size()).is_ok_and(|now| now >= size) {
            return Ok(status.db_size());
        }
        let next = u64::try_from(next).unwrap_or_default();
        stream::iter(next..next + BATCH)
            .map(Ok)
            .try_for_each_concurrent(IN_FLIGHT, |number| {
                let mut client = client.kv_client();
                let (key, value) = object(number);
                async move { client.put(key, value, None).await.map(drop) }
            })
            .await?;
    }
}

/// What is put by the put of this number.
fn object(number: u64) -> (String, Vec<u8>) {
    let mut chance = Chance::seeded(number);
    // Every fifth put writes one of the keys before it once more.
    let key = match number {
        25.. if number.is_multiple_of(5) => number - 4 - 5 * chance.below(5),
        _ => number,
    };
    let mut place = Chance::seeded(key);
    let (is_secret, namespace) = (place.below(10) == 0, place.below(40));
    let kind = if is_secret {
        "secrets"
    } else {
        place.pick(&KINDS)
    };
    let name = format!("/registry/{kind}/team-{namespace}/object-{key:08}");
    // 0.5 to 20 KB, small ones more often.
    let octave = 1 << chance.below(5).min(chance.below(5));
    let len = 500 + octave * (350 + chance.below(900));
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    let value = if is_secret {
        chance.noise(len)
    } else {
        chance.text(&name, len)
    };
    (name, value)
}

/// Xorshift: enough disorder for a bench, and the same each time.
struct Chance(u64);

impl Chance {
    fn seeded(number: u64) -> Self {
        let mut chance = Self((number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        chance.next();
        chance
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 16) % limit
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        let limit = from.len() as u64;
        let index = usize::try_from(self.below(limit)).unwrap_or_default();
        from[index]
    }

    fn noise(&mut self, len: usize) -> Vec<u8> {
        let mut value = Vec::with_capacity(len + 8);
        while value.len() < len {
            value.extend_from_slice(&self.next().to_le_bytes());
        }
        value
    }

    /// JSON-like: the same fields again and again, and an identifier among them now and then.
    fn text(&mut self, name: &str, len: usize) -> Vec<u8> {
        let (high, low) = (self.next(), self.next());
        let mut value = format!("{{\"name\":\"{name}\",\"uid\":\"{high:016x}{low:016x}\",");
        while value.len() < len {
            match self.below(6) {
                0 => {
                    let version = self.below(100_000_000);
                    let _ = write!(value, "\"resourceVersion\":\"{version}\",");
                }
                1 => {
                    // A String takes everything.
                    let _ = write!(value, "\"hash\":\"{:012x}\",", self.next() >> 16);
                }
                _ => value.push_str(self.pick(&WORDS)),
            }
        }
        value.push('}');
        value.into_bytes()
    }
}
