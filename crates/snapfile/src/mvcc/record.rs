//! The value under a revision: etcd's `mvccpb.KeyValue`.
//!
//! ```text
//! key 1 | create_revision 2 | mod_revision 3 | version 4 | value 5 | lease 6
//! ```
//! proto3 leaves zero fields out (etcd `api/mvccpb/kv.proto`). A deletion's record holds the key
//! alone.

pub use crate::proto::ProtoError as RecordError;
use crate::proto::{Field, Value};

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
