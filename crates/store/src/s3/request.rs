//! One request: sign it, send it, try again.
//!
//! Every try is signed anew: its date must be fresh, and region, time or keys may have been put
//! right. What is tried again is decided by the fault alone, because every call made here may be
//! repeated: a part and an object are put whole under the same name, and a repeated completion is
//! settled by its owner in `upload`. The beginning of an upload whose reply was lost leaves an
//! upload without parts behind, which holds no bytes.

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder, Retryable as _};
use reqwest::header::{AsHeaderName, HeaderMap};
use reqwest::{Method, Response};
use time::OffsetDateTime;

use super::ability::Abilities;
use super::address::{Address, Endpoint};
use super::call::Call;
use super::clock::ServerClock;
use super::config::{S3Config, Tuning};
use super::credentials::{Credentials, Keys};
use super::error::{Fault, Place, Refusal};
use super::pace::Pace;
use super::region::{self, Region};
use super::sign::Signer;
use super::transport::Transport;
use super::writing::WritingHeaders;
use crate::StoreError;

/// Longest reply that is read whole. A page of 1,000 keys of 1,024 bytes, escaped, is below it.
const REPLY_LIMIT: usize = 16 * 1024 * 1024;

/// One bucket at one server.
#[derive(Debug)]
pub(super) struct BucketClient {
    transport: Transport,
    address: Address,
    endpoint: String,
    keys: Keys,
    region: Region,
    clock: ServerClock,
    writing: WritingHeaders,
    abilities: Abilities,
    tuning: Tuning,
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

    /// A header as text.
    pub(super) fn header(&self, name: impl AsHeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
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
        let transport = Transport::new(config)?;
        Ok(Self {
            keys: Keys::new(
                &config.credentials,
                transport.client(),
                config.tuning.clock.clone(),
            )?,
            transport,
            endpoint: address.endpoint().to_string(),
            address,
            region,
            clock: ServerClock::new(config.tuning.clock.clone()),
            writing: WritingHeaders::new(&config.writing)?,
            abilities: Abilities::default(),
            tuning: config.tuning.clone(),
        })
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    pub(super) fn clock(&self) -> &ServerClock {
        &self.clock
    }

    pub(super) fn region(&self) -> &Region {
        &self.region
    }

    pub(super) fn writing(&self) -> &WritingHeaders {
        &self.writing
    }

    pub(super) fn tuning(&self) -> &Tuning {
        &self.tuning
    }

    /// How fast uploads go.
    pub(super) fn pace(&self) -> &Pace {
        self.transport.pace()
    }

    /// What the server was found not to know.
    pub(super) fn abilities(&self) -> &Abilities {
        &self.abilities
    }

    pub(super) fn keys(&self) -> &Keys {
        &self.keys
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
            bucket: self.address.bucket(),
            endpoint: &self.endpoint,
        };
        fault.tell(verb, object, &place)
    }

    /// Asks until there is an answer that will not change, and reads it whole.
    pub(super) async fn call(&self, call: &Call<'_>) -> Result<Reply, Fault> {
        self.with_retries(|| async {
            let (mut response, asked_at) = self.attempt(call).await?;
            let body = self.read_whole(&mut response).await?;
            let headers = std::mem::take(response.headers_mut());
            match Refusal::in_success(&headers, &body, asked_at) {
                Some(refusal) => Err(Fault::Refusal(Box::new(refusal))),
                None => Ok(Reply { headers, body }),
            }
        })
        .await
    }

    /// Like [`call`](Self::call), but leaves the body to be read bit by bit.
    pub(super) async fn open(&self, call: &Call<'_>) -> Result<Response, Fault> {
        self.with_retries(|| async { Ok(self.attempt(call).await?.0) })
            .await
    }

    /// The waits between the tries of something that is no single request.
    pub(super) fn waits(&self) -> ExponentialBackoff {
        self.backoff().build()
    }

    fn backoff(&self) -> ExponentialBuilder {
        ExponentialBuilder::default()
            .with_min_delay(self.tuning.first_delay)
            .with_max_delay(self.tuning.max_delay)
            .with_max_times(self.tuning.tries.saturating_sub(1))
            .with_jitter()
    }

    async fn with_retries<T, F>(&self, attempt: impl FnMut() -> F) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, Fault>>,
    {
        let max_delay = self.tuning.max_delay;
        attempt
            .retry(self.backoff())
            .when(Fault::is_transient)
            .notify(|fault, _| {
                if fault.asks_for_less() {
                    self.pace().calm_down();
                }
            })
            .adjust(|fault, delay| {
                let asked = fault.retry_after().unwrap_or_default().min(max_delay);
                delay.map(|delay| delay.max(asked))
            })
            .await
    }

    /// One try, and one more for each thing that a refusal puts right: the region that signs, the
    /// time, keys in whose place there are others by now.
    async fn attempt(&self, call: &Call<'_>) -> Result<(Response, i64), Fault> {
        let mut keys = self.keys.current().await?;
        let asking = self.ask_region(keys.as_deref());
        let mut region = self.region.get_or_ask(asking).await?;
        // What is wrong again after it was put right is told.
        let (mut moved, mut set, mut renewed) = (false, false, false);
        loop {
            let mut refusal = match self.once(call, &region, keys.as_deref()).await {
                Err(Fault::Refusal(refusal)) => refusal,
                other => return other,
            };
            if !moved && let Some(right) = refusal.moved_from(&region) {
                moved = true;
                self.region.correct(right).await;
                right.clone_into(&mut region);
            } else if !set && self.clock.learn(&refusal) {
                set = true;
            } else if !renewed
                && refusal.is_about_keys()
                && let Some(refused) = &keys
                && self.keys.renewed(refused).await
            {
                renewed = true;
                keys = self.keys.current().await?;
            } else {
                refusal.was_anonymous = keys.is_none();
                return Err(Fault::Refusal(refusal));
            }
        }
    }

    /// HEAD of the bucket, whose reply tells its region whatever the status.
    async fn ask_region(&self, keys: Option<&Credentials>) -> Result<String, Fault> {
        let call = Call::new(Method::HEAD, "");
        let told = match self.once(&call, region::DEFAULT, keys).await {
            Ok((response, _)) => Refusal::new(200, response.headers(), "", 0).region,
            Err(Fault::Refusal(refusal)) => refusal.region,
            Err(fault) => return Err(fault),
        };
        Ok(told.unwrap_or_else(|| region::DEFAULT.to_owned()))
    }

    /// Signs and sends once. Returns the reply and when it was asked for by this machine's clock,
    /// in seconds since 1970.
    async fn once(
        &self,
        call: &Call<'_>,
        region: &str,
        keys: Option<&Credentials>,
    ) -> Result<(Response, i64), Fault> {
        let region = self.address.in_region(region);
        let here = self.clock.here();
        let there = self.clock.there(here);
        let signer = Signer {
            keys,
            at: OffsetDateTime::from_unix_timestamp(there.timestamp())
                .map_err(|_| Fault::Nonsense(format!("{there} is no time to sign with")))?,
            region: &region,
        };
        let url = call.url(&self.address.of_bucket(&region))?;
        let mut headers = call.own_headers();
        headers.extend(
            self.writing
                .of(&call.method, call.key, &call.query, call.keeping, there),
        );
        signer.sign(call.method.as_str(), &url, &mut headers, call.digest)?;
        let mut response = self
            .transport
            .send(call.method.clone(), url, headers, call.payload.clone())
            .await?;
        let status = response.status();
        if status.is_success() {
            return Ok((response, here.timestamp()));
        }
        // The status says enough where the body cannot be had.
        let body = self.read_whole(&mut response).await.unwrap_or_default();
        let refusal = Refusal::new(status.as_u16(), response.headers(), &body, here.timestamp());
        Err(Fault::Refusal(Box::new(refusal)))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Where requests for `bucket` go.
    fn url(endpoint: &str, bucket: &str, region: &str) -> String {
        let config = S3Config {
            endpoint: endpoint.into(),
            bucket: bucket.into(),
            credentials: Credentials::new("key", "secret").into(),
            ..S3Config::default()
        };
        let client = BucketClient::new(&config).unwrap();
        client.address.of_bucket(&client.address.in_region(region))
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
}
