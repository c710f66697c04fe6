//! From a message of librdkafka to a record: the one copy that is made of it.

use super::{FromBytes, Header, KafkaRecord, TimestampType};
use rdkafka::{
    Message, Timestamp,
    message::{Header as Borrowed, Headers},
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};
use tidemill::{BoxError, Time};

/// The record, or why it is none; a message with a value of more than `max_bytes` is none.
pub(crate) fn decode<K: FromBytes, V: FromBytes>(
    message: &impl Message,
    topic: &Arc<str>,
    max_bytes: usize,
) -> Result<KafkaRecord<K, V>, BoxError> {
    let (key, value) = (message.key(), message.payload());
    let bytes = key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len);
    if bytes > max_bytes {
        let allowed = tidemill::keys::KAFKA_MAX_RECORD_BYTES;
        let allowed = allowed.name();
        return Err(format!("it has {bytes} bytes, and \"{allowed}\" allows {max_bytes}").into());
    }
    let (timestamp, timestamp_type) = match message.timestamp() {
        Timestamp::LogAppendTime(ms) => (time(ms), TimestampType::LogAppendTime),
        Timestamp::CreateTime(ms) => (time(ms), TimestampType::CreateTime),
        Timestamp::NotAvailable => (None, TimestampType::CreateTime),
    };
    Ok(KafkaRecord {
        topic: topic.clone(),
        partition: message.partition(),
        offset: message.offset(),
        timestamp,
        timestamp_type,
        key: key.map(K::from_bytes).transpose().map_err(|error| format!("its key cannot be used: {error}"))?,
        value: value.map(V::from_bytes).transpose().map_err(|error| format!("its value cannot be used: {error}"))?,
        headers: headers(message)?,
    })
}

fn time(ms: i64) -> Option<Time> {
    u64::try_from(ms).ok().map(Time::from_ms)
}

fn headers(message: &impl Message) -> Result<Vec<Header>, BoxError> {
    let Some(headers) = message.headers() else { return Ok(Vec::new()) };
    let owned = |Borrowed { key, value }: Borrowed<'_, &[u8]>| Header {
        name: key.to_owned(),
        value: value.map(<[u8]>::to_vec),
    };
    // The library panics on a name that is not UTF-8.
    catch_unwind(AssertUnwindSafe(|| headers.iter().map(owned).collect()))
        .map_err(|_| "the name of a header is not UTF-8".into())
}
