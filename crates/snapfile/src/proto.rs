//! Protocol buffers, as far as etcd's storage needs them: fields one after the other.
//!
//! A field is a tag (number and wire type) and a value
//! (<https://protobuf.dev/programming-guides/encoding>). What reads knows nothing of defaults.
//! What writes leaves that to its callers too: the messages of the write-ahead log are proto2 and
//! have their zeros written, those of records are proto3 and have not.

/// The bytes are no message of the kind that is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProtoError {
    /// They end inside a field.
    #[error("message is cut")]
    Cut,
    /// A number has more than 64 bits.
    #[error("message has a number of more than 64 bits")]
    Number,
    /// A field has a type that it cannot have.
    #[error("message has a field of the wrong type")]
    Type,
}

/// One field of a protobuf message.
pub(crate) struct Field<'a> {
    pub(crate) number: u64,
    pub(crate) value: Value<'a>,
}

/// The value of a field, by its wire type. Fixed numbers occur in no message of etcd's storage.
pub(crate) enum Value<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
    Fixed,
}

impl<'a> Field<'a> {
    /// The next field and what follows it; `None` at the end.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Option<(Self, &'a [u8])>, ProtoError> {
        if bytes.is_empty() {
            return Ok(None);
        }
        let (tag, rest) = varint(bytes)?;
        let (value, rest) = match tag & 7 {
            0 => {
                let (number, rest) = varint(rest)?;
                (Value::Varint(number), rest)
            }
            2 => {
                let (len, rest) = varint(rest)?;
                let len = usize::try_from(len).map_err(|_| ProtoError::Cut)?;
                let (value, rest) = rest.split_at_checked(len).ok_or(ProtoError::Cut)?;
                (Value::Bytes(value), rest)
            }
            1 => (Value::Fixed, skip(rest, 8)?),
            5 => (Value::Fixed, skip(rest, 4)?),
            _ => return Err(ProtoError::Type),
        };
        let number = tag >> 3;
        Ok(Some((Self { number, value }, rest)))
    }
}

fn skip(bytes: &[u8], len: usize) -> Result<&[u8], ProtoError> {
    let (_, rest) = bytes.split_at_checked(len).ok_or(ProtoError::Cut)?;
    Ok(rest)
}

/// A number in groups of seven bits, the lowest first, and what follows it.
fn varint(bytes: &[u8]) -> Result<(u64, &[u8]), ProtoError> {
    let mut number = 0;
    let mut rest = bytes;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first().ok_or(ProtoError::Cut)?;
        rest = after;
        let bits = u64::from(byte & 0x7f);
        if shift == 63 && bits > 1 {
            break;
        }
        number |= bits << shift;
        if byte & 0x80 == 0 {
            return Ok((number, rest));
        }
    }
    Err(ProtoError::Number)
}

/// A message that is being written.
#[derive(Debug, Default)]
pub(crate) struct Writing(Vec<u8>);

impl Writing {
    pub(crate) fn number(mut self, field: u8, number: u64) -> Self {
        self.0.push(field << 3);
        self.varint(number);
        self
    }

    pub(crate) fn bytes(mut self, field: u8, bytes: &[u8]) -> Self {
        self.0.push(field << 3 | 2);
        self.varint(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        self.0.extend_from_slice(bytes);
        self
    }

    pub(crate) fn message(self, field: u8, message: &Self) -> Self {
        self.bytes(field, &message.0)
    }

    pub(crate) fn done(self) -> Vec<u8> {
        self.0
    }

    fn varint(&mut self, mut number: u64) {
        while number > 0x7f {
            self.0.push(number.to_le_bytes()[0] | 0x80);
            number >>= 7;
        }
        self.0.push(number.to_le_bytes()[0]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(number: u64, bytes: Vec<u8>) {
            let message = Writing::default().number(3, number).bytes(15, &bytes).done();
            let (first, rest) = Field::read(&message).unwrap().unwrap();
            let (second, rest) = Field::read(rest).unwrap().unwrap();
            let is_first = matches!(first.value, Value::Varint(it) if it == number);
            let is_second = matches!(second.value, Value::Bytes(it) if it == bytes);
            prop_assert!(is_first && first.number == 3);
            prop_assert!(is_second && second.number == 15);
            prop_assert!(rest.is_empty());
        }
    }
}
