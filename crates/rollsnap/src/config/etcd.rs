//! Which etcd member is asked, and how one proves to be allowed to.

use std::path::{Path, PathBuf};

use rollsnap_etcd::{self, Password, TlsFiles};
use rollsnap_rke::cluster_yml::ClusterYml;
use rollsnap_rke::{Secret, Wrong};

use super::layers::{self, Layers, located_path};
use super::options::{Id, RKE_CERTIFICATES};
use super::{Fault, Origin, Sourced};

/// The directory of [`RKE_CERTIFICATES`], for messages.
const RKE_DIRECTORY: &str = "/etc/kubernetes/ssl";

/// The etcd members to ask.
#[derive(Debug, Clone)]
pub struct Etcd {
    /// `host:port` with or without a scheme, one at least, in the order to ask them.
    pub endpoints: Sourced<Vec<String>>,
    /// The CA that signed etcd's certificate.
    pub cacert: Option<Sourced<PathBuf>>,
    /// The client certificate; there if and only if `key` is.
    pub cert: Option<Sourced<PathBuf>>,
    /// The client certificate's key.
    pub key: Option<Sourced<PathBuf>>,
    /// The user, where etcd has auth enabled.
    pub login: Option<Login>,
    /// What is wrong with what was said of all these. A command that asks no etcd does without.
    pub faults: Vec<Fault>,
}

/// An etcd user.
#[derive(Debug, Clone)]
pub struct Login {
    /// Its name.
    pub name: Sourced<String>,
    /// Its password; one in a file is read anew for each connection.
    pub password: Sourced<Password>,
}

impl Etcd {
    /// The certificates as `rollsnap-etcd` takes them.
    pub fn tls(&self) -> TlsFiles {
        let path = |said: &Option<Sourced<PathBuf>>| said.as_ref().map(|said| said.value.clone());
        TlsFiles {
            ca: path(&self.cacert),
            cert: path(&self.cert),
            key: path(&self.key),
        }
    }

    /// The user as `rollsnap-etcd` takes it.
    pub fn user(&self) -> Option<rollsnap_etcd::User> {
        self.login.as_ref().map(|login| rollsnap_etcd::User {
            name: login.name.value.clone(),
            password: login.password.value.clone(),
        })
    }

    /// The place of what `rollsnap-etcd` complains of. Its complaints begin with what it was
    /// about to do, which tells the option.
    pub fn place_of(&self, complaint: &str) -> String {
        fn of<T>(said: Option<&Sourced<T>>) -> Option<&Origin> {
            said.map(|said| &said.origin)
        }
        let begins = |words| complaint.starts_with(words);
        let (id, origin) = if begins("read CA ") {
            (Id::Cacert, of(self.cacert.as_ref()))
        } else if begins("read certificate ") {
            (Id::Cert, of(self.cert.as_ref()))
        } else if begins("read key ") || begins("use key ") {
            (Id::Key, of(self.key.as_ref()))
        } else if begins("read password file ") {
            let password = self.login.as_ref().map(|login| &login.password);
            (Id::PasswordFile, of(password))
        } else {
            (Id::Endpoints, Some(&self.endpoints.origin))
        };
        match origin {
            None | Some(Origin::Default) => id.spec().name.to_owned(),
            Some(origin) => origin.place(),
        }
    }

    /// Takes the faults that it finds with it.
    pub(super) fn of(layers: &mut Layers<'_>, file: &ClusterYml) -> Self {
        let own = file.own.clone();
        let endpoints = layers
            .pick(Id::Endpoints, endpoints, own.endpoints)
            .unwrap_or_else(|| Sourced::default(vec![Id::Endpoints.spec().default.to_owned()]));
        let mut etcd = Self {
            endpoints,
            cacert: layers.pick(Id::Cacert, layers::path, located_path(own.cacert)),
            cert: layers.pick(Id::Cert, layers::path, located_path(own.cert)),
            key: layers.pick(Id::Key, layers::path, located_path(own.key)),
            login: None,
            faults: Vec::new(),
        };
        etcd.find_rke_certificates(layers);
        etcd.check_pair(layers);
        etcd.login = login(layers, file);
        etcd.faults = layers.take_faults();
        etcd
    }

    /// On a node of RKE nothing needs to be said, unless plain http is asked for by name.
    fn find_rke_certificates(&mut self, layers: &Layers<'_>) {
        let files = layers.inputs.files;
        let is_plain = self
            .endpoints
            .value
            .iter()
            .any(|endpoint| endpoint.starts_with("http://"));
        if self.tls().is_given()
            || is_plain
            || !RKE_CERTIFICATES
                .iter()
                .all(|path| files.is_there(Path::new(path)))
        {
            return;
        }
        let [cacert, cert, key] = RKE_CERTIFICATES.map(|path| {
            Some(Sourced {
                value: PathBuf::from(path),
                origin: Origin::Found(RKE_DIRECTORY),
            })
        });
        (self.cacert, self.cert, self.key) = (cacert, cert, key);
    }

    /// Half a pair is dropped: nobody could judge it.
    fn check_pair(&mut self, layers: &mut Layers<'_>) {
        let (alone, cure) = match (self.cert.take(), self.key.take()) {
            (Some(cert), None) => (cert, "give the certificate's key too: --key"),
            (None, Some(key)) => (key, "give the key's certificate too: --cert"),
            pair => {
                (self.cert, self.key) = pair;
                return;
            }
        };
        if layers.knows(&[Id::Cert, Id::Key]) {
            layers.fault(&alone.origin, Wrong::new("is only half of a pair", cure));
        }
    }
}

fn endpoints(text: &str) -> Result<Vec<String>, Wrong> {
    let parts = text.split(',').map(|part| layers::text(part.trim()));
    parts.collect::<Result<_, _>>().map_err(|_| {
        Wrong::new(
            "names no endpoint",
            "write host:port, several with commas between them",
        )
    })
}

fn login(layers: &mut Layers<'_>, file: &ClusterYml) -> Option<Login> {
    let own = &file.own;
    let user = layers.pick(Id::User, layers::secret, own.user.clone());
    let in_flag = layers.flag(Id::PasswordFile, layers::path);
    let in_env = layers.environment(Id::PasswordFile, layers::path);
    let given = layers.environment(Id::Password, layers::secret);
    let in_file = located_path(own.password_file.clone()).map(|path| layers.located(path));
    let Some(user) = user else {
        if let Some(path) = in_flag.or(in_file)
            && layers.knows(&[Id::User])
        {
            let wrong = Wrong::new("is a password without a user", "name the user with --user");
            layers.fault(&path.origin, wrong);
        }
        return None;
    };
    let (name, inline) = match user.value.reveal().split_once(':') {
        Some((name, password)) => (name, Some(password)),
        None => (user.value.reveal(), None),
    };
    let read = |path: Sourced<PathBuf>| path.map(Password::File);
    let plain = |secret: &Secret| Password::Given(rollsnap_etcd::Secret::new(secret.reveal()));
    let inline = inline.filter(|text| !text.is_empty()).map(|text| Sourced {
        value: Password::Given(rollsnap_etcd::Secret::new(text)),
        origin: user.origin.clone(),
    });
    let password = in_flag
        .map(read)
        .or(inline)
        .or(in_env.map(read))
        .or(given.map(|said| said.map(|secret| plain(&secret))))
        .or(in_file.map(read));
    let wrong = if name.is_empty() {
        Wrong::new("names no user", "write name, or name:password")
    } else if let Some(password) = password {
        return Some(Login {
            name: Sourced {
                value: name.to_owned(),
                origin: user.origin,
            },
            password,
        });
    } else {
        Wrong::new(
            "has no password",
            "give one with --password-file or the variable ETCDCTL_PASSWORD",
        )
    };
    if layers.knows(&[Id::PasswordFile, Id::Password]) {
        layers.fault(&user.origin, wrong);
    }
    None
}
