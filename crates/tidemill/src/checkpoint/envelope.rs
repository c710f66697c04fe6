//! What every file of a checkpoint is wrapped in: magic, version of the format, kind, length and checksum.
//!
//! The wrapping itself is the same in all versions, so that a file of a newer version is told from a damaged one.

use crate::base::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;

const MAGIC: [u8; 8] = *b"tidemill";

/// The version of the format that is written; older ones are read too.
pub(crate) const VERSION: u8 = 1;

/// Magic, version, kind, length of the body, checksum of all that follows the magic.
const HEADER_BYTES: usize = 8 + 1 + 1 + 8 + 4;
const CHECKSUM_AT: usize = HEADER_BYTES - 4;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Log = 1,
    State = 2,
    Inputs = 3,
    Job = 4,
}

/// Why a file cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// Another program wrote it.
    Foreign,
    /// A later tidemill wrote it, in this version of the format.
    Newer(u8),
    /// It is not as it was written.
    Damaged(&'static str),
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unreadable::Foreign => f.write_str("it is no file of tidemill's"),
            Unreadable::Newer(version) => {
                write!(f, "a newer tidemill wrote it: its format is {version}, and {VERSION} is the newest known here")
            }
            Unreadable::Damaged(why) => write!(f, "it is damaged: {why}"),
        }
    }
}

fn checksum(bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&bytes[MAGIC.len()..CHECKSUM_AT]);
    hasher.update(&bytes[HEADER_BYTES..]);
    hasher.finalize()
}

/// The bytes of a file.
pub(crate) fn seal(kind: Kind, body: &impl Serialize) -> Result<Vec<u8>> {
    sealed(VERSION, kind, body)
}

pub(super) fn sealed(version: u8, kind: Kind, body: &impl Serialize) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES + 256);
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&[version, kind as u8]);
    bytes.resize(HEADER_BYTES, 0);
    let mut bytes = postcard::to_extend(body, bytes)
        .map_err(|error| Error::internal("a file of the checkpoint could not be encoded").with_source(error))?;
    let body_bytes = (bytes.len() - HEADER_BYTES) as u64;
    bytes[MAGIC.len() + 2..CHECKSUM_AT].copy_from_slice(&body_bytes.to_le_bytes());
    let checksum = checksum(&bytes).to_le_bytes();
    bytes[CHECKSUM_AT..HEADER_BYTES].copy_from_slice(&checksum);
    Ok(bytes)
}

/// The body of a file of any kind, if all of it is as it was written.
fn body(bytes: &[u8]) -> Result<(u8, &[u8]), Unreadable> {
    let magic = &bytes[..bytes.len().min(MAGIC.len())];
    if !MAGIC.starts_with(magic) {
        return Err(Unreadable::Foreign);
    }
    if bytes.len() < HEADER_BYTES {
        return Err(Unreadable::Damaged("it is cut short"));
    }
    let number = |at: usize| bytes[at..].first_chunk().copied().unwrap_or_default();
    let body_bytes = u64::from_le_bytes(number(MAGIC.len() + 2));
    match (bytes.len() as u64 - HEADER_BYTES as u64).cmp(&body_bytes) {
        std::cmp::Ordering::Less => return Err(Unreadable::Damaged("it is cut short")),
        std::cmp::Ordering::Greater => return Err(Unreadable::Damaged("it is longer than it says")),
        std::cmp::Ordering::Equal => {}
    }
    let told = bytes[CHECKSUM_AT..].first_chunk().copied().unwrap_or_default();
    if checksum(bytes) != u32::from_le_bytes(told) {
        return Err(Unreadable::Damaged("its checksum is wrong"));
    }
    let (version, kind) = (bytes[MAGIC.len()], bytes[MAGIC.len() + 1]);
    match version {
        0 => Err(Unreadable::Damaged("its version is 0")),
        VERSION => Ok((kind, &bytes[HEADER_BYTES..])),
        newer => Err(Unreadable::Newer(newer)),
    }
}

/// Whether the bytes are those of a whole file of this kind; what is in it is not decoded.
pub(crate) fn verify(kind: Kind, bytes: &[u8]) -> Result<&[u8], Unreadable> {
    let (found, body) = body(bytes)?;
    if found == kind as u8 { Ok(body) } else { Err(Unreadable::Damaged("it is a file of another kind")) }
}

/// What is in a file.
pub(crate) fn unseal<'a, T: Deserialize<'a>>(kind: Kind, bytes: &'a [u8]) -> Result<T, Unreadable> {
    match postcard::take_from_bytes(verify(kind, bytes)?) {
        Ok((value, [])) => Ok(value),
        _ => Err(Unreadable::Damaged("its content cannot be decoded")),
    }
}

#[cfg(test)]
mod tests;
