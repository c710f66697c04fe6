//! What a record of a stream becomes in Kafka.

use std::borrow::Cow;
use tidemill::Text;

/// What a record needs on the wire beyond its bytes, and each header, at the most.
const OVERHEAD_BYTES: usize = 128;
const HEADER_OVERHEAD_BYTES: usize = 16;

/// Bytes of a key, a value or a header: borrowed from the record where they are in it, or made of it.
///
/// # Examples
/// ```
/// use tidemill_kafka::Payload;
/// let (borrowed, made): (Payload<'_>, Payload<'_>) = ("tide".into(), format!("{}", 7).into());
/// assert_eq!((&*borrowed, &*made), (b"tide".as_slice(), b"7".as_slice()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Payload<'a>(Cow<'a, [u8]>);

impl std::ops::Deref for Payload<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

macro_rules! payload_from {
    ($($from:ty, $value:ident => $cow:expr);* $(;)?) => {
        $(impl<'a> From<$from> for Payload<'a> {
            fn from($value: $from) -> Self {
                Self($cow)
            }
        })*
    };
}

payload_from! {
    &'a [u8], bytes => Cow::Borrowed(bytes);
    &'a Vec<u8>, bytes => Cow::Borrowed(bytes);
    Vec<u8>, bytes => Cow::Owned(bytes);
    &'a str, text => Cow::Borrowed(text.as_bytes());
    &'a String, text => Cow::Borrowed(text.as_bytes());
    String, text => Cow::Owned(text.into_bytes());
    &'a Text, text => Cow::Borrowed(text.as_bytes());
}

/// A record on its way to Kafka: a value, and what else is said about it.
///
/// # Examples
/// ```
/// use tidemill_kafka::ProducerRecord;
/// let record = ProducerRecord::new("{\"amount\":12}").key("card-7").header("source", "till");
/// assert_eq!(record.key_bytes(), Some(b"card-7".as_slice()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProducerRecord<'a> {
    pub(super) topic: Option<Cow<'a, str>>,
    pub(super) partition: Option<i32>,
    pub(super) timestamp_ms: Option<i64>,
    pub(super) key: Option<Payload<'a>>,
    pub(super) value: Option<Payload<'a>>,
    pub(super) headers: Vec<(Cow<'a, str>, Payload<'a>)>,
}

impl<'a> ProducerRecord<'a> {
    fn empty() -> Self {
        Self { topic: None, partition: None, timestamp_ms: None, key: None, value: None, headers: Vec::new() }
    }

    /// A record with this value, without a key.
    pub fn new(value: impl Into<Payload<'a>>) -> Self {
        Self { value: Some(value.into()), ..Self::empty() }
    }

    /// A record of a key without a value: a compacted topic forgets the key.
    ///
    /// # Examples
    /// ```
    /// use tidemill_kafka::ProducerRecord;
    /// assert_eq!(ProducerRecord::tombstone("card-7").value_bytes(), None);
    /// ```
    pub fn tombstone(key: impl Into<Payload<'a>>) -> Self {
        Self::empty().key(key)
    }

    /// The same with a key, which decides the partition unless that is [given](Self::partition).
    #[must_use]
    pub fn key(mut self, key: impl Into<Payload<'a>>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// The same with a header more.
    #[must_use]
    pub fn header(mut self, name: impl Into<Cow<'a, str>>, value: impl Into<Payload<'a>>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The same for another topic than that of the sink.
    #[must_use]
    pub fn topic(mut self, topic: impl Into<Cow<'a, str>>) -> Self {
        self.topic = Some(topic.into());
        self
    }

    /// The same for this partition of the topic, from 0.
    #[must_use]
    pub fn partition(mut self, partition: i32) -> Self {
        self.partition = Some(partition);
        self
    }

    /// The same with a time in ms since 1970; otherwise it is when the record is handed to Kafka.
    #[must_use]
    pub fn timestamp_ms(mut self, timestamp_ms: i64) -> Self {
        self.timestamp_ms = Some(timestamp_ms);
        self
    }

    /// The key, if there is one.
    pub fn key_bytes(&self) -> Option<&[u8]> {
        self.key.as_deref()
    }

    /// The value, unless the record is a tombstone.
    pub fn value_bytes(&self) -> Option<&[u8]> {
        self.value.as_deref()
    }

    /// How much room it takes in a request, at the most.
    pub(super) fn wire_bytes(&self) -> usize {
        let bytes = |payload: &Option<Payload<'_>>| payload.as_ref().map_or(0, |payload| payload.len());
        let headers = self.headers.iter().map(|(name, value)| HEADER_OVERHEAD_BYTES + name.len() + value.len());
        OVERHEAD_BYTES + bytes(&self.key) + bytes(&self.value) + headers.sum::<usize>()
    }
}
