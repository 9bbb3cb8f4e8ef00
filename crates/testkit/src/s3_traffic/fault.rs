//! What can happen to a request.

use std::io;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use http::header::{CONTENT_LENGTH, DATE, LOCATION, RETRY_AFTER};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Body as _;
use s3s::Body;
use tokio::sync::watch;

use super::body::{Then, reset, stopping};

/// By how much clocks may differ: "Authenticating Requests", Amazon S3 API reference.
const SKEW_LIMIT: TimeDelta = TimeDelta::minutes(15);

/// What happens to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It is refused with this status and S3 code.
    Refuse {
        /// Such as 503.
        status: u16,
        /// Such as `SlowDown`.
        code: &'static str,
        /// Seconds in a `Retry-After`.
        retry_after: Option<u64>,
    },
    /// It is carried out, and refused all the same.
    RefuseAfterwards {
        /// Such as 500, or 200.
        status: u16,
        /// Such as `InternalError`.
        code: &'static str,
    },
    /// Some of its body is read, then the connection is reset.
    Reset,
    /// So many bytes of its body reach the server, then the connections to both are reset.
    ResetAfter(usize),
    /// Nothing happens until [`Traffic::release`](super::Traffic::release); then it is served.
    Stall,
    /// So many bytes of its body reach the server, the rest when released.
    StallAfter(usize),
    /// It is carried out, and of the reply's body so many bytes come, the rest when released.
    StallBody(usize),
    /// It is not carried out, and the reply is status 200 with an `<Error>` of this code.
    ErrorInSuccess(&'static str),
    /// It is carried out, but the connection is reset instead of a reply.
    LoseReply,
    /// It is carried out, and the reply's body ends after so many bytes of what its head told.
    CutBody(usize),
    /// It is carried out, and the reply lacks this header.
    LoseHeader(&'static str),
    /// It is carried out, and the reply has this header, whatever it had.
    SayHeader(&'static str, String),
    /// It is not carried out, and the reply is status 200 with this body.
    ReplyWith(&'static str),
    /// It is refused as belonging to this region, as Amazon does (301 with a header).
    Elsewhere(&'static str),
    /// It is refused as signed for another region than this, as MinIO and Garage do (400).
    WrongRegion(&'static str),
    /// It is sent elsewhere with a `Location`.
    Redirect {
        /// Such as 307.
        status: u16,
        /// The whole URL.
        location: String,
    },
    /// The server's clock is so many seconds ahead of this one: the reply is dated so, and a
    /// request that is not is refused.
    Clock(i64),
}

impl Fault {
    pub(super) async fn strike<F>(
        self,
        request: Request<Body>,
        mut released: watch::Receiver<bool>,
        carry_out: impl FnOnce(Request<Body>) -> F,
    ) -> io::Result<Response<Body>>
    where
        F: Future<Output = io::Result<Response<Body>>>,
    {
        match self {
            Self::Refuse {
                status,
                code,
                retry_after,
            } => {
                let mut reply = refusal(status, code);
                if let Some(seconds) = retry_after {
                    reply.headers_mut().insert(RETRY_AFTER, seconds.into());
                }
                Ok(reply)
            }
            Self::RefuseAfterwards { status, code } => {
                to_the_end(carry_out(request).await?).await?;
                Ok(refusal(status, code))
            }
            Self::Reset => {
                let _ = request.into_body().frame().await;
                Err(reset())
            }
            Self::ResetAfter(len) => {
                let _ = carry_out(request.map(|body| stopping(body, len, Then::Break))).await;
                Err(reset())
            }
            Self::Stall => {
                let _ = released.wait_for(|released| *released).await;
                carry_out(request).await
            }
            Self::StallAfter(len) => {
                carry_out(request.map(|body| stopping(body, len, Then::Wait(released)))).await
            }
            Self::StallBody(len) => {
                let reply = with_length(carry_out(request).await?);
                Ok(reply.map(|body| stopping(body, len, Then::Wait(released))))
            }
            Self::ErrorInSuccess(code) => Ok(refusal(200, code)),
            Self::LoseReply => {
                to_the_end(carry_out(request).await?).await?;
                Err(reset())
            }
            Self::CutBody(len) => {
                let reply = with_length(carry_out(request).await?);
                Ok(reply.map(|body| stopping(body, len, Then::Break)))
            }
            Self::LoseHeader(name) => {
                let mut reply = carry_out(request).await?;
                reply.headers_mut().remove(name);
                Ok(reply)
            }
            Self::SayHeader(name, value) => {
                let mut reply = carry_out(request).await?;
                let value = value.parse().expect("the script has a header's value");
                reply.headers_mut().insert(name, value);
                Ok(reply)
            }
            Self::ReplyWith(body) => Ok(Response::new(Body::from(body.to_owned()))),
            Self::Elsewhere(region) => {
                let mut reply = refusal(301, "PermanentRedirect");
                let region = HeaderValue::from_static(region);
                reply.headers_mut().insert("x-amz-bucket-region", region);
                Ok(reply)
            }
            Self::WrongRegion(region) => {
                let told = format!("<Region>{region}</Region>");
                Ok(refusal_with(400, "AuthorizationHeaderMalformed", &told))
            }
            Self::Redirect { status, location } => {
                let mut reply = refusal(status, "TemporaryRedirect");
                let location = location.parse().expect("a URL is a header value");
                reply.headers_mut().insert(LOCATION, location);
                Ok(reply)
            }
            Self::Clock(ahead) => {
                let now = now() + TimeDelta::seconds(ahead);
                let in_time = signed_at(&request).is_some_and(|at| (at - now).abs() < SKEW_LIMIT);
                let mut reply = if in_time {
                    carry_out(request).await?
                } else {
                    refusal(403, "RequestTimeTooSkewed")
                };
                let date = now.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
                let date = date.parse().expect("a date is a header value");
                reply.headers_mut().insert(DATE, date);
                Ok(reply)
            }
        }
    }
}

fn refusal(status: u16, code: &str) -> Response<Body> {
    refusal_with(status, code, "")
}

fn refusal_with(status: u16, code: &str, more: &str) -> Response<Body> {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <Error><Code>{code}</Code><Message>As the script says.</Message>{more}</Error>"
    );
    let mut reply = Response::new(Body::from(body));
    *reply.status_mut() = StatusCode::from_u16(status).expect("the script has a valid status");
    reply
}

/// Some servers work while they reply: only then is it carried out.
async fn to_the_end(reply: Response<Body>) -> io::Result<()> {
    let whole = reply.into_body().collect().await;
    whole.map_err(|fault| io::Error::other(fault.to_string()))?;
    Ok(())
}

/// The head tells the length, so that the client knows what it misses.
fn with_length(mut reply: Response<Body>) -> Response<Body> {
    if let Some(len) = reply.body().size_hint().exact() {
        reply.headers_mut().insert(CONTENT_LENGTH, len.into());
    }
    reply
}

#[expect(
    clippy::disallowed_methods,
    reason = "a server has a clock of its own, and this one is set wrong by the script"
)]
fn now() -> DateTime<Utc> {
    Utc::now()
}

fn signed_at(request: &Request<Body>) -> Option<DateTime<Utc>> {
    let text = request.headers().get("x-amz-date")?.to_str().ok()?;
    let time = NaiveDateTime::parse_from_str(text, "%Y%m%dT%H%M%SZ").ok()?;
    Some(time.and_utc())
}
