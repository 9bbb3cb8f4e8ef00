//! The signature of one request: AWS Signature Version 4, in headers.
//!
//! Format: "Authenticating Requests: Using the Authorization Header", Amazon S3 API reference.
//! rust-s3 makes the parts of it, except for two. The canonical headers it sorts as `name:value`,
//! where `:` comes after `-`, so that a name and a longer one that begins with it
//! (`x-amz-server-side-encryption`, `x-amz-server-side-encryption-customer-key`) stand in another
//! order than in the list of signed names, and the server finds the signature wrong. And what it
//! signs is always for S3, while roles are asked for at the token service.

use hmac::Mac as _;
use reqwest::Url;
use reqwest::header::{AUTHORIZATION, HOST, HeaderMap, HeaderName, HeaderValue};
use s3::error::S3Error;
use s3::signing;
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;

use super::credentials::Credentials;

const CONTENT_SHA256: HeaderName = HeaderName::from_static("x-amz-content-sha256");
const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// The SHA-256 of a payload: signed, and where it is asked for kept by the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Digest([u8; 32]);

impl Digest {
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    pub(super) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// As `x-amz-content-sha256` wants it.
    fn hex(self) -> String {
        use std::fmt::Write as _;
        self.0.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

/// Who signs, when and for which region.
#[derive(Debug)]
pub(super) struct Signer<'a> {
    /// None: the request goes unsigned.
    pub(super) keys: Option<&'a Credentials>,
    /// As the server's clock should have it, which allows 15 minutes.
    pub(super) at: OffsetDateTime,
    pub(super) region: &'a s3::Region,
}

impl Signer<'_> {
    /// Adds what a signed request has to `headers`, all of which are signed. Whatever is added
    /// later is not.
    pub(super) fn sign(
        &self,
        method: &str,
        url: &Url,
        headers: &mut HeaderMap,
        payload: Digest,
    ) -> Result<(), S3Error> {
        self.sign_for("s3", method, url, headers, payload)
    }

    /// As [`sign`](Self::sign), for a service of Amazon's by its short name.
    pub(super) fn sign_for(
        &self,
        service: &str,
        method: &str,
        url: &Url,
        headers: &mut HeaderMap,
        payload: Digest,
    ) -> Result<(), S3Error> {
        let payload = payload.hex();
        headers.insert(HOST, host(url).parse()?);
        headers.insert(CONTENT_SHA256, payload.parse()?);
        let Some(keys) = self.keys else {
            return Ok(());
        };
        let date = self.date();
        headers.insert(DATE, date.parse()?);
        if let Some(token) = keys.session_token() {
            headers.insert(TOKEN, sensitive(token)?);
        }

        let (canonical, names) = canonical_headers(headers)?;
        let request = format!(
            "{method}\n{path}\n{query}\n{canonical}\n{names}\n{payload}",
            path = signing::canonical_uri_string(url),
            query = signing::canonical_query_string(url),
        );
        let (day, _) = date.split_at("20130524".len());
        let scope = format!("{day}/{}/{service}/aws4_request", self.region);
        let digest = Digest::of(request.as_bytes()).hex();
        let key = signing::signing_key(&self.at, keys.secret_key(), self.region, service)?;
        let mut hmac = signing::HmacSha256::new_from_slice(&key)?;
        hmac.update(format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{digest}").as_bytes());
        let signature = Digest(hmac.finalize().into_bytes().into()).hex();
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
            keys.access_key()
        );
        headers.insert(AUTHORIZATION, sensitive(&authorization)?);
        Ok(())
    }

    /// `20130524T000000Z`.
    fn date(&self) -> String {
        let (date, time) = (self.at.date(), self.at.time());
        format!(
            "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
            date.year(),
            u8::from(date.month()),
            date.day(),
            time.hour(),
            time.minute(),
            time.second()
        )
    }
}

/// The host as HTTP/1.1 sends it: with the port where it is not the scheme's own.
fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// A value that `Debug` does not show.
fn sensitive(text: &str) -> Result<HeaderValue, S3Error> {
    let mut value = HeaderValue::from_str(text)?;
    value.set_sensitive(true);
    Ok(value)
}

/// One line `name:value` for each header, sorted by name, and the names with semicolons between.
fn canonical_headers(headers: &HeaderMap) -> Result<(String, String), S3Error> {
    let mut pairs = Vec::with_capacity(headers.len());
    for (name, value) in headers {
        let words: Vec<&str> = value.to_str()?.split_ascii_whitespace().collect();
        pairs.push((name.as_str(), words.join(" ")));
    }
    pairs.sort();
    let lines = pairs
        .iter()
        .map(|(name, value)| format!("{name}:{value}\n"));
    let names: Vec<&str> = pairs.iter().map(|(name, _)| *name).collect();
    Ok((lines.collect(), names.join(";")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2013-05-24T00:00:00Z.
    fn then() -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(1_369_353_600).unwrap()
    }

    /// The keys, the time and the bucket of Amazon's examples ("Examples: Signature
    /// Calculations", same page).
    fn signature(
        method: &str,
        path: &str,
        extra: &[(&'static str, &'static str)],
        body: &[u8],
    ) -> String {
        let keys = Credentials::new(
            "AKIAIOSFODNN7EXAMPLE",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        );
        let region = s3::Region::UsEast1;
        let signer = Signer {
            keys: Some(&keys),
            at: then(),
            region: &region,
        };
        let url = Url::parse("https://examplebucket.s3.amazonaws.com").unwrap();
        let url = url.join(path).unwrap();
        let mut headers: HeaderMap = extra
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect();
        signer
            .sign(method, &url, &mut headers, Digest::of(body))
            .unwrap();
        assert!(!format!("{headers:?}").contains("AKIA"), "keys are shown");
        let authorization = headers[AUTHORIZATION].to_str().unwrap();
        authorization.rsplit_once('=').unwrap().1.to_owned()
    }

    #[test]
    fn the_signatures_of_amazons_examples_come_out() {
        for (method, path, extra, body, expected) in [
            (
                "GET",
                "/test.txt",
                &[("range", "bytes=0-9")][..],
                &b""[..],
                "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
            ),
            (
                "PUT",
                "/test%24file.text",
                &[
                    ("date", "Fri, 24 May 2013 00:00:00 GMT"),
                    ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
                ],
                b"Welcome to Amazon S3.",
                "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
            ),
            (
                "GET",
                "/?lifecycle",
                &[],
                b"",
                "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
            ),
            (
                "GET",
                "/?max-keys=2&prefix=J",
                &[],
                b"",
                "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
            ),
        ] {
            assert_eq!(
                signature(method, path, extra, body),
                expected,
                "{method} {path}"
            );
        }
    }

    #[test]
    fn headers_stand_in_the_order_of_their_names_with_single_spaces() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("x-amz-server-side-encryption", "aws:kms"),
            ("x-amz-server-side-encryption-aws-kms-key-id", "  a   b "),
            ("host", "h"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        let (lines, names) = canonical_headers(&headers).unwrap();
        assert_eq!(
            lines,
            "host:h\n\
             x-amz-server-side-encryption:aws:kms\n\
             x-amz-server-side-encryption-aws-kms-key-id:a b\n"
        );
        assert_eq!(
            names,
            "host;x-amz-server-side-encryption;x-amz-server-side-encryption-aws-kms-key-id"
        );
    }

    #[test]
    fn nobodys_request_has_no_signature() {
        let url = Url::parse("http://[::1]:9000/b/k").unwrap();
        let region = s3::Region::UsEast1;
        let mut headers = HeaderMap::new();
        let signer = Signer {
            keys: None,
            at: then(),
            region: &region,
        };
        signer
            .sign("GET", &url, &mut headers, Digest::of(b""))
            .unwrap();
        assert_eq!(headers[HOST], "[::1]:9000");
        assert!(!headers.contains_key(AUTHORIZATION));
    }
}
