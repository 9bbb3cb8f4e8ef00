//! Those at Amazon's who give keys out, inside the test: token service, container's agent and
//! instance metadata, on one port.
//!
//! They live on the first of May 2026 at noon, whatever the time of the test is: whoever wants to
//! know how long keys live has to look at the giver's clock. Roles are given only to signatures
//! that s3s finds right.

#![expect(
    clippy::missing_panics_doc,
    reason = "a test server that cannot do its part fails the test, wherever it is"
)]

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::header::{AUTHORIZATION, DATE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use s3s::auth::SimpleAuth;
use s3s::route::S3Route;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, S3Request, S3Response, S3Result};
use s3s_fs::FileSystem;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use crate::s3_server;

/// The access key whose signature the token service takes.
pub const ACCESS_KEY: &str = "base-access";
/// Its secret.
pub const SECRET_KEY: &str = "base-canary-secret";
/// The role of the instance.
pub const ROLE: &str = "etcd-backup";

const TODAY: &str = "Fri, 01 May 2026 12:00:00 GMT";
const METADATA_TOKEN: &str = "metadata-canary-token";
const ROLES: &str = "/latest/meta-data/iam/security-credentials/";

/// What is said to whoever asks for keys.
#[derive(Debug, Clone)]
pub enum Answer {
    /// These keys, whose session token is the access key with `-token` behind it.
    Gives {
        /// The access key.
        access_key: String,
        /// The secret key.
        secret_key: String,
        /// They end so many minutes after noon.
        minutes: i32,
    },
    /// No.
    Refuses {
        /// Such as 403.
        status: u16,
        /// Such as `AccessDenied`.
        code: &'static str,
    },
}

/// One request as it arrived.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Its method.
    pub method: Method,
    /// Its path.
    pub path: String,
    /// Its `Authorization`.
    pub authorization: Option<String>,
    /// Its body.
    pub form: String,
}

/// A running server, which ends with it.
#[derive(Debug)]
pub struct AwsPeer {
    address: SocketAddr,
    shared: Arc<Shared>,
    _dir: TempDir,
    _task: AbortOnDropHandle<()>,
}

#[derive(Debug)]
struct Shared {
    answers: Mutex<VecDeque<Answer>>,
    asked: Mutex<Vec<Asked>>,
    signatures: S3Service,
}

impl AwsPeer {
    /// Listens on a free loopback port. Until it is told what to [say](Self::say), it refuses.
    pub async fn start() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        let files = FileSystem::new(dir.path()).expect("the directory is there");
        let mut signatures = S3ServiceBuilder::new(files);
        signatures.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        signatures.set_route(Signed);
        let shared = Arc::new(Shared {
            answers: Mutex::default(),
            asked: Mutex::default(),
            signatures: signatures.build(),
        });
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a loopback port is free");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let answering = Arc::clone(&shared);
        let serving = s3_server::listen(listener, move |request| {
            answer(Arc::clone(&answering), request)
        });
        Self {
            address,
            shared,
            _dir: dir,
            _task: AbortOnDropHandle::new(tokio::spawn(serving)),
        }
    }

    /// Where the token service and the instance's metadata are.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where the container's agent is.
    pub fn agent(&self) -> String {
        format!("http://{}/agent", self.address)
    }

    /// Says these in turn, from now on; the last again and again.
    pub fn say(&self, answers: impl IntoIterator<Item = Answer>) {
        *lock(&self.shared.answers) = answers.into_iter().collect();
    }

    /// Gives this pair, which lives for an hour.
    pub fn give(&self, access_key: &str, secret_key: &str) {
        self.say([Answer::Gives {
            access_key: access_key.into(),
            secret_key: secret_key.into(),
            minutes: 60,
        }]);
    }

    /// Every request so far.
    pub fn asked(&self) -> Vec<Asked> {
        lock(&self.shared.asked).clone()
    }
}

impl Shared {
    fn next(&self) -> Answer {
        let mut answers = lock(&self.answers);
        match answers.len() {
            0 => Answer::Refuses {
                status: 500,
                code: "NothingToSay",
            },
            1 => answers[0].clone(),
            _ => answers.pop_front().expect("it has some"),
        }
    }
}

async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> io::Result<Response<Body>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let text = |name| head.headers.get(name).and_then(|text| text.to_str().ok());
    lock(&shared.asked).push(Asked {
        method: head.method.clone(),
        path: head.uri.path().to_owned(),
        authorization: text(AUTHORIZATION.as_str()).map(str::to_owned),
        form: String::from_utf8_lossy(&body).into_owned(),
    });
    let is_metadata = text("x-aws-ec2-metadata-token") == Some(METADATA_TOKEN);
    let (status, body) = match (head.method.as_str(), head.uri.path()) {
        ("POST", "/") => token_service(&shared, head, body).await?,
        ("GET", "/agent") => in_json(&shared.next()),
        ("PUT", "/latest/api/token") => match text("x-aws-ec2-metadata-token-ttl-seconds") {
            Some(_) => (200, METADATA_TOKEN.to_owned()),
            None => (400, String::new()),
        },
        ("GET", path) if path.starts_with(ROLES) && !is_metadata => (401, String::new()),
        ("GET", ROLES) => (200, format!("{ROLE}\n")),
        ("GET", path) if path.strip_prefix(ROLES) == Some(ROLE) => in_json(&shared.next()),
        _ => (404, String::new()),
    };
    let mut reply = Response::new(Body::from(body));
    *reply.status_mut() = StatusCode::from_u16(status).expect("the script has a valid status");
    reply
        .headers_mut()
        .insert(DATE, HeaderValue::from_static(TODAY));
    Ok(reply)
}

async fn token_service(shared: &Shared, head: Parts, body: Bytes) -> io::Result<(u16, String)> {
    let form = String::from_utf8_lossy(&body).into_owned();
    if form.contains("Action=AssumeRoleWithWebIdentity&") {
        return Ok(in_xml("AssumeRoleWithWebIdentity", &shared.next()));
    }
    let request = Request::from_parts(head, Body::from(body));
    let checked = shared.signatures.call(request).await;
    let checked = checked.map_err(|fault| io::Error::other(format!("{fault:?}")))?;
    if checked.status().is_success() {
        return Ok(in_xml("AssumeRole", &shared.next()));
    }
    let refused = Answer::Refuses {
        status: 403,
        code: "SignatureDoesNotMatch",
    };
    Ok(in_xml("AssumeRole", &refused))
}

/// `AssumeRole`, AWS STS API reference.
fn in_xml(action: &str, answer: &Answer) -> (u16, String) {
    match answer {
        Answer::Gives {
            access_key,
            secret_key,
            minutes,
        } => {
            let end = end(*minutes);
            let body = format!(
                "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n  \
                 <{action}Result>\n    <AssumedRoleUser><Arn>arn</Arn></AssumedRoleUser>\n    \
                 <Credentials>\n      <AccessKeyId>{access_key}</AccessKeyId>\n      \
                 <SecretAccessKey>{secret_key}</SecretAccessKey>\n      \
                 <SessionToken>{access_key}-token</SessionToken>\n      \
                 <Expiration>{end}</Expiration>\n    </Credentials>\n  </{action}Result>\n\
                 </{action}Response>\n"
            );
            (200, body)
        }
        Answer::Refuses { status, code } => {
            let body = format!(
                "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error>\
                 <Type>Sender</Type><Code>{code}</Code><Message>As the script says.</Message>\
                 </Error><RequestId>1</RequestId></ErrorResponse>"
            );
            (*status, body)
        }
    }
}

/// "IAM roles for Amazon EC2", Amazon EC2 user guide; agents leave `Code` out.
fn in_json(answer: &Answer) -> (u16, String) {
    match answer {
        Answer::Gives {
            access_key,
            secret_key,
            minutes,
        } => {
            let end = end(*minutes);
            let body = format!(
                "{{\"Code\": \"Success\", \"Type\": \"AWS-HMAC\", \"AccessKeyId\": \
                 \"{access_key}\", \"SecretAccessKey\": \"{secret_key}\", \"Token\": \
                 \"{access_key}-token\", \"Expiration\": \"{end}\"}}"
            );
            (200, body)
        }
        // The metadata service says why it has no keys under status 200.
        Answer::Refuses { status: 200, code } => {
            let body = format!("{{\"Code\": \"{code}\", \"Message\": \"As the script says.\"}}");
            (200, body)
        }
        Answer::Refuses { status, code } => {
            let body = format!("{{\"code\": \"{code}\", \"message\": \"As the script says.\"}}");
            (*status, body)
        }
    }
}

/// So many minutes after noon.
fn end(minutes: i32) -> String {
    let minutes = 12 * 60 + minutes;
    format!("2026-05-01T{:02}:{:02}:00Z", minutes / 60, minutes % 60)
}

/// Reached by requests only whose signature is right.
struct Signed;

#[async_trait::async_trait]
impl S3Route for Signed {
    fn is_match(&self, method: &Method, _: &Uri, _: &HeaderMap, _: &mut http::Extensions) -> bool {
        method == Method::POST
    }

    async fn call(&self, _: S3Request<Body>) -> S3Result<S3Response<Body>> {
        Ok(S3Response::new(Body::empty()))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().expect("no holder panics")
}
