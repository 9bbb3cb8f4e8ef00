//! What a request asks for, before anybody signs it.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use reqwest::header::{
    CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, IntoHeaderName,
};
use reqwest::{Method, Url};
use s3::error::S3Error;
use s3::signing::uri_encode;

use super::sign::Digest;
use super::writing::Keeping;

/// The SHA-256 of a payload in base64, which the server checks and keeps where it knows it.
pub(super) const CHECKSUM: HeaderName = HeaderName::from_static("x-amz-checksum-sha256");

/// What to ask. It can be asked again and again; each time it is signed anew.
#[derive(Debug, Clone)]
pub(super) struct Call<'a> {
    pub(super) method: Method,
    pub(super) key: &'a str,
    pub(super) query: Vec<(&'static str, String)>,
    headers: HeaderMap,
    pub(super) payload: Bytes,
    pub(super) digest: Digest,
    pub(super) keeping: Keeping,
}

impl<'a> Call<'a> {
    /// A call without a body. An empty key is the bucket itself.
    pub(super) fn new(method: Method, key: &'a str) -> Self {
        Self {
            method,
            key,
            query: Vec::new(),
            headers: HeaderMap::new(),
            payload: Bytes::new(),
            digest: Digest::of(&[]),
            keeping: Keeping::AsConfigured,
        }
    }

    /// Makes it one of a trial, after which nothing is to stay.
    pub(super) fn of_a_trial(mut self) -> Self {
        self.keeping = Keeping::Briefly;
        self
    }

    /// Adds a pair to the query, unescaped. `?uploads` is a name with an empty value.
    pub(super) fn query(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    /// Adds a header, which is signed.
    pub(super) fn header(mut self, name: impl IntoHeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Gives it a body. Its SHA-256 is reckoned here, once for all tries.
    pub(super) fn body(mut self, payload: Bytes) -> Self {
        self.digest = Digest::of(&payload);
        self.payload = payload;
        self
    }

    /// Has the server check the body, and keep its checksum where it can.
    pub(super) fn checked(self) -> Self {
        let checksum = HeaderValue::try_from(self.checksum());
        self.header(CHECKSUM, checksum.expect("base64 is a header value"))
    }

    /// The SHA-256 of the body.
    pub(super) fn digest(&self) -> Digest {
        self.digest
    }

    /// The same in base64.
    pub(super) fn checksum(&self) -> String {
        BASE64_STANDARD.encode(self.digest.as_bytes())
    }

    /// The URL below that of the bucket, escaped as it will be signed: a value with `+` or `/`
    /// in it would be signed as something else.
    pub(super) fn url(&self, bucket: &str) -> Result<Url, S3Error> {
        let mut text = format!("{bucket}/{}", uri_encode(self.key, false));
        for (index, (name, value)) in self.query.iter().enumerate() {
            text.push(if index == 0 { '?' } else { '&' });
            text.push_str(&uri_encode(name, true));
            text.push('=');
            text.push_str(&uri_encode(value, true));
        }
        Ok(Url::parse(&text)?)
    }

    /// Its headers without the signature's.
    pub(super) fn own_headers(&self) -> HeaderMap {
        let mut headers = self.headers.clone();
        if matches!(self.method, Method::PUT | Method::POST) {
            headers.insert(CONTENT_LENGTH, self.payload.len().into());
            headers
                .entry(CONTENT_TYPE)
                .or_insert(HeaderValue::from_static("application/octet-stream"));
        }
        headers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_queries_are_escaped_as_they_are_signed() {
        let call = Call::new(Method::PUT, "a/b c+d")
            .query("uploads", "")
            .query("uploadId", "2~a+b/c==");
        assert_eq!(
            call.url("https://h/bucket").unwrap().as_str(),
            "https://h/bucket/a/b%20c%2Bd?uploads=&uploadId=2~a%2Bb%2Fc%3D%3D"
        );
    }
}
