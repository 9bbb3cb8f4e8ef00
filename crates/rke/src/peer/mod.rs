//! A snapshot from node to node: `serve` on the one, `download --local-endpoint` on the others.
//!
//! RKE starts the old program with `serve` on one etcd node and has the others fetch
//! `https://NODE:2379/NAME` from it: mutual TLS, and the plain snapshot as the body. Both ends here
//! speak with the old program's, which is seen in `tests/peer`.
//!
//! The old client takes any certificate at all, for by design none names the node: every node shows
//! `kube-node.pem`, which names nobody and is made for clients only (RKE `pki/services.go`). Here
//! the certificate must be one of the cluster's CA and in its dates, and the key must be the
//! certificate's; what it names is not asked (`trust`).

mod brisk;
mod fetch;
mod identity;
mod serve;
mod trust;

pub use fetch::{Fetched, fetch, url};
pub use serve::{Door, Limits, Offer, Porter, Visit};

/// The port of both: etcd's own, which is stopped meanwhile, for firewalls between etcd nodes let
/// it pass.
pub const PORT: u16 = 2379;
