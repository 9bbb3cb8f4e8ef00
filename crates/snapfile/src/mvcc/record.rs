//! The value under a revision: etcd's `mvccpb.KeyValue`.
//!
//! ```text
//! key 1 | create_revision 2 | mod_revision 3 | version 4 | value 5 | lease 6
//! ```
//! proto3 leaves zero fields out (etcd `api/mvccpb/kv.proto`). A deletion's record holds the key
//! alone.

/// One version of one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Record<'a> {
    /// The user's key.
    pub key: &'a [u8],
    /// The main revision that created the key, since it was last absent.
    pub create_revision: i64,
    /// The main revision of this version.
    pub mod_revision: i64,
    /// Versions since the creation, from 1.
    pub version: i64,
    /// The user's value.
    pub value: &'a [u8],
    /// The lease it hangs on; 0 for none.
    pub lease: i64,
}

/// The bytes are no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// They end inside a field.
    #[error("record is cut")]
    Cut,
    /// A number has more than 64 bits.
    #[error("record has a number of more than 64 bits")]
    Number,
    /// A field has a type that it cannot have.
    #[error("record has a field of the wrong type")]
    Type,
}

impl<'a> Record<'a> {
    /// Reads a record. Fields of later versions are passed over.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, RecordError> {
        let mut record = Self::default();
        let mut rest = bytes;
        while let Some((field, after)) = Field::read(rest)? {
            rest = after;
            match (field.number, field.value) {
                (1, Value::Bytes(key)) => record.key = key,
                (2, Value::Varint(number)) => record.create_revision = number.cast_signed(),
                (3, Value::Varint(number)) => record.mod_revision = number.cast_signed(),
                (4, Value::Varint(number)) => record.version = number.cast_signed(),
                (5, Value::Bytes(value)) => record.value = value,
                (6, Value::Varint(number)) => record.lease = number.cast_signed(),
                (1..=6, _) => return Err(RecordError::Type),
                _ => {}
            }
        }
        Ok(record)
    }
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
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Option<(Self, &'a [u8])>, RecordError> {
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
                let len = usize::try_from(len).map_err(|_| RecordError::Cut)?;
                let (value, rest) = rest.split_at_checked(len).ok_or(RecordError::Cut)?;
                (Value::Bytes(value), rest)
            }
            1 => (Value::Fixed, skip(rest, 8)?),
            5 => (Value::Fixed, skip(rest, 4)?),
            _ => return Err(RecordError::Type),
        };
        let number = tag >> 3;
        Ok(Some((Self { number, value }, rest)))
    }
}

fn skip(bytes: &[u8], len: usize) -> Result<&[u8], RecordError> {
    let (_, rest) = bytes.split_at_checked(len).ok_or(RecordError::Cut)?;
    Ok(rest)
}

/// A number in groups of seven bits, the lowest first, and what follows it.
fn varint(bytes: &[u8]) -> Result<(u64, &[u8]), RecordError> {
    let mut number = 0;
    let mut rest = bytes;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first().ok_or(RecordError::Cut)?;
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
    Err(RecordError::Number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use prost::Message;

    /// The same message by an independent encoder.
    #[derive(Clone, PartialEq, Message)]
    struct KeyValue {
        #[prost(bytes = "vec", tag = "1")]
        key: Vec<u8>,
        #[prost(int64, tag = "2")]
        create_revision: i64,
        #[prost(int64, tag = "3")]
        mod_revision: i64,
        #[prost(int64, tag = "4")]
        version: i64,
        #[prost(bytes = "vec", tag = "5")]
        value: Vec<u8>,
        #[prost(int64, tag = "6")]
        lease: i64,
        /// A field of a version to come.
        #[prost(fixed64, tag = "9")]
        later: u64,
    }

    proptest! {
        #[test]
        fn a_record_is_what_was_written(
            key: Vec<u8>, value: Vec<u8>, numbers: [i64; 4], later: u64,
        ) {
            let [create_revision, mod_revision, version, lease] = numbers;
            let written = KeyValue {
                key, create_revision, mod_revision, version, value, lease, later,
            };
            let bytes = written.encode_to_vec();
            let record = Record::parse(&bytes).unwrap();
            prop_assert_eq!(record, Record {
                key: &written.key,
                create_revision, mod_revision, version,
                value: &written.value,
                lease,
            });
            for cut in 0..bytes.len() {
                let _ = Record::parse(&bytes[..cut]);
            }
        }

        #[test]
        fn any_bytes_are_a_record_or_an_error(bytes: Vec<u8>) {
            let _ = Record::parse(&bytes);
        }
    }

    #[test]
    fn a_number_of_65_bits_is_refused() {
        let mut bytes = vec![0x10];
        bytes.extend([0xff; 9]);
        bytes.push(0x02);
        assert_eq!(Record::parse(&bytes), Err(RecordError::Number));
    }
}
