//! What a test puts into a real etcd: keys, users.

use std::fs;
use std::path::PathBuf;

use etcd_client::{Certificate, Client, ConnectOptions, Identity, TlsOptions};
use futures_util::{StreamExt, stream};

use super::EtcdReal;

const VALUE_LEN: usize = 64 * 1024;
const PUTS_IN_FLIGHT: usize = 16;

impl EtcdReal {
    /// A client of its own for writing and asking.
    pub async fn client(&self) -> Client {
        self.try_client()
            .await
            .unwrap_or_else(|e| panic!("connect to {}: {e}", self.endpoint()))
    }

    pub(super) async fn try_client(&self) -> Result<Client, etcd_client::Error> {
        let mut options = ConnectOptions::new();
        if let Some(certificates) = &self.builder.certificates {
            let read = |path: PathBuf| {
                fs::read(&path).unwrap_or_else(|e| panic!("read {}: {e}", path.display()))
            };
            options = options.with_tls(
                TlsOptions::new()
                    .ca_certificate(Certificate::from_pem(read(certificates.ca())))
                    .identity(Identity::from_pem(
                        read(certificates.client()),
                        read(certificates.client_key()),
                    )),
            );
        }
        if let Some((user, password)) = &self.user {
            options = options.with_user(user, password);
        }
        Client::connect([self.endpoint()], Some(options)).await
    }

    /// Writes one key.
    pub async fn put(&self, key: &str, value: impl Into<Vec<u8>>) {
        self.client()
            .await
            .put(key, value, None)
            .await
            .unwrap_or_else(|e| panic!("put {key}: {e}"));
    }

    /// Makes the database at least `bytes` big with keys that do not compress. The same bytes
    /// each time.
    pub async fn fill(&self, bytes: usize) {
        let client = self.client().await;
        let puts = bytes.div_ceil(VALUE_LEN);
        stream::iter(0..puts)
            .for_each_concurrent(PUTS_IN_FLIGHT, |n| {
                let mut client = client.kv_client();
                async move {
                    let key = format!("/registry/fill/{n:08}");
                    client
                        .put(key, noise(n as u64), None)
                        .await
                        .unwrap_or_else(|e| panic!("fill: put {n}: {e}"));
                }
            })
            .await;
    }

    /// Overwrites a value in the database of a server that is stopped, everywhere it stands and by
    /// one as long: neither etcd nor bbolt keeps a checksum of it, so nobody notices.
    ///
    /// # Panics
    /// When the server runs, or the value is not there.
    pub fn falsify(&self, value: &[u8], by: &[u8]) {
        assert!(
            self.child.is_none(),
            "etcd holds its database while it runs"
        );
        assert_eq!(value.len(), by.len(), "a value has a length");
        let path = self.data_dir().join("member/snap/db");
        let mut database = fs::read(&path).expect("the database can be read");
        let places = |database: &[u8]| -> Vec<usize> {
            let windows = database.windows(value.len()).enumerate();
            windows
                .filter_map(|(at, window)| (window == value).then_some(at))
                .collect()
        };
        let found = places(&database);
        assert!(!found.is_empty(), "the value is not in the database");
        for at in found {
            database[at..at + by.len()].copy_from_slice(by);
        }
        fs::write(&path, database).expect("the database can be written");
    }

    /// Adds user and role `root` with this password and demands a user from now on.
    pub async fn enable_auth(&mut self, password: &str) {
        let mut auth = self.client().await.auth_client();
        auth.user_add("root", password, None)
            .await
            .expect("add user root");
        auth.user_grant_role("root", "root")
            .await
            .expect("grant role root");
        auth.auth_enable().await.expect("enable auth");
        self.user = Some(("root".to_owned(), password.to_owned()));
    }

    /// Adds a user without any role.
    pub async fn add_user(&self, name: &str, password: &str) {
        let mut auth = self.client().await.auth_client();
        auth.user_add(name, password, None)
            .await
            .unwrap_or_else(|e| panic!("add user {name}: {e}"));
    }
}

/// One value that does not compress: xorshift, seeded by its number.
fn noise(number: u64) -> Vec<u8> {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut value = Vec::with_capacity(VALUE_LEN);
    while value.len() < VALUE_LEN {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        value.extend_from_slice(&state.to_le_bytes());
    }
    value
}
