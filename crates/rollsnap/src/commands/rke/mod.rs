//! What only clusters of RKE have.

pub(super) mod pki;
