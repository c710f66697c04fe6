//! A record of Kafka, and how its bytes become values.

mod decode;
#[cfg(test)]
mod tests;

pub(crate) use decode::decode;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::sync::Arc;
use tidemill::{BoxError, Data, Text, Time};

/// A record with its place in Kafka.
///
/// What key and value are is up to their types; see [`FromBytes`]. A record without a value is a tombstone: what a
/// compacted topic says of a key that is deleted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct KafkaRecord<K, V> {
    /// The topic.
    pub topic: Arc<str>,
    /// The number of the partition, from 0.
    pub partition: i32,
    /// Where in the partition it is.
    pub offset: i64,
    /// When it was made or stored; none in topics of very old brokers.
    pub timestamp: Option<Time>,
    /// What the timestamp tells.
    pub timestamp_type: TimestampType,
    /// The key, if it has one.
    pub key: Option<K>,
    /// The value; a tombstone has none.
    pub value: Option<V>,
    /// The headers, in the order in which they were sent. A name may come more than once.
    pub headers: Vec<Header>,
}

/// What the timestamp of a record tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TimestampType {
    /// When its sender made it.
    CreateTime,
    /// When the broker stored it.
    LogAppendTime,
}

/// A header of a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Its name.
    pub name: String,
    /// Its value, if it has one.
    pub value: Option<Vec<u8>>,
}

/// What a key or a value can be made of the bytes that Kafka has: `Vec<u8>` as they are, [`Text`] and `String` of UTF-8,
/// [`Json`] of a document, `()` where it is not needed; and types of your own.
///
/// A record whose key or value is not what it should be is put aside as a dead letter where those are on
/// (`tidemill.deadLetter.enabled`), with topic, partition and offset, and fails the batch otherwise.
///
/// # Examples
/// ```
/// use serde::{Deserialize, Serialize};
/// use tidemill::BoxError;
/// use tidemill_kafka::FromBytes;
/// #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
/// struct Celsius(f64);
/// impl FromBytes for Celsius {
///     fn from_bytes(bytes: &[u8]) -> Result<Self, BoxError> {
///         Ok(Celsius(std::str::from_utf8(bytes)?.trim_end_matches("°C").parse()?))
///     }
/// }
/// assert_eq!(Celsius::from_bytes("21.5°C".as_bytes())?, Celsius(21.5));
/// assert!(Celsius::from_bytes(b"warm").is_err());
/// # Ok::<(), BoxError>(())
/// ```
pub trait FromBytes: Data {
    /// The value.
    ///
    /// # Errors
    /// If the bytes are none. The text comes into the dead letter, after the place of the record.
    fn from_bytes(bytes: &[u8]) -> Result<Self, BoxError>;
}

impl FromBytes for Vec<u8> {
    fn from_bytes(bytes: &[u8]) -> Result<Self, BoxError> {
        Ok(bytes.to_vec())
    }
}

impl FromBytes for Text {
    fn from_bytes(bytes: &[u8]) -> Result<Self, BoxError> {
        Ok(Text::from(std::str::from_utf8(bytes)?))
    }
}

impl FromBytes for String {
    fn from_bytes(bytes: &[u8]) -> Result<Self, BoxError> {
        Ok(std::str::from_utf8(bytes)?.to_owned())
    }
}

impl FromBytes for () {
    fn from_bytes(_: &[u8]) -> Result<Self, BoxError> {
        Ok(())
    }
}

/// A JSON document as a value of `T`, in keys and values of [records](KafkaRecord).
///
/// Documents that are nested more than 128 deep are refused.
///
/// # Examples
/// ```
/// use tidemill_kafka::{FromBytes, Json};
/// assert_eq!(Json::<(u32, String)>::from_bytes(br#"[7, "seven"]"#)?, Json((7, "seven".into())));
/// assert!(Json::<(u32, String)>::from_bytes(b"[7").is_err());
/// # Ok::<(), tidemill::BoxError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Json<T>(pub T);

impl<T: Data + DeserializeOwned> FromBytes for Json<T> {
    fn from_bytes(bytes: &[u8]) -> Result<Self, BoxError> {
        Ok(Json(serde_json::from_slice(bytes)?))
    }
}
