//! The door to a bucket.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures_util::stream::{self, StreamExt as _};
use reqwest::Method;
use reqwest::header::HeaderValue;

use super::call::Call;
use super::clock::{CURE, stands};
use super::config::S3Config;
use super::identity::Seen;
use super::list;
use super::pending;
use super::probe::Trial;
use super::read::Opened;
use super::request::BucketClient;
use super::target::Target;
use super::upload::{S3Upload, resume};
use crate::{
    BoxRead, Effort, ErrorKind, Location, ObjectInfo, ObjectName, Probe, ReadBack, Remark, Store,
    StoreError, Terms, Ticket, Upload,
};

/// A folder of a bucket.
///
/// An upload that is dropped without commit or abort leaves parts in the bucket that no listing
/// shows and somebody pays for: [`resume`](Store::resume), [`forget`](Store::forget) or
/// [`sweep`](Store::sweep) ends that, or a lifecycle rule of the bucket. On every error that the
/// upload itself returns they have been removed, as far as the server could be reached.
#[derive(Debug)]
pub struct S3Store {
    client: Arc<BucketClient>,
    /// The beginning of every key: empty, or with one slash at its end.
    folder: String,
    location: Location,
    marks: Marks,
    seen: Seen,
}

impl S3Store {
    /// Opens a bucket without touching the network. Every fault of the configuration is in the
    /// error, which has kind [`Config`](ErrorKind::Config).
    pub fn open(config: &S3Config) -> Result<Self, StoreError> {
        let folder = config.key_prefix();
        let place = format!("s3://{}/{folder}", config.bucket);
        let location = Location::new(place.trim_end_matches('/'));
        let refused = |why: String| StoreError::at(ErrorKind::Config, "open", &location, why);

        let faults = config.check();
        if !faults.is_empty() {
            let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
            return Err(refused(faults.join("; ")));
        }
        Ok(Self {
            client: Arc::new(BucketClient::new(config).map_err(refused)?),
            marks: Marks::new().map_err(refused)?,
            seen: Seen::default(),
            folder,
            location,
        })
    }

    /// Proves that the bucket is there and the keys may list it, by one small request. For a
    /// clear error at the start; nothing else depends on it.
    pub async fn check_bucket(&self) -> Result<(), StoreError> {
        let listed = list::probe(&self.client, &self.folder).await;
        listed
            .map(drop)
            .map_err(|fault| self.client.tell("check", &self.location, fault))
    }

    /// Whose keys sign, and why those of each usual place before are not the ones: a line without
    /// secrets. Asks for keys where none are held, and fails as a request would that needs them.
    pub async fn credentials_told(&self) -> Result<String, StoreError> {
        let told = self.client.keys().told().await;
        told.map_err(|fault| self.client.tell("sign for", &self.location, fault))
    }

    fn key(&self, name: &ObjectName) -> String {
        format!("{}{name}", self.folder)
    }

    fn target(&self, name: &ObjectName) -> Target {
        Target {
            client: Arc::clone(&self.client),
            name: name.clone(),
            key: self.key(name).into(),
            object: self.object(name).into(),
        }
    }

    fn object(&self, name: &ObjectName) -> String {
        format!("{}/{name}", self.location)
    }
}

#[async_trait]
impl Store for S3Store {
    fn location(&self) -> &Location {
        &self.location
    }

    async fn begin(&self, name: &ObjectName, terms: Terms) -> Result<Box<dyn Upload>, StoreError> {
        let mark = self.marks.next();
        Ok(Box::new(S3Upload::new(self.target(name), mark, terms)))
    }

    async fn resume(
        &self,
        name: &ObjectName,
        ticket: &Ticket,
        content: Arc<dyn ReadBack>,
    ) -> Result<Option<Box<dyn Upload>>, StoreError> {
        let resumed = resume::resume(self.target(name), ticket, content).await?;
        Ok(resumed.map(|upload| Box::new(upload) as Box<dyn Upload>))
    }

    async fn forget(&self, name: &ObjectName, ticket: &Ticket) -> Result<(), StoreError> {
        resume::forget(&self.target(name), ticket).await
    }

    async fn sweep(
        &self,
        ours: &(dyn for<'a> Fn(&'a ObjectName) -> bool + Send + Sync),
        before: DateTime<Utc>,
    ) -> Result<Vec<ObjectName>, StoreError> {
        pending::sweep(&self.client, &self.folder, ours, before)
            .await
            .map_err(|fault| self.client.tell("sweep", &self.location, fault))
    }

    fn remarks(&self) -> Vec<Remark> {
        let endpoint = self.client.address().endpoint().to_string();
        let clock = self.client.clock().news().map(|ahead| Remark {
            message: stands(ahead, &endpoint),
            hint: CURE.into(),
        });
        clock.into_iter().collect()
    }

    async fn probe(&self, effort: Effort) -> Vec<Probe> {
        let mark = self.marks.next();
        let trial = Trial {
            client: &self.client,
            folder: &self.folder,
            location: &self.location,
            unique: mark.to_str().unwrap_or_default(),
        };
        trial.run(effort).await
    }

    async fn read(
        &self,
        name: &ObjectName,
        range: Option<Range<u64>>,
    ) -> Result<BoxRead, StoreError> {
        let opened = self.target(name).open(range).await?;
        Ok(opened.map_or_else(nothing, Opened::stream))
    }

    async fn read_part(
        &self,
        object: &ObjectInfo,
        range: Range<u64>,
    ) -> Result<BoxRead, StoreError> {
        let Some(opened) = self.target(&object.name).open(Some(range)).await? else {
            return Ok(nothing());
        };
        match opened.identity.size() {
            Some(size) if size != object.size => {
                let was = object.size;
                let text = format!("it has {size} bytes by now, it had {was}");
                Err(opened.exchanged(text))
            }
            _ if !self.seen.is_same(object, &opened.identity) => {
                Err(opened.exchanged("it is another object by now"))
            }
            _ => Ok(opened.stream()),
        }
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>, StoreError> {
        list::list(&self.client, &self.folder, prefix)
            .await
            .map_err(|fault| self.client.tell("list", &self.location, fault))
    }

    async fn delete(&self, name: &ObjectName) -> Result<(), StoreError> {
        let key = self.key(name);
        let call = Call::new(Method::DELETE, &key);
        match self.client.call(&call).await {
            Ok(_) => Ok(()),
            Err(fault) if fault.has_code("NoSuchKey") => Ok(()),
            Err(fault) => Err(self.client.tell("delete", self.object(name), fault)),
        }
    }
}

fn nothing() -> BoxRead {
    stream::empty().boxed()
}

/// Marks that no two uploads share: random for each store, counted inside it.
#[derive(Debug)]
struct Marks {
    base: u64,
    count: AtomicU64,
}

impl Marks {
    fn new() -> Result<Self, String> {
        let mut base = [0; 8];
        rustls::crypto::ring::default_provider()
            .secure_random
            .fill(&mut base)
            .map_err(|_| String::from("the system gives no random bytes"))?;
        Ok(Self {
            base: u64::from_le_bytes(base),
            count: AtomicU64::new(0),
        })
    }

    fn next(&self) -> HeaderValue {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let text = format!("{:016x}-{count}", self.base);
        HeaderValue::try_from(text).expect("hexadecimal digits and a dash are a header value")
    }
}
