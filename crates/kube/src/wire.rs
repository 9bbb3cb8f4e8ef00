//! Protobuf's wire format: fields in a row, each a number, a kind and a payload.
//!
//! Source: <https://protobuf.dev/programming-guides/encoding/>.

use std::fmt;

/// A message's fields in the order in which they lie. Ends after the first fault.
#[derive(Debug, Clone)]
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Payload<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Bytes(&'a [u8]),
}

/// Why bytes are no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WireError {
    #[error("the bytes end within a field")]
    Cut,
    #[error("a number is longer than ten bytes")]
    LongVarint,
    #[error("a field has number 0 or one past 536870911")]
    Number,
    #[error("a field is of wire type {0}, which Kubernetes does not use")]
    Type(u8),
}

/// Numbers in a row without anything between them: a list in its packed form.
pub(crate) fn varints(bytes: &[u8]) -> Result<Vec<u64>, WireError> {
    let mut fields = Fields::of(bytes);
    let mut numbers = Vec::new();
    while !fields.rest.is_empty() {
        numbers.push(fields.varint()?);
    }
    Ok(numbers)
}

impl fmt::Display for Payload<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Varint(value) => write!(f, "number {value}"),
            Self::Fixed64(_) => f.write_str("8 bytes of fixed length"),
            Self::Fixed32(_) => f.write_str("4 bytes of fixed length"),
            Self::Bytes([_]) => f.write_str("1 byte"),
            Self::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
        }
    }
}

impl<'a> Fields<'a> {
    pub(crate) fn of(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    fn field(&mut self) -> Result<(u32, Payload<'a>), WireError> {
        const LARGEST: u32 = (1 << 29) - 1;
        let tag = self.varint()?;
        let kind = u8::try_from(tag & 7).unwrap_or_default();
        let number = u32::try_from(tag >> 3).map_err(|_| WireError::Number)?;
        if !(1..=LARGEST).contains(&number) {
            return Err(WireError::Number);
        }
        let payload = match kind {
            0 => Payload::Varint(self.varint()?),
            1 => Payload::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| WireError::Cut)?;
                Payload::Bytes(self.take(length)?)
            }
            5 => Payload::Fixed32(u32::from_le_bytes(self.array()?)),
            other => return Err(WireError::Type(other)),
        };
        Ok((number, payload))
    }

    fn varint(&mut self) -> Result<u64, WireError> {
        const LONGEST: usize = 10;
        let mut value = 0_u64;
        for (at, byte) in self.rest.iter().take(LONGEST).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * at);
            if byte & 0x80 == 0 {
                self.rest = &self.rest[at + 1..];
                return Ok(value);
            }
        }
        Err(if self.rest.len() < LONGEST {
            WireError::Cut
        } else {
            WireError::LongVarint
        })
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], WireError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(WireError::Cut)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(WireError::Cut)?;
        self.rest = rest;
        Ok(*taken)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Payload<'a>), WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}
