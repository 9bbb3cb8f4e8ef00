//! The values of a command line: a flag's, else its variable's, else none.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::Ipv6Addr;
use std::time::Duration;

use super::flags::{FLAGS, Flag, Kind};
use super::{Bucket, Call, Certificates, Etcd, Form, Origin, Refusal, Save, Subcommand, go, keys};
use crate::{Secret, duration};

/// What was said, by the flags' names.
pub(super) struct Values {
    subcommand: Subcommand,
    said: BTreeMap<&'static str, String>,
    /// Those that come from a variable.
    from_env: Vec<&'static str>,
    encoding: keys::Encoding,
}

impl Values {
    pub(super) fn of(
        subcommand: Subcommand,
        args: &[OsString],
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Refusal> {
        let refuse = |what: String| Refusal::words(subcommand, what);
        let given = go::read(args, |name| subcommand.flag(name)).map_err(refuse)?;
        let env = |name: &str| env(name).filter(|value| !value.is_empty());
        let mut values = Self {
            subcommand,
            said: BTreeMap::new(),
            from_env: Vec::new(),
            encoding: keys::Encoding::of(env(keys::ENCODING).as_deref()).map_err(refuse)?,
        };
        for said in given {
            // Go's parser judges each as it comes: one that is given again counts no less.
            judge(said.flag, said.value).map_err(refuse)?;
            values.said.insert(said.flag.name, said.value.to_owned());
        }
        for flag in FLAGS.iter().filter(|flag| flag.on.contains(&subcommand)) {
            if values.said.contains_key(flag.name) {
                continue;
            }
            let Some((name, value)) = flag
                .env_on(subcommand)
                .and_then(|name| Some((name, env(name)?)))
            else {
                continue;
            };
            judge(flag, &value).map_err(|what| refuse(format!("{what} (from ${name})")))?;
            values.said.insert(flag.name, value);
            values.from_env.push(flag.name);
        }
        Ok(values)
    }

    pub(super) fn save(&self, form: Form) -> Result<Call, Refusal> {
        let save = Save {
            form,
            creation: self.duration("creation", Duration::from_secs(5 * 60)),
            retention: self.duration("retention", Duration::from_secs(24 * 3600)),
            etcd: Etcd {
                certificates: self.certificates()?,
                endpoints: match members(&self.text("endpoints")) {
                    text if text.is_empty() => "127.0.0.1:2379".to_owned(),
                    text => text,
                },
            },
            bucket: self.bucket()?,
            once: self.switch("once"),
            name: self.text("name"),
            debug: self.switch("debug"),
        };
        if save.creation.is_zero() || save.retention.is_zero() {
            return Err(Refusal::NoPeriod {
                creation: save.creation,
                retention: save.retention,
            });
        }
        Ok(Call::Save(save))
    }

    /// Empty where nothing was said.
    fn text(&self, name: &str) -> String {
        self.said.get(name).cloned().unwrap_or_default()
    }

    fn refuse(&self, what: &str) -> Refusal {
        Refusal::words(self.subcommand, what)
    }

    /// Without a name, `delete` would take every name that begins with nothing.
    pub(super) fn name(&self) -> Result<String, Refusal> {
        match self.text("name") {
            name if name.is_empty() => Err(self.refuse("no snapshot is named: give --name")),
            name => Ok(name),
        }
    }

    /// Judged when it was read; false where nothing was said.
    pub(super) fn switch(&self, name: &str) -> bool {
        self.said.get(name).and_then(|text| go::truth(text)) == Some(true)
    }

    fn duration(&self, name: &str, default: Duration) -> Duration {
        let said = self.said.get(name);
        said.and_then(|text| duration::go(text)).unwrap_or(default)
    }

    pub(super) fn certificates(&self) -> Result<Certificates, Refusal> {
        let [cacert, cert, key] = ["cacert", "cert", "key"].map(|name| self.text(name));
        if [&cacert, &cert, &key].iter().any(|path| path.is_empty()) {
            return Err(Refusal::NoCertificates { cacert, cert, key });
        }
        Ok(Certificates {
            cacert: cacert.into(),
            cert: cert.into(),
            key: key.into(),
        })
    }

    pub(super) fn bucket(&self) -> Result<Option<Bucket>, Refusal> {
        if !self.switch("s3-backup") {
            return Ok(None);
        }
        Ok(Some(Bucket {
            endpoint: self.text("s3-endpoint"),
            endpoint_ca: self.text("s3-endpoint-ca"),
            access_key: self.secret("s3-accessKey")?,
            secret_key: self.secret("s3-secretKey")?,
            name: self.text("s3-bucketName"),
            region: self.text("s3-region"),
            folder: self.text("s3-folder"),
        }))
    }

    fn secret(&self, name: &'static str) -> Result<Secret, Refusal> {
        let secret = Secret::new(self.text(name));
        let decoded = self.encoding.decode(secret, self.from_env.contains(&name));
        decoded.map_err(|what| self.refuse(&format!("-{name} {what}")))
    }

    pub(super) fn origin(&self) -> Result<Origin, Refusal> {
        if let Some(bucket) = self.bucket()? {
            return Ok(Origin::Bucket(bucket));
        }
        let host = self.text("local-endpoint");
        if host.is_empty() {
            return Err(
                self.refuse("nothing to download from: give --local-endpoint or --s3-backup")
            );
        }
        let certificates = self.certificates()?;
        Ok(Origin::Node { host, certificates })
    }
}

/// Members between commas. Between brackets as well, as Go prints a list and as the releases until
/// v0.1.35 wrote it for etcdctl: whoever took their words from a log or from `ps` gives them so. The
/// brackets of an IPv6 address are its own.
fn members(text: &str) -> String {
    let listed = text.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    let is_list = |inside: &&str| {
        let opened = inside.find('[').unwrap_or(usize::MAX);
        let closed = inside.find(']').unwrap_or(usize::MAX);
        inside.parse::<Ipv6Addr>().is_err() && opened <= closed
    };
    let Some(inside) = listed.filter(is_list) else {
        return text.to_owned();
    };
    let each = inside.split([',', ' ']).filter(|member| !member.is_empty());
    each.collect::<Vec<_>>().join(",")
}

/// Whether a value is one of its flag, in Go's words if not.
fn judge(flag: &Flag, value: &str) -> Result<(), String> {
    let name = flag.name;
    let is_right = match flag.kind {
        Kind::Switch if go::truth(value).is_none() => {
            return Err(format!(
                "invalid boolean value {value:?} for -{name}: parse error"
            ));
        }
        Kind::Text | Kind::Secret | Kind::Switch => true,
        Kind::Duration => duration::go(value).is_some(),
        Kind::Tries => value.parse::<u64>().is_ok(),
    };
    if is_right {
        return Ok(());
    }
    Err(format!(
        "invalid value {value:?} for flag -{name}: parse error"
    ))
}
