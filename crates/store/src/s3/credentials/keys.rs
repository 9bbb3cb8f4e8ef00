//! The keys of one store, asked for before each try of a request.
//!
//! Where they are is looked up anew each time: that reads some small files, and so keys that are
//! exchanged in them are used at once. Only what others give out for a time is held.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::CredentialSource;
use super::chain::{self, Find};
use super::giver::{Giver, Place};
use super::key_files::KeyFiles;
use super::line::Lines;
use super::no_keys::NoKeys;
use super::pair::Credentials;
use super::surroundings::Surroundings;
use super::tenancy::Tenancy;
use crate::s3::clock::Clock;
use crate::s3::error::Fault;

/// The keys of one store.
#[derive(Debug)]
pub(in crate::s3) struct Keys {
    source: Source,
    /// Those that were read from files last: they go on serving while a file is being exchanged.
    read: Mutex<Option<Read>>,
}

#[derive(Debug)]
enum Source {
    Fixed(Option<Arc<Credentials>>),
    Files(KeyFiles),
    Chain(Box<Chain>),
}

#[derive(Debug)]
struct Chain {
    surroundings: Surroundings,
    tenancy: Tenancy<Lines>,
}

#[derive(Debug, Clone)]
struct Read {
    keys: Arc<Credentials>,
    told: String,
}

/// Keys, and in words whose they are.
struct Found {
    keys: Option<Arc<Credentials>>,
    told: String,
}

impl Keys {
    /// Takes a source that was found right. `http` carries questions to the token service;
    /// nothing is asked yet.
    pub(in crate::s3) fn new(
        source: &CredentialSource,
        http: reqwest::Client,
        clock: Clock,
    ) -> Result<Self, String> {
        let source = match source {
            CredentialSource::Keys(keys) => Source::Fixed(Some(Arc::new(keys.clone()))),
            CredentialSource::Anonymous => Source::Fixed(None),
            CredentialSource::Files(files) => Source::Files(files.clone()),
            CredentialSource::Chain(surroundings) => Source::Chain(Box::new(Chain {
                surroundings: surroundings.clone(),
                tenancy: Tenancy::new(Lines::new(http, clock)?),
            })),
        };
        Ok(Self {
            source,
            read: Mutex::default(),
        })
    }

    /// The keys to sign with now, or none to send the request unsigned.
    pub(in crate::s3) async fn current(&self) -> Result<Option<Arc<Credentials>>, Fault> {
        let found = self.found().await.map_err(Fault::NoKeys)?;
        Ok(found.keys)
    }

    /// After a server refused `refused` as expired or unknown: whether there are other keys now,
    /// so that a second try is worth it.
    pub(in crate::s3) async fn renewed(&self, refused: &Credentials) -> bool {
        match &self.source {
            Source::Fixed(_) => false,
            Source::Files(files) => files.read().await.is_ok_and(|keys| keys != *refused),
            Source::Chain(chain) => match chain::look(&chain.surroundings).await {
                Ok(Find {
                    place: Place::Here(keys),
                    ..
                }) => *keys != *refused,
                Ok(Find {
                    place: Place::With(giver),
                    ..
                }) => {
                    // Keys of a file that is gone and that nobody takes any more.
                    *self.read() = None;
                    chain.tenancy.renewed(&giver, refused).await
                }
                Err(_) => false,
            },
        }
    }

    /// Whose keys are used, and why those of each place before are not, in one line. Asks for
    /// them where none are held.
    pub(in crate::s3) async fn told(&self) -> Result<String, Fault> {
        let found = self.found().await.map_err(Fault::NoKeys)?;
        Ok(found.told)
    }

    async fn found(&self) -> Result<Found, NoKeys> {
        match &self.source {
            Source::Fixed(None) => Ok(Found {
                keys: None,
                told: "anonymous: requests are not signed".into(),
            }),
            Source::Fixed(Some(keys)) => Ok(Found {
                keys: Some(Arc::clone(keys)),
                told: "the keys that are given".into(),
            }),
            Source::Files(files) => match files.read().await {
                Ok(keys) => Ok(self.note(Arc::new(keys), files.told())),
                Err(why) => self.noted(&why).ok_or(why),
            },
            Source::Chain(chain) => match chain::look(&chain.surroundings).await {
                Ok(find) => self.of_chain(find, &chain.tenancy).await,
                Err(why) => self.noted(&why).ok_or(why),
            },
        }
    }

    async fn of_chain(&self, find: Find, tenancy: &Tenancy<Lines>) -> Result<Found, NoKeys> {
        let passed = find.passed;
        let giver = match find.place {
            Place::Here(keys) => return Ok(self.note(keys, with_reasons(find.told, &passed))),
            Place::With(giver) => giver,
        };
        if let Some(found) = self.noted(&NoKeys::wrong("they are no longer there")) {
            return Ok(found);
        }
        match tenancy.keys(&giver).await {
            Ok(keys) => Ok(Found {
                keys: Some(keys),
                told: with_reasons(tenancy.owner(&giver).unwrap_or(find.told), &passed),
            }),
            // It is asked because nobody said anything, so what nobody said is worth knowing.
            Err(why) if matches!(giver, Giver::Instance(_)) => {
                let last = format!("EC2: {}", why.message());
                Err(chain::nothing(&[passed, vec![last]].concat()).or_hint_of(why))
            }
            Err(why) => Err(why.of(&find.told)),
        }
    }

    /// Keeps keys that were read here.
    fn note(&self, keys: Arc<Credentials>, told: String) -> Found {
        let found = Found {
            keys: Some(Arc::clone(&keys)),
            told: told.clone(),
        };
        *self.read() = Some(Read { keys, told });
        found
    }

    /// The keys that were read last, where they cannot be read now.
    fn noted(&self, why: &NoKeys) -> Option<Found> {
        let Read { keys, told } = self.read().clone()?;
        Some(Found {
            keys: Some(keys),
            told: format!("{told} as read before: {}", why.message()),
        })
    }

    fn read(&self) -> MutexGuard<'_, Option<Read>> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn with_reasons(told: String, passed: &[String]) -> String {
    if passed.is_empty() {
        told
    } else {
        format!("{told} (not {})", passed.join("; not "))
    }
}
