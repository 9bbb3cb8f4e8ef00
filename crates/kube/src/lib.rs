//! What Kubernetes keeps in etcd: keys, envelopes, objects.
//!
//! Pure: bytes in, words out. No server is asked, nothing is read but what is given, and all of it
//! may come from a broken disk. The schema of the objects is built in.
//!
//! # Where an object lies
//!
//! ```text
//! /registry/pods/kube-system/coredns-5d78c9869d-abcde      a built-in resource, without its group
//! /registry/minions/node-1                                 a node, by an older name
//! /registry/services/specs/default/kubernetes              a service, by a longer one
//! /registry/example.com/widgets/default/w                  a custom resource, under its group
//! ```
//!
//! [`Keys`] reads such keys, and makes them from what people type after `kubectl get`:
//!
//! ```
//! use rollsnap_kube::Keys;
//!
//! let keys = Keys::new("/registry");
//! let node = keys.parse(b"/registry/minions/node-1").unwrap();
//! assert_eq!((node.resource, node.namespace, node.name), ("nodes", None, "node-1"));
//!
//! let selection = keys.select("deploy/web", Some("shop"), None).unwrap();
//! assert_eq!(selection.prefix, b"/registry/deployments/shop/web");
//! assert!(selection.exact);
//!
//! let error = keys.select("deplyoment", None, None).unwrap_err();
//! assert_eq!(error.nearest, Some("deployments"));
//! ```
//!
//! # What lies there
//!
//! Built-in resources are protobuf in an envelope that names their kind. Custom resources, their
//! definitions and aggregated API services are JSON. Either may be encrypted at rest, Secrets most
//! often; then nothing can be known but by whom.
//!
//! ```text
//!  6b 38 73 00   0a 0c 0a 02 76 31 12 06 53 65 63 72 65 74   12 a0 03 ...   1a 00   22 00
//! '-----.-----' '---.-----------'-------.-----------------' '------.-----' '--.--' '--.--'
//!    k8s\0       1: TypeMeta { 1: "v1", 2: "Secret" }          2: raw      3: content 4: content
//!                                                            the object     encoding    type
//!
//! { "apiVersion": "example.com/v1", "kind": "Widget", ...
//!
//! k8s:enc:aescbc:v1:key1:............
//!         '-.--' '.' '-.' '---.----'
//!       provider  |   key  encrypted
//!              version
//! ```
//!
//! [`decode`] tells these apart and turns an object into the JSON that an API server would show.
//! What it cannot decode it names: a field of a newer Kubernetes, a kind that is not known, damage.
//!
//! ```
//! use rollsnap_kube::{Object, clean, decode, redact, to_yaml};
//!
//! let stored = include_bytes!("../testdata/core.v1.Secret.pb");
//! let Object::Protobuf(secret) = decode(stored) else { panic!() };
//! assert_eq!((&*secret.api_version, &*secret.kind), ("v1", "Secret"));
//! assert!(secret.omissions.is_empty());
//!
//! let mut value = secret.value;
//! clean(&mut value); // uid, resourceVersion and the like: ready for kubectl apply
//! redact(&mut value); // for eyes that should not see
//! assert!(to_yaml(&value).contains("dataKey: <hidden, 1 bytes>\n"));
//!
//! match decode(b"k8s:enc:kms:v2:vault:\x0a\x10...") {
//!     Object::Encrypted(by) => assert_eq!(by.to_string(), "kms v2, key \"vault\""),
//!     other => panic!("{other:?}"),
//! }
//! ```
//!
//! # Bounds
//!
//! Nothing panics on any bytes. Nesting is followed about 100 steps deep. An object made to hurt
//! takes a hundred times its size in memory (measured: 1 MB of empty maps in JSON, 100 MB; 1 MB of
//! empty containers in protobuf, 47 MB), and values of more than 8 MiB are left alone.
//!
//! # Which objects
//!
//! [`kinds`] lists them: all that Kubernetes 1.27 to 1.35 store, older ones that these still knew,
//! and the stable ones of 1.36 and 1.37 but for some new fields, which `schema/messages.txt` names
//! at its end. `schema/derive.py` tells the sources.
#![warn(clippy::panic, clippy::expect_used)]
#![cfg_attr(test, allow(clippy::panic, clippy::expect_used))]

mod clean;

mod encrypted;
mod envelope;
#[cfg(test)]
mod every_kind;
mod keys;
mod object;
mod protobuf;
mod redact;
mod resources;
mod schema;
mod special;
mod wire;
mod words;
mod yaml;

pub use clean::clean;
pub use encrypted::Encrypted;
pub use keys::{Keys, ObjectKey, Scope, Selection};
pub use object::{Decoded, Object, Omission, decode};
pub use redact::redact;
pub use resources::{Builtin, builtins};
pub use schema::kinds;
pub use words::UnknownResource;
pub use yaml::to_yaml;
