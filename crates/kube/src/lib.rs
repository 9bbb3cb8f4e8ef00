//! What Kubernetes keeps in etcd: keys, envelopes, objects.

mod encrypted;
mod envelope;
mod keys;
mod object;
mod resources;
mod wire;
mod words;

pub use encrypted::Encrypted;
pub use keys::{Keys, ObjectKey, Scope, Selection};
pub use object::{Decoded, Object, Omission, decode};
pub use resources::{Builtin, builtins};
pub use words::UnknownResource;
