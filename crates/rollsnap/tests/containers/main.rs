//! The sidecar in its container, beside a real etcd and an S3 server, on a private network.
//!
//! Run by `just e2e`: it needs the Docker engine and the image that `just image` makes. Whatever
//! is waited for is seen from outside, as an operator would see it: in `docker logs`, in the
//! mounted directory, in the bucket. One test at a time has the engine: the container's name is
//! part of what is tested.

mod bucket;
mod compose;
mod docker;
mod etcd;
mod folder;
mod images;
mod interrupted;
mod machine;
mod rke;
mod rolling;
mod sidecar;
mod systemd;
mod wait;
mod world;
