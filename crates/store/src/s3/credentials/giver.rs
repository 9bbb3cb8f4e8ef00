//! Those who give keys out for a time, and the three ways of one that is looked up to answer.

use std::sync::Arc;

use super::container::Container;
use super::instance::Instance;
use super::lease::Lease;
use super::line::Lines;
use super::no_keys::NoKeys;
use super::pair::Credentials;
use super::role::AssumedRole;
use super::sts::WebIdentity;
use super::tenancy::Ask;

/// Whom to ask for keys, and with what. Two that are equal give the same keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Giver {
    WebIdentity(WebIdentity),
    Role(AssumedRole),
    Container(Container),
    Instance(Instance),
}

/// Where keys are, once it was looked up what there is.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// Here.
    Here(Arc<Credentials>),
    /// With somebody who gives them out.
    With(Giver),
}

impl Giver {
    /// Whom it is, for people.
    pub(super) fn told(&self) -> String {
        match self {
            Self::WebIdentity(it) => it.told(),
            Self::Role(it) => it.told(),
            Self::Container(it) => it.told(),
            Self::Instance(it) => it.told(),
        }
    }
}

impl Ask for Lines {
    type Giver = Giver;

    async fn ask(&self, giver: &Giver) -> Result<Lease, NoKeys> {
        match giver {
            Giver::WebIdentity(it) => it.ask(self).await,
            Giver::Role(it) => it.ask(self).await,
            Giver::Container(it) => it.ask(self).await,
            Giver::Instance(it) => it.ask(self).await,
        }
    }
}
