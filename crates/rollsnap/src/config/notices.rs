//! Whom the daemon tells, beyond its log, how its backups go.

use std::path::PathBuf;

use reqwest::Url;
use rollsnap_rke::cluster_yml::ClusterYml;
use rollsnap_rke::kube_events::Access;
use rollsnap_rke::{Secret, Wrong};

use super::keys::given_or_in_file;
use super::layers::{self, Layers, located_path};
use super::options::Id;
use super::{Key, Sourced};

/// Whom the daemon tells.
#[derive(Debug, Clone)]
pub struct Notices {
    /// The address to ping, as [`ping_address`] takes it.
    pub ping: Option<Sourced<Key>>,
    /// The Kubernetes that is told by Events.
    pub kubernetes: Kubernetes,
}

/// The Kubernetes that is told by Events.
#[derive(Debug, Clone)]
pub struct Kubernetes {
    /// Its kubeconfig.
    pub kubeconfig: Option<Sourced<PathBuf>>,
    /// How it is reached, where Events are posted.
    pub events: Sourced<Option<Access>>,
    /// The Node that they are about, where somebody says it.
    pub node: Option<Sourced<String>>,
}

impl Notices {
    pub(super) fn of(layers: &mut Layers<'_>, file: &ClusterYml) -> Self {
        let own = &file.own;
        let (given, in_file) = (own.ping_url.clone(), own.ping_url_file.clone());
        let ids = (Id::PingUrl, Id::PingUrlFile);
        let ping = given_or_in_file(layers, ids, given, in_file);
        if let Some(ping) = &ping
            && let Err(wrong) = ping_address(&ping.value.secret)
        {
            layers.fault_of(Id::PingUrl, &ping.origin, wrong);
        }
        Self {
            ping,
            kubernetes: Kubernetes::of(layers, file),
        }
    }
}

impl Kubernetes {
    fn of(layers: &mut Layers<'_>, file: &ClusterYml) -> Self {
        let own = &file.own;
        let path = located_path(own.kubeconfig.clone());
        let kubeconfig = layers.pick(Id::Kubeconfig, layers::path, path);
        let wanted = layers.pick(
            Id::KubernetesEvents,
            layers::switch,
            own.kubernetes_events.clone(),
        );
        let node = layers.pick(Id::NodeName, layers::text, own.node_name.clone());
        let named = kubeconfig
            .as_ref()
            .map(|path| path.clone().map(Access::Kubeconfig));
        let events = match (wanted, named) {
            (None, None) => Sourced::default(None),
            (None, Some(named)) => named.map(Some),
            (Some(wanted), named) if wanted.value => {
                let access = named.map(|named| named.value);
                let access = access.or_else(|| {
                    let environment = layers.inputs.environment;
                    Access::of_pod(&|name| environment.get(name).map(str::to_owned))
                });
                if access.is_none() && layers.knows(&[Id::Kubeconfig]) {
                    let what = "is true, but there is no kubeconfig, and this is no pod";
                    let wrong = Wrong::new(what, "give kubeconfig");
                    layers.fault_of(Id::KubernetesEvents, &wanted.origin, wrong);
                }
                wanted.map(|_| access)
            }
            (Some(wanted), _) => wanted.map(|_| None),
        };
        Self {
            kubeconfig,
            events,
            node,
        }
    }
}

/// The address in a text. What is wrong with it is told without a word of it.
pub fn ping_address(text: &Secret) -> Result<Url, Wrong> {
    let wrong = |what| Wrong::new(what, "write it as https://hc-ping.com/… has it");
    let url = Url::parse(text.reveal()).map_err(|_| wrong("is no address"))?;
    if !["http", "https"].contains(&url.scheme()) {
        return Err(wrong("is no http:// or https:// address"));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_of_the_web_and_never_shown() {
        for right in [
            "https://hc-ping.com/canary",
            "http://127.0.0.1:8000/ping/canary?create=1",
            "https://user:canary@host/",
        ] {
            assert!(ping_address(&Secret::new(right)).is_ok(), "{right}");
        }
        for wrong in [
            "canary",
            "ftp://canary/x",
            "https://",
            "file:///canary",
            "http://can ary/",
        ] {
            let told = ping_address(&Secret::new(wrong)).unwrap_err().to_string();
            assert!(
                !told.contains("canary") && !told.contains("can ary"),
                "{told}"
            );
        }
    }
}
