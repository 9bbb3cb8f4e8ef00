//! snapfile
