//! What a command line wants, once it is read.

use std::path::PathBuf;
use std::time::Duration;

use crate::Secret;

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// Snapshots: one, or one after another.
    Save(Save),
    /// A snapshot from elsewhere, unpacked.
    Download(Download),
    /// One snapshot less.
    Delete(Delete),
    /// The cluster's state out of a snapshot's archive.
    ExtractStateFile(Extract),
    /// One snapshot, for other nodes to fetch.
    Serve(Serve),
}

/// Which generation of the program is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `rolling-backup`: snapshots as etcd sends them, and the log's older words.
    Rolling,
    /// `etcd-backup`: snapshots in a zip, and the newer words.
    EtcdBackup,
}

/// What `save` is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Save {
    /// In which form.
    pub form: Form,
    /// Where the snapshots come from.
    pub etcd: Etcd,
    /// Where they are copied to.
    pub bucket: Option<Bucket>,
    /// The time between two; never zero.
    pub creation: Duration,
    /// How long one is kept; never zero.
    pub retention: Duration,
    /// Whether one is all.
    pub once: bool,
    /// The name of that one; empty where none is given. The loop makes its own, and RKE gives it
    /// the name of its container.
    pub name: String,
    /// Whether more is to be said.
    pub debug: bool,
}

/// What `download` is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Download {
    /// The snapshot; not empty.
    pub name: String,
    /// Where it is.
    pub from: Origin,
    /// Whether more is to be said.
    pub debug: bool,
}

/// Where a snapshot is fetched from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A bucket, also where a node is named as well.
    Bucket(Bucket),
    /// A node on which `serve` runs.
    Node {
        /// Its host, without a port.
        host: String,
        /// What we show to it, and what it must show to us.
        certificates: Certificates,
    },
}

/// What `delete` is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delete {
    /// The snapshot; not empty.
    pub name: String,
    /// Only the unpacked copy, and only here.
    pub cleanup: bool,
    /// Where a copy is to go too.
    pub bucket: Option<Bucket>,
}

/// What `extractstatefile` is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extract {
    /// The snapshot; not empty.
    pub name: String,
    /// Where it is, if not here.
    pub bucket: Option<Bucket>,
    /// Whether more is to be said.
    pub debug: bool,
}

/// What `serve` is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Serve {
    /// The snapshot; not empty.
    pub name: String,
    /// What we show to whoever comes, and what they must show to us.
    pub certificates: Certificates,
}

/// The members of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Etcd {
    /// `host:port`, several between commas, with or without a scheme.
    pub endpoints: String,
    /// What they want to see.
    pub certificates: Certificates,
}

/// The paths of a node's certificates, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificates {
    /// The cluster's CA.
    pub cacert: PathBuf,
    /// This node's certificate.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// A bucket. Texts are empty where nothing was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// `host[:port]` without a scheme; empty is Amazon's.
    pub endpoint: String,
    /// The server's CA: a path, or base64 of PEM.
    pub endpoint_ca: String,
    /// The access key, decoded where it came encoded; with both empty, they are found as AWS'
    /// tools find them.
    pub access_key: Secret,
    /// The secret key, decoded likewise.
    pub secret_key: Secret,
    /// Its name.
    pub name: String,
    /// Its region; empty is to be found out.
    pub region: String,
    /// The folder in it; empty is its top.
    pub folder: String,
}

impl Bucket {
    /// The whole key of an object.
    pub fn key(&self, object: &str) -> String {
        match self.folder.trim_matches('/') {
            "" => object.to_owned(),
            folder => format!("{folder}/{object}"),
        }
    }
}
