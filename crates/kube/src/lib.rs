//! What Kubernetes keeps in etcd: keys, envelopes, objects.

mod clean;
mod decode;
mod encrypted;
mod envelope;
#[cfg(test)]
mod every_kind;
mod keys;
mod object;
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
