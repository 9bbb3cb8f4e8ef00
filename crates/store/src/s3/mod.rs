//! A bucket as a store: any server that speaks Amazon's S3 protocol.
//!
//! rust-s3 signs every request and models the XML; an HTTP client of our own carries it, because
//! rust-s3's transport takes no CA, knows no stall timeout, follows redirects without their
//! signature and hides the error code (docs/adr/0005). One noun a file:
//!
//! | module | owns |
//! |---|---|
//! | [`config`] | what the operator writes, and every fault in it at once |
//! | `credentials` | the keys that sign, and from where they come |
//! | `ca` | a CA as people write it |
//! | `address` | the endpoint and where in it the bucket's name goes |
//! | `transport` | the HTTP client, its trust roots, and progress instead of deadlines |
//! | `region` | which region signs: written, seen in the host name, asked, or told by an error |
//! | `clock` | the time here, and the server's, by which requests are signed |
//! | `call` | what a request asks for |
//! | `request` | one request: sign, send, try again |
//! | `sign` | its signature |
//! | `writing` | what every object is written with beside its bytes |
//! | `ability` | what the server was found not to know |
//! | `pace` | how fast uploads go |
//! | `target` | one object, and what messages call it |
//! | `identity` | which object it is that bytes are read of |
//! | `pending` | uploads that are not completed |
//! | `probe` | what the server and these keys can do, tried out |
//! | `error` | what a failed request means, and in whose words it is told |
//! | `upload`, `list`, `read` | the three calls that are more than one request or one reply |
//! | [`store`] | [`S3Store`], the door |

mod ability;
mod address;
mod ca;
mod call;
mod clock;
pub mod config;
mod credentials;
mod error;
mod identity;
mod list;
mod pace;
mod pending;
mod probe;
mod read;
mod region;
mod request;
mod sign;
pub mod store;
mod target;
mod transport;
mod upload;
mod writing;

pub use ca::CustomCa;
pub use clock::Clock;
pub use config::{Addressing, ConfigFault, ProxyUse, S3Config, Tuning};
pub use credentials::{CredentialSource, Credentials, KeyFiles, KeyText, Surroundings};
pub use store::S3Store;
pub use writing::{CustomerKey, Encryption, Lock, LockMode, Writing};
