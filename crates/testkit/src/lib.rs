//! Real servers and scripted peers for the tests. Dev only: never part of the product.
//!
//! Every server is started by the test that needs it, on a free loopback port, and dies with the
//! value that stands for it. A tool that is not installed fails the test and names `.ci/install`.

pub mod aws_peer;
pub mod etcd_peer;
pub mod etcd_real;
pub mod forward_proxy;
pub mod installation;
pub mod listener;
pub mod member_args;
pub mod mount;
pub mod plain_http;
pub mod prometheus_real;
pub mod s3_objects;
pub mod s3_peer;
pub mod s3_proxy;
pub mod s3_real;
pub mod s3_server;
pub mod s3_traffic;
mod s3_uploads;
pub mod small_cluster;
pub mod stranger;
pub mod tcp_proxy;
pub mod tls;
pub mod tools;
