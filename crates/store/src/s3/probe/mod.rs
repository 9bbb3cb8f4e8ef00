//! What the bucket, its server and these keys can do, tried out one thing after the other.
//!
//! ```text
//! harmless: connection, credentials, list, region, clock
//! full:     put, conditional write, overwrite, read, checksum, encryption,
//!           multipart upload, pending uploads, resumption, conditional completion,
//!           delete, object lock
//! ```
//!
//! What is written are two objects of some bytes, called `.rollsnap-probe-…`: no listing of
//! snapshots shows names that begin with a dot. They are removed whatever happens, but for a
//! future that is dropped; then they stay for the next full trial, which removes what is older
//! than an hour. A bucket that keeps versions keeps none of them where the keys may remove
//! versions; one with object lock keeps the few bytes hidden, until a rule of its own ends them.
//! A lock that is configured is set for a minute only; see `writing`.

mod bucket;
mod object;
mod parts;

use super::request::BucketClient;
use crate::{Effort, Location, Outcome, Probe, StoreError};

/// Begins the name of every object of a trial.
const NAME: &str = ".rollsnap-probe-";

/// What is tried of an object that was put, in this order.
const OF_AN_OBJECT: [&str; 5] = [
    "conditional write",
    "overwrite",
    "read",
    "checksum",
    "encryption",
];

/// What is tried of an object in parts.
const OF_PARTS: [&str; 4] = [
    "multipart upload",
    "pending uploads",
    "resumption",
    "conditional completion",
];

/// One bucket on trial.
#[derive(Debug)]
pub(super) struct Trial<'a> {
    pub(super) client: &'a BucketClient,
    /// The beginning of every key: empty, or with one slash at its end.
    pub(super) folder: &'a str,
    pub(super) location: &'a Location,
    /// Text that no other trial has.
    pub(super) unique: &'a str,
}

impl Trial<'_> {
    /// Tries what `effort` allows. What cannot be tried because something before it failed is told
    /// as such.
    pub(super) async fn run(&self, effort: Effort) -> Vec<Probe> {
        let mut told = Told::default();
        let lists = bucket::look(self, &mut told).await;
        match effort {
            Effort::Harmless => {}
            Effort::Full if lists => self.write(&mut told).await,
            Effort::Full => {
                const WHY: &str = "the bucket cannot be listed";
                for what in [
                    &["put"][..],
                    &OF_AN_OBJECT,
                    &OF_PARTS,
                    &["delete", "object lock"],
                ] {
                    told.all_untried(what, WHY);
                }
            }
        }
        told.0
    }

    async fn write(&self, told: &mut Told) {
        let whole = object::Sample::new(self, "");
        object::try_out(&whole, told).await;
        let in_parts = object::Sample::new(self, "-parts");
        parts::try_out(&in_parts, told).await;
        told.add("delete", object::remove(&whole, &in_parts).await);
        bucket::sweep(self).await;
        told.add("object lock", bucket::object_lock(self).await);
    }

    fn error(&self, verb: &'static str, fault: super::error::Fault) -> StoreError {
        self.client.tell(verb, self.location, fault)
    }
}

/// What was found so far.
#[derive(Debug, Default)]
struct Told(Vec<Probe>);

impl Told {
    /// Whether it held, or nearly.
    fn add(&mut self, what: &'static str, outcome: Outcome) -> bool {
        let good = matches!(outcome, Outcome::Held(_) | Outcome::Weak { .. });
        self.0.push(Probe { what, outcome });
        good
    }

    fn untried(&mut self, what: &'static str, why: &str) {
        self.add(what, Outcome::Untried(why.to_owned()));
    }

    fn all_untried(&mut self, what: &[&'static str], why: &str) {
        for what in what {
            self.untried(what, why);
        }
    }
}

fn held(text: impl Into<String>) -> Outcome {
    Outcome::Held(text.into())
}

fn weak(message: impl Into<String>, hint: &str) -> Outcome {
    Outcome::Weak {
        message: message.into(),
        hint: hint.to_owned(),
    }
}
