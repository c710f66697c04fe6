//! What travels between workers: records of a shuffle, or the result of a partition.

use super::order::Failure;
use crate::{
    base::Error,
    rdd::{Payload, Updates},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Visitor};
use std::fmt;

/// Something for one worker.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Envelope {
    /// Index of the worker that is to open it.
    pub(super) worker: usize,
    pub(super) content: Content,
}

#[derive(Clone, Serialize, Deserialize)]
pub(super) enum Content {
    /// Records of a shuffle, from a map partition to a reduce partition.
    Records { source: usize, target: usize, body: Body },
    /// The result of the partition at this position of the result stage.
    Result { position: usize, body: Body },
    /// Updates of accumulators by the task with this index in the queue of its stage, which succeeded.
    Updates { index: usize, updates: Updates },
    /// Something failed, at this place of the job.
    Failure { at: FailedAt, failure: Failure },
}

/// Where in a job something failed; of several failures the smallest is the job's, so that all processes agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct FailedAt {
    pub(super) stage: usize,
    pub(super) index: usize,
    pub(super) process: usize,
}

/// A payload: as it is within a process, as bytes across.
#[derive(Clone)]
pub(super) enum Body {
    Local(Payload),
    Bytes(Vec<u8>),
}

impl Serialize for Body {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            // In one piece: a plain `Vec<u8>` would go byte by byte.
            Body::Bytes(bytes) => serializer.serialize_bytes(bytes),
            Body::Local(_) => Err(serde::ser::Error::custom("a local payload was sent to another process")),
        }
    }
}

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_byte_buf(BytesVisitor).map(Body::Bytes)
    }
}

struct BytesVisitor;

impl Visitor<'_> for BytesVisitor {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the bytes of a payload")
    }
    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
        Ok(bytes.to_vec())
    }
    fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
        Ok(bytes)
    }
}

impl Body {
    pub(super) fn open(self, decode: fn(&[u8]) -> Result<Payload, Error>) -> Result<Payload, Error> {
        match self {
            Body::Local(payload) => Ok(payload),
            Body::Bytes(bytes) => decode(&bytes),
        }
    }
}
