//! What was found out about the far side while it was used.

/// Something that whoever looks after the far side, or this machine, should know. Nothing failed
/// for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// What was found: `this clock is 1200s behind that of https://h`.
    pub message: String,
    /// The cure.
    pub hint: String,
}
