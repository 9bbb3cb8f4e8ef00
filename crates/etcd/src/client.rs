//! One endpoint, asked with etcd-client.
