//! Which region signs: the one written, the one in an Amazon host name, the one the server tells.
//!
//! Amazon answers a signed HEAD of a bucket with `x-amz-bucket-region` whatever the status, also
//! when the signature was for another region. Servers that send no such header take `us-east-1`,
//! or name theirs in the error (Garage and MinIO with a region of their own), which `request`
//! hands to [`Region::correct`].

use tokio::sync::Mutex;

/// What servers without regions call theirs.
pub(super) const DEFAULT: &str = "us-east-1";

/// The region in force, asked for at most once at a time.
#[derive(Debug)]
pub(super) struct Region {
    written: Option<String>,
    known: Mutex<Option<String>>,
}

impl Region {
    /// Begins with what the operator wrote or the host name tells.
    pub(super) fn new(known: Option<&str>) -> Self {
        let known = known.filter(|region| !region.is_empty());
        let known = known.map(str::to_owned);
        Self {
            written: known.clone(),
            known: Mutex::new(known),
        }
    }

    /// The region, asked by `ask` when nobody knows it. A failed question is asked again by the
    /// next caller.
    pub(super) async fn get_or_ask<E>(
        &self,
        ask: impl Future<Output = Result<String, E>>,
    ) -> Result<String, E> {
        let mut known = self.known.lock().await;
        if let Some(region) = &*known {
            return Ok(region.clone());
        }
        Ok(known.insert(ask.await?).clone())
    }

    /// With what it began.
    pub(super) fn written(&self) -> Option<&str> {
        self.written.as_deref()
    }

    /// The region in force, if it is known by now.
    pub(super) async fn known(&self) -> Option<String> {
        self.known.lock().await.clone()
    }

    /// Takes the server's word.
    pub(super) async fn correct(&self, region: &str) {
        *self.known.lock().await = Some(region.to_owned());
    }
}
