//! The moment an object gets its name, and the proof that it is ours and whole.
//!
//! An object that takes nobody's place is made on the condition that nobody has its name. Some
//! servers know no conditions and some ignore them, so that it is also looked at before: what
//! comes between the look and the request is overwritten there, and only there. An object without
//! any mark counts as ours only when the server has just said that it made ours: some keep no
//! metadata.

use chrono::{DateTime, Utc};
use reqwest::Method;
use reqwest::header::{
    CONTENT_LENGTH, DATE, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH, LAST_MODIFIED,
};

use super::parts::Parts;
use super::{MARK, S3Upload};
use crate::s3::ability::Asked;
use crate::s3::call::{CHECKSUM, Call};
use crate::s3::error::Fault;
use crate::s3::request::Reply;
use crate::{ErrorKind, ObjectInfo, StoreError};

/// Asks for the checksum in the reply to a HEAD.
const CHECKSUM_MODE: HeaderName = HeaderName::from_static("x-amz-checksum-mode");

const TAKEN: &str = "another object has this name; nothing is overwritten";

/// What has the name.
enum Found {
    Nothing,
    /// The object of this very upload.
    Ours(HeaderMap),
    /// One that has no mark.
    Unmarked(HeaderMap),
    Another,
    /// The server does not let us look.
    Unknown,
}

impl S3Upload {
    /// Puts the whole object at once. One that replaces needs no proof: it is put again as often
    /// as its reply is lost, and makes the same object.
    pub(super) async fn put(&mut self) -> Result<ObjectInfo, StoreError> {
        let bytes = std::mem::take(&mut self.held).freeze();
        let key = std::sync::Arc::clone(&self.target.key);
        let mut call = Call::new(Method::PUT, &key).body(bytes);
        let checksum = call.checksum();
        if self.terms.replaces {
            let made = self.make(call, Wants::Checksum).await;
            let reply = made.map_err(|fault| self.target.tell("commit", fault))?;
            return Ok(self.info(&reply.headers));
        }
        self.refuse_if_taken().await?;
        call = call.header(MARK, self.mark.clone());
        let made = self.make(call, Wants::Checksum).await;
        self.settle(made, &checksum).await
    }

    /// Completes the upload when every part is there.
    pub(super) async fn complete(&self, parts: &mut Parts) -> Result<ObjectInfo, StoreError> {
        parts.join().await?;
        if !self.terms.replaces {
            self.refuse_if_taken().await?;
        }
        let call = Call::new(Method::POST, &self.target.key)
            .query("uploadId", &*parts.begun().upload_id)
            .body(parts.list().into());
        let made = self.make(call, Wants::Nothing).await;
        self.settle(made, &parts.composite()).await
    }

    /// Asks for the object, on the terms that hold and as much of them as the server knows.
    async fn make(&self, call: Call<'_>, wants: Wants) -> Result<Reply, Fault> {
        let abilities = self.target.client.abilities();
        loop {
            let asked = abilities.of(Asked {
                condition: !self.terms.replaces,
                checksum: matches!(wants, Wants::Checksum),
            });
            let mut call = call.clone();
            if asked.condition {
                call = call.header(IF_NONE_MATCH, HeaderValue::from_static("*"));
            }
            if asked.checksum {
                call = call.checked();
            }
            match self.target.client.call(&call).await {
                Err(fault) if abilities.learn(asked, &fault) => {}
                other => return other,
            }
        }
    }

    async fn refuse_if_taken(&self) -> Result<(), StoreError> {
        match self.look().await {
            Ok(Found::Another | Found::Unmarked(_)) => Err(self.taken(TAKEN)),
            // A look that fails leaves it to the condition.
            _ => Ok(()),
        }
    }

    /// After the request that makes the object, whatever it was told: is it there, ours and whole?
    /// A refusal may be the answer to a second try whose first one was carried out.
    async fn settle(
        &self,
        made: Result<Reply, Fault>,
        checksum: &str,
    ) -> Result<ObjectInfo, StoreError> {
        let found = self.look().await;
        match (made, found) {
            (_, Ok(Found::Ours(headers))) | (Ok(_), Ok(Found::Unmarked(headers))) => {
                self.prove(&headers, checksum)
            }
            (Ok(reply), Ok(Found::Unknown)) => Ok(self.info(&reply.headers)),
            // Whoever replaces what is there may be replaced in turn.
            (Ok(reply), Ok(Found::Another)) if self.terms.replaces => Ok(self.info(&reply.headers)),
            (Ok(_), Ok(Found::Another)) => {
                Err(self.taken("another object took this name at the same time"))
            }
            (Ok(_), Ok(Found::Nothing)) => {
                let message = "the server took it and does not have it";
                Err(self.target.error(ErrorKind::Unavailable, "commit", message))
            }
            (Ok(_), Err(fault)) => Err(self.target.tell("look at", fault)),
            (Err(fault), _) if fault.is_failed_condition() => Err(self.taken(TAKEN)),
            (Err(fault), _) => Err(self.target.tell("commit", fault)),
        }
    }

    /// Who has the name?
    async fn look(&self) -> Result<Found, Fault> {
        let call = Call::new(Method::HEAD, &self.target.key)
            .header(CHECKSUM_MODE, HeaderValue::from_static("ENABLED"));
        match self.target.client.call(&call).await {
            Ok(reply) => Ok(match reply.headers.get(MARK) {
                None => Found::Unmarked(reply.headers),
                Some(mark) if *mark == self.mark => Found::Ours(reply.headers),
                Some(_) => Found::Another,
            }),
            Err(fault) if fault.has_status(404) => Ok(Found::Nothing),
            Err(fault) if fault.is_transient() => Err(fault),
            Err(_) => Ok(Found::Unknown),
        }
    }

    /// Holds what the server tells of our object against what was sent.
    fn prove(&self, headers: &HeaderMap, checksum: &str) -> Result<ObjectInfo, StoreError> {
        let text = |name: &HeaderName| headers.get(name)?.to_str().ok();
        let size = text(&CONTENT_LENGTH).and_then(|size| size.parse::<u64>().ok());
        let wrong = match (size, text(&CHECKSUM)) {
            (Some(size), _) if size != self.size => {
                format!("the server has {size} bytes, {} were sent", self.size)
            }
            (_, Some(told)) if is_comparable(told, checksum) && told != checksum => {
                format!("the server has SHA-256 {told}, {checksum} was sent")
            }
            _ => return Ok(self.info(headers)),
        };
        let error = self.target.error(ErrorKind::Corrupt, "commit", wrong);
        Err(error
            .with_hint("do not trust this server or what stands before it: run rollsnap check"))
    }

    fn taken(&self, message: &str) -> StoreError {
        self.target
            .error(ErrorKind::AlreadyExists, "commit", message)
    }

    fn info(&self, headers: &HeaderMap) -> ObjectInfo {
        let date = headers.get(LAST_MODIFIED).or_else(|| headers.get(DATE));
        ObjectInfo {
            name: self.target.name.clone(),
            size: self.size,
            modified: date
                .and_then(|date| DateTime::parse_from_rfc2822(date.to_str().ok()?).ok())
                .map(|date| date.with_timezone(&Utc)),
        }
    }
}

/// What a request asks for beside its condition.
#[derive(Debug, Clone, Copy)]
enum Wants {
    Nothing,
    /// That the server checks and keeps the SHA-256 of the body.
    Checksum,
}

/// Whether both are of the same kind: of one body, or of so many parts (`…-3`). Some servers tell
/// of a multipart object the checksum of its bytes, or that of an object it replaced.
fn is_comparable(told: &str, sent: &str) -> bool {
    let parts = |text: &str| text.split_once('-').map(|(_, parts)| parts.to_owned());
    parts(told) == parts(sent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_of_one_kind_only_are_compared() {
        for (told, sent, comparable) in [
            ("YQ==", "Yg==", true),
            ("YQ==-3", "Yg==-3", true),
            ("YQ==-3", "YQ==-4", false),
            ("YQ==", "YQ==-3", false),
            ("YQ==-1", "YQ==", false),
        ] {
            assert_eq!(is_comparable(told, sent), comparable, "{told} {sent}");
        }
    }
}
