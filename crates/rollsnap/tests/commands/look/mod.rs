//! Looking inside a snapshot: what `ls`, `get`, `diff` and `du` say is what etcd itself says, of
//! keys and values such as Kubernetes writes.

mod cluster;

mod broken;
mod differences;
mod documents;
mod far;
mod indexed;
mod lists;
mod room;
mod values;
