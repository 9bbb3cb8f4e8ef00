//! The rights that the keys need, by `docs/s3.md`: enough for all that the daemon does in a bucket,
//! and none of them too much.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use http::Method;
use rollsnap_testkit::s3_peer::{Fault, Rule, Seen};
use rollsnap_testkit::tcp_proxy::{self, TcpProxy};
use serde_json::Value;

use crate::killed::{SIZE, World, kill};
use crate::program::Program;
use crate::world::Bucket;

/// What a policy grants: actions on a resource.
struct Grant {
    actions: BTreeSet<String>,
    resource: String,
}

/// The policy of the page.
fn policy() -> Vec<Grant> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/s3.md");
    let page = fs::read_to_string(page).unwrap();
    let (_, rest) = page.split_once("## The rights that they need").unwrap();
    let (_, rest) = rest.split_once("```json").unwrap();
    let (text, _) = rest.split_once("```").unwrap();
    let policy: Value = serde_json::from_str(text).unwrap();
    let grant = |statement: &Value| {
        assert_eq!(statement["Effect"], "Allow");
        let actions = statement["Action"].as_array().unwrap();
        Grant {
            actions: actions
                .iter()
                .map(|action| action.as_str().unwrap().to_owned())
                .collect(),
            resource: statement["Resource"].as_str().unwrap().to_owned(),
        }
    };
    let statements = policy["Statement"].as_array().unwrap();
    statements.iter().map(grant).collect()
}

/// What a request does, by "Required permissions for Amazon S3 API operations" of Amazon's user
/// guide, and to what, in the names of the page.
fn need(seen: &Seen) -> (&'static str, String) {
    let path = seen.path.trim_start_matches('/');
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    assert_eq!(bucket, Bucket::NAME);
    let mine = format!("{}/", Bucket::FOLDER);
    let has = |name: &str| {
        let mut names = seen.query.split('&');
        names.any(|pair| pair.split('=').next() == Some(name))
    };
    let action = match (seen.method.as_str(), key.is_empty()) {
        ("GET", true) => {
            let asked = seen.query.contains("prefix=cluster-a%2F");
            assert!(asked, "all of the bucket is listed: {seen:?}");
            if has("uploads") {
                "s3:ListBucketMultipartUploads"
            } else {
                "s3:ListBucket"
            }
        }
        // HeadBucket: where the bucket lives.
        ("HEAD", true) => "s3:ListBucket",
        ("GET", false) if has("uploadId") => "s3:ListMultipartUploadParts",
        ("GET" | "HEAD", false) => "s3:GetObject",
        ("PUT" | "POST", false) => "s3:PutObject",
        ("DELETE", false) if has("uploadId") => "s3:AbortMultipartUpload",
        ("DELETE", false) => "s3:DeleteObject",
        _ => panic!("nobody knows what this needs: {seen:?}"),
    };
    let resource = match key.strip_prefix(&mine) {
        Some(object) => format!("arn:aws:s3:::etcd-backups/east/{object}"),
        None if key.is_empty() => "arn:aws:s3:::etcd-backups".to_owned(),
        None => panic!("not in the folder: {seen:?}"),
    };
    (action, resource)
}

#[tokio::test]
async fn the_policy_of_the_page_is_enough_for_all_that_is_done_and_no_more() {
    let world = World::new().await;
    // A daemon dies with its snapshot half taken: the next one aborts that upload.
    let half = tcp_proxy::Fault::Stall(SIZE as u64 / 2);
    let line = TcpProxy::start(world.etcd.address(), half).await;
    let slow = format!("http://{}", line.address());
    let daemon = world.daemon().env("ROLLSNAP_ENDPOINTS", slow).start();
    world.peer.comes(&Method::PUT, "partNumber=2").await;
    kill(daemon).await;
    // That one dies too, with its snapshot complete: the last goes on with the upload.
    let stall = Rule::on(Method::PUT, Fault::Stall).with_query("partNumber=4");
    world.peer.script(stall.times(usize::MAX));
    let mut daemon = world.daemon().start();
    daemon.line("Created backup").await;
    world.peer.comes(&Method::PUT, "partNumber=4").await;
    kill(daemon).await;
    let mut seen = world.peer.seen();
    let name = world.next_run_uploads().await;
    // The one after that looks once what others have left.
    let mut daemon = world.daemon().start();
    daemon.line("Initializing Rolling Backups").await;
    world.peer.comes(&Method::GET, "uploads=").await;
    assert_eq!(daemon.stop().await.code, Some(0));
    let delete = Program::new(["delete", &name]).dir(world.dir.path());
    let delete = delete.bucket_at(&world.peer.endpoint());
    delete.run().await.ok();
    seen.extend(world.peer.seen());

    let grants = policy();
    let mut used = BTreeSet::new();
    for (action, resource) in seen.iter().map(need) {
        let is_granted = grants.iter().any(|grant| {
            let is_it = match grant.resource.strip_suffix('*') {
                Some(beginning) => resource.starts_with(beginning),
                None => resource == grant.resource,
            };
            is_it && grant.actions.contains(action)
        });
        assert!(is_granted, "{action} on {resource} is not granted");
        used.insert(action.to_owned());
    }
    let granted: BTreeSet<_> = grants.into_iter().flat_map(|it| it.actions).collect();
    assert_eq!(granted, used, "granted and never used");
}
