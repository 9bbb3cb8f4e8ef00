//! One request: sign it, send it, try again.
//!
//! Every try is signed anew: its date must be fresh, and the region may have been corrected. What
//! is tried again is decided by the fault alone, because every call made here may be repeated: a
//! part and an object are put whole under the same name, and a repeated completion is settled by
//! its owner in `upload`. The beginning of an upload whose reply was lost leaves an upload without
//! parts behind, which holds no bytes.

use backon::{ExponentialBuilder, Retryable as _};
use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Response};
use s3::Bucket;
use s3::command::Command;
use s3::request::Request as _;
use s3::request::tokio_backend::ReqwestRequest;

use super::address::{Address, Endpoint};
use super::config::{S3Config, Tuning};
use super::error::{Fault, Place, Refusal};
use super::region::{self, Region};
use super::transport::Transport;
use crate::StoreError;

/// Longest reply that is read whole. A page of 1,000 keys of 1,024 bytes, escaped, is below it.
const REPLY_LIMIT: usize = 16 * 1024 * 1024;

/// Which upload made an object; see `upload`.
const STAMP_HEADER: HeaderName = HeaderName::from_static("x-amz-meta-rollsnap-upload");

/// One bucket at one server.
#[derive(Debug)]
pub(super) struct BucketClient {
    transport: Transport,
    address: Address,
    endpoint: String,
    /// Keys, name and style; the region is filled in for each request.
    signer: Bucket,
    region: Region,
    tuning: Tuning,
}

/// What to ask. `payload` must be what `command` signs.
#[derive(Debug, Clone)]
pub(super) struct Call<'a> {
    key: &'a str,
    command: Command<'a>,
    payload: Bytes,
    stamp: Option<&'a HeaderValue>,
}

impl<'a> Call<'a> {
    /// A call without a body.
    pub(super) fn new(key: &'a str, command: Command<'a>) -> Self {
        Self {
            key,
            command,
            payload: Bytes::new(),
            stamp: None,
        }
    }

    pub(super) fn with_payload(mut self, payload: Bytes) -> Self {
        self.payload = payload;
        self
    }

    /// Marks the object as made by this upload.
    pub(super) fn stamped(mut self, stamp: &'a HeaderValue) -> Self {
        self.stamp = Some(stamp);
        self
    }
}

/// A reply that was read whole.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Reply {
    /// Reads the body as one of rust-s3's models.
    pub(super) fn model<T: serde::de::DeserializeOwned>(&self, what: &str) -> Result<T, Fault> {
        quick_xml::de::from_str(&self.body)
            .map_err(|cause| Fault::Nonsense(format!("the reply is no {what}: {cause}")))
    }

    /// The mark of the upload that made the object.
    pub(super) fn stamp(&self) -> Option<&HeaderValue> {
        self.headers.get(&STAMP_HEADER)
    }
}

impl BucketClient {
    /// Takes a configuration that [`S3Config::check`] found right.
    pub(super) fn new(config: &S3Config) -> Result<Self, String> {
        let endpoint = Endpoint::parse(&config.endpoint)?;
        let region = Region::new(
            config
                .region
                .as_deref()
                .filter(|region| !region.is_empty())
                .or(endpoint.region()),
        );
        let address = Address::new(endpoint, &config.bucket, config.addressing);
        let signer = Bucket::new(
            &config.bucket,
            address.in_region(region::DEFAULT),
            config.credentials.for_signing()?,
        )
        .map_err(|cause| cause.to_string())?;
        Ok(Self {
            transport: Transport::new(config)?,
            endpoint: address.endpoint().to_string(),
            signer: if address.is_path_style() {
                *signer.with_path_style()
            } else {
                *signer
            },
            address,
            region,
            tuning: config.tuning.clone(),
        })
    }

    pub(super) fn tuning(&self) -> &Tuning {
        &self.tuning
    }

    pub(super) fn transport(&self) -> &Transport {
        &self.transport
    }

    /// Words a fault of `verb` on `object`.
    pub(super) fn tell(
        &self,
        verb: &'static str,
        object: impl std::fmt::Display,
        fault: Fault,
    ) -> StoreError {
        let place = Place {
            bucket: &self.signer.name,
            endpoint: &self.endpoint,
        };
        fault.tell(verb, object, &place)
    }

    /// Asks until there is an answer that will not change, and reads it whole.
    pub(super) async fn call(&self, call: &Call<'_>) -> Result<Reply, Fault> {
        self.with_retries(|| async {
            let (mut response, signed_at) = self.follow_region(call).await?;
            let body = self.read_whole(&mut response).await?;
            let headers = std::mem::take(response.headers_mut());
            match Refusal::in_success(&headers, &body, signed_at) {
                Some(refusal) => Err(Fault::Refusal(Box::new(refusal))),
                None => Ok(Reply { headers, body }),
            }
        })
        .await
    }

    /// Like [`call`](Self::call), but leaves the body to be read bit by bit.
    pub(super) async fn open(&self, call: &Call<'_>) -> Result<Response, Fault> {
        self.with_retries(|| async { Ok(self.follow_region(call).await?.0) })
            .await
    }

    async fn with_retries<T, F>(&self, attempt: impl FnMut() -> F) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, Fault>>,
    {
        let Tuning {
            tries,
            first_delay,
            max_delay,
            ..
        } = self.tuning;
        let pace = ExponentialBuilder::default()
            .with_min_delay(first_delay)
            .with_max_delay(max_delay)
            .with_max_times(tries.saturating_sub(1))
            .with_jitter();
        attempt
            .retry(pace)
            .when(Fault::is_transient)
            .adjust(|fault, delay| {
                let asked = fault.retry_after().unwrap_or_default().min(max_delay);
                delay.map(|delay| delay.max(asked))
            })
            .await
    }

    /// One try, and one more where the server names another region than the one that signed.
    async fn follow_region(&self, call: &Call<'_>) -> Result<(Response, i64), Fault> {
        let region = self.region.get_or_ask(self.ask_region()).await?;
        match self.once(call, &region).await {
            Err(Fault::Refusal(refusal)) => match refusal.moved_from(&region) {
                Some(right) => {
                    self.region.correct(right).await;
                    self.once(call, right).await
                }
                None => Err(Fault::Refusal(refusal)),
            },
            other => other,
        }
    }

    /// HEAD of the bucket, which rust-s3 has no command for: an object with an empty key is it.
    async fn ask_region(&self) -> Result<String, Fault> {
        let call = Call::new("", Command::HeadObject);
        let told = match self.once(&call, region::DEFAULT).await {
            Ok((response, _)) => Refusal::new(200, response.headers(), "", 0).region,
            Err(Fault::Refusal(refusal)) => refusal.region,
            Err(fault) => return Err(fault),
        };
        Ok(told.unwrap_or_else(|| region::DEFAULT.to_owned()))
    }

    /// Signs and sends once. Returns the reply and when it was signed, in seconds since 1970.
    async fn once(&self, call: &Call<'_>, region: &str) -> Result<(Response, i64), Fault> {
        let signer = self.signer_for(region, call.stamp);
        let request = ReqwestRequest::new(&signer, call.key, call.command.clone()).await?;
        let signed_at = request.datetime.unix_timestamp();
        let verb = request.command.http_verb().to_string();
        let method = Method::from_bytes(verb.as_bytes())
            .map_err(|_| Fault::Nonsense(format!("{verb} is no method")))?;
        let (url, headers) = (request.url()?, request.headers().await?);
        let mut response = self
            .transport
            .send(method, url, headers, call.payload.clone())
            .await?;
        let status = response.status();
        if status.is_success() {
            return Ok((response, signed_at));
        }
        // The status says enough where the body cannot be had.
        let body = self.read_whole(&mut response).await.unwrap_or_default();
        let refusal = Refusal::new(status.as_u16(), response.headers(), &body, signed_at);
        Err(Fault::Refusal(Box::new(refusal)))
    }

    fn signer_for(&self, region: &str, stamp: Option<&HeaderValue>) -> Bucket {
        let mut signer = self.signer.clone();
        signer.region = self.address.in_region(region);
        if let Some(stamp) = stamp {
            signer
                .extra_headers_mut()
                .insert(STAMP_HEADER, stamp.clone());
        }
        signer
    }

    async fn read_whole(&self, response: &mut Response) -> Result<String, Fault> {
        let mut body = Vec::new();
        while let Some(chunk) = self.transport.next_chunk(response).await? {
            if body.len() + chunk.len() > REPLY_LIMIT {
                return Err(Fault::Nonsense(format!(
                    "the reply is longer than {REPLY_LIMIT} bytes"
                )));
            }
            body.extend_from_slice(&chunk);
        }
        String::from_utf8(body).map_err(|_| Fault::Nonsense("the reply is not UTF-8".into()))
    }
}

/// An upload id as it must stand in a query: rust-s3 puts it there as it is, and an id with `+`
/// or `/` would be signed as something else.
pub(super) fn escaped(upload_id: &str) -> String {
    s3::signing::uri_encode(upload_id, true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::Credentials;

    /// Where requests for `bucket` go.
    fn url(endpoint: &str, bucket: &str, region: &str) -> String {
        let config = S3Config {
            endpoint: endpoint.into(),
            bucket: bucket.into(),
            credentials: Credentials::new("key", "secret").into(),
            ..S3Config::default()
        };
        let client = BucketClient::new(&config).unwrap();
        client.signer_for(region, None).url()
    }

    #[test]
    fn the_bucket_stands_where_the_server_looks_for_it() {
        for (endpoint, bucket, url_of_bucket) in [
            ("", "b", "https://b.s3.eu-west-1.amazonaws.com"),
            ("", "a.b", "https://s3.eu-west-1.amazonaws.com/a.b"),
            ("http://[::1]:9000", "b", "http://[::1]:9000/b"),
            (
                "storage.googleapis.com",
                "b",
                "https://b.storage.googleapis.com",
            ),
            ("minio.example:9000", "b", "https://minio.example:9000/b"),
        ] {
            assert_eq!(url(endpoint, bucket, "eu-west-1"), url_of_bucket);
        }
    }

    #[test]
    fn an_upload_id_is_escaped_for_the_query() {
        assert_eq!(escaped("2~a+b/c=="), "2~a%2Bb%2Fc%3D%3D");
    }
}
