//! The endpoint, and where in it the bucket's name goes.

use reqwest::Url;

use super::config::Addressing;

const AMAZON: &str = "s3.amazonaws.com";

/// A server: scheme, host and port, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    scheme: String,
    /// Lower case; IPv6 in brackets.
    host: String,
    /// Only when it is not the scheme's own.
    port: Option<u16>,
}

impl Endpoint {
    /// Reads what the operator wrote. Errors say what is wrong and what to do, and do not repeat
    /// a text that may hold a password.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err("holds white space: give scheme, host and port only".into());
        }
        let written = match text {
            "" => format!("https://{AMAZON}"),
            text if text.contains("://") => text.to_owned(),
            text => format!("https://{text}"),
        };
        let url = Url::parse(&written).map_err(|cause| {
            format!("is no address ({cause}): write host, host:port or https://host:port, IPv6 in brackets")
        })?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!("has scheme {}: use http or https", url.scheme()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("holds a user or password: put keys into access_key and secret_key".into());
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("has a query or fragment: give scheme, host and port only".into());
        }
        if !matches!(url.path(), "" | "/") {
            return Err(format!(
                "has a path ({}): give scheme, host and port only, and the bucket as bucket_name",
                url.path()
            ));
        }
        let host = url.host_str().ok_or("has no host: name the server")?;
        Ok(Self {
            scheme: url.scheme().to_owned(),
            host: host.trim_end_matches('.').to_owned(),
            port: url.port(),
        })
    }

    pub(super) fn is_ip(&self) -> bool {
        self.host.starts_with('[') || self.host.parse::<std::net::Ipv4Addr>().is_ok()
    }

    /// Whether the line to it is not encrypted.
    pub(super) fn is_plain(&self) -> bool {
        self.scheme == "http"
    }

    /// Whether it is on this machine.
    pub(super) fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host == "[::1]" || self.host.starts_with("127.")
    }

    fn is_amazon(&self) -> bool {
        self.amazon_labels().is_some()
    }

    /// The labels of an Amazon host before `amazonaws.com` or `amazonaws.com.cn`.
    fn amazon_labels(&self) -> Option<&str> {
        let host = self.host.strip_suffix(".cn").unwrap_or(&self.host);
        host.strip_suffix(".amazonaws.com")
    }

    /// The region that an Amazon host name tells: `s3.eu-west-1`, `s3-eu-west-1`,
    /// `s3.dualstack.eu-west-1`, `s3-fips.us-gov-west-1`, `bucket.vpce-1a2b.s3.eu-west-1.vpce`.
    pub(super) fn region(&self) -> Option<&str> {
        let labels = self.amazon_labels()?;
        let last = labels.rsplit('.').find(|label| *label != "vpce")?;
        let region = last.strip_prefix("s3-").unwrap_or(last);
        let looks = region.split('-').count() >= 3
            && region.ends_with(|c: char| c.is_ascii_digit())
            && !region.starts_with("vpce");
        looks.then_some(region)
    }

    /// Amazon's public front door, which has one name in every region.
    fn is_amazon_front(&self) -> bool {
        self.port.is_none()
            && self.amazon_labels().is_some_and(|labels| {
                labels == "s3"
                    || self.region().is_some_and(|region| {
                        labels == format!("s3.{region}") || labels == format!("s3-{region}")
                    })
            })
    }

    /// Which other servers want the bucket in the host name, as the old program chose.
    fn wants_virtual_host(&self) -> bool {
        self.is_amazon() || self.host.contains("aliyun") || self.host == "storage.googleapis.com"
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)?;
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

/// How one bucket is reached at one endpoint.
#[derive(Debug, Clone)]
pub(super) struct Address {
    endpoint: Endpoint,
    bucket: String,
    path_style: bool,
}

impl Address {
    pub(super) fn new(endpoint: Endpoint, bucket: &str, addressing: Addressing) -> Self {
        let path_style = match addressing {
            Addressing::Path => true,
            Addressing::VirtualHost => false,
            Addressing::Auto => !endpoint.wants_virtual_host() || bucket.contains('.'),
        };
        Self {
            endpoint,
            bucket: bucket.to_owned(),
            path_style,
        }
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    pub(super) fn bucket(&self) -> &str {
        &self.bucket
    }

    #[cfg(test)]
    fn is_path_style(&self) -> bool {
        self.path_style
    }

    /// The bucket in a region that [`in_region`](Self::in_region) gave, without a slash at its end.
    pub(super) fn of_bucket(&self, region: &s3::Region) -> String {
        let (scheme, host, bucket) = (region.scheme(), region.host(), &self.bucket);
        if self.path_style {
            format!("{scheme}://{host}/{bucket}")
        } else {
            format!("{scheme}://{bucket}.{host}")
        }
    }

    /// Region and endpoint as rust-s3 takes them. Its own table of regions is not used: unknown
    /// names become host names there. Amazon's front door is addressed in the region itself, so
    /// that it need not redirect.
    pub(super) fn in_region(&self, region: &str) -> s3::Region {
        let endpoint = if self.endpoint.is_amazon_front() {
            let suffix = if region.starts_with("cn-") { ".cn" } else { "" };
            format!(
                "{}://s3.{region}.amazonaws.com{suffix}",
                self.endpoint.scheme
            )
        } else {
            self.endpoint.to_string()
        };
        s3::Region::Custom {
            region: region.to_owned(),
            endpoint,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(endpoint: &str, bucket: &str) -> Address {
        Address::new(Endpoint::parse(endpoint).unwrap(), bucket, Addressing::Auto)
    }

    #[test]
    fn reads_every_form_of_endpoint() {
        for (text, shown) in [
            ("", "https://s3.amazonaws.com"),
            ("s3.amazonaws.com", "https://s3.amazonaws.com"),
            ("MinIO.example", "https://minio.example"),
            ("minio.example:9000", "https://minio.example:9000"),
            ("http://minio.example/", "http://minio.example"),
            ("https://minio.example:443", "https://minio.example"),
            ("http://[::1]:9000", "http://[::1]:9000"),
            ("[::1]:9000", "https://[::1]:9000"),
            ("127.0.0.1:9000", "https://127.0.0.1:9000"),
        ] {
            assert_eq!(Endpoint::parse(text).unwrap().to_string(), shown, "{text}");
        }
    }

    #[test]
    fn refuses_what_is_more_than_a_server_and_repeats_no_password() {
        for (text, why) in [
            ("https://h/?x=1", "query"),
            ("https://h/#x", "query or fragment"),
            ("h/bucket", "bucket_name"),
            ("https://me:hunter2@h", "access_key"),
            ("ftp://h", "scheme ftp"),
            ("::1", "brackets"),
            ("a b", "white space"),
            ("https://", "no address"),
        ] {
            let message = Endpoint::parse(text).unwrap_err();
            assert!(message.contains(why), "{text}: {message}");
            assert!(!message.contains("hunter2"), "{message}");
        }
    }

    #[test]
    fn puts_the_bucket_into_the_host_for_amazon_and_into_the_path_for_others() {
        for (endpoint, bucket, path_style) in [
            ("", "b", false),
            ("s3.eu-west-1.amazonaws.com", "b", false),
            ("s3.cn-north-1.amazonaws.com.cn", "b", false),
            ("", "dotted.name", true),
            ("storage.googleapis.com", "b", false),
            ("oss-cn-hangzhou.aliyuncs.com", "b", false),
            ("minio.example", "b", true),
            ("amazonaws.com.evil.example", "b", true),
        ] {
            assert_eq!(
                address(endpoint, bucket).is_path_style(),
                path_style,
                "{endpoint} {bucket}"
            );
        }
    }

    #[test]
    fn finds_the_region_in_amazons_host_names_only() {
        for (host, region) in [
            ("s3.amazonaws.com", None),
            ("s3-external-1.amazonaws.com", None),
            ("s3.eu-west-1.amazonaws.com", Some("eu-west-1")),
            ("s3-us-gov-west-1.amazonaws.com", Some("us-gov-west-1")),
            ("s3.dualstack.ap-east-2.amazonaws.com", Some("ap-east-2")),
            ("s3-fips.us-east-2.amazonaws.com", Some("us-east-2")),
            ("s3.cn-north-1.amazonaws.com.cn", Some("cn-north-1")),
            (
                "bucket.vpce-0a-1b.s3.eu-west-3.vpce.amazonaws.com",
                Some("eu-west-3"),
            ),
            ("s3.eu-west-1.example.com", None),
        ] {
            assert_eq!(Endpoint::parse(host).unwrap().region(), region, "{host}");
        }
    }

    #[test]
    fn follows_a_bucket_to_its_region_at_amazon_and_stays_elsewhere() {
        for (endpoint, region, host) in [
            ("", "eu-west-1", "https://s3.eu-west-1.amazonaws.com"),
            ("", "cn-north-1", "https://s3.cn-north-1.amazonaws.com.cn"),
            (
                "s3-us-west-2.amazonaws.com",
                "eu-west-1",
                "https://s3.eu-west-1.amazonaws.com",
            ),
            (
                "s3.dualstack.eu-west-1.amazonaws.com",
                "eu-west-1",
                "https://s3.dualstack.eu-west-1.amazonaws.com",
            ),
            ("http://h:1", "eu-west-1", "http://h:1"),
        ] {
            let region = address(endpoint, "b").in_region(region);
            assert_eq!(
                format!("{}://{}", region.scheme(), region.host()),
                host,
                "{endpoint}"
            );
        }
    }
}
