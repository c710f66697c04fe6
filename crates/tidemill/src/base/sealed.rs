//! The envelope of a durable file: what it is, its version, its length and a checksum, and then what is in it.

use super::{Error, Result};

/// What a kind of file begins with.
pub(crate) type Magic = [u8; 4];

const HEADER_BYTES: usize = 4 + 1 + 8 + 4;

/// The bytes of a file.
pub(crate) fn seal(magic: Magic, version: u8, body: &[u8]) -> Vec<u8> {
    let mut file = Vec::with_capacity(HEADER_BYTES + body.len());
    file.extend(magic);
    file.push(version);
    file.extend((body.len() as u64).to_le_bytes());
    file.extend(crc32fast::hash(body).to_le_bytes());
    file.extend(body);
    file
}

/// Version and body of a file.
///
/// # Errors
/// Data, naming the file, if it is another kind of file or damaged.
pub(crate) fn open<'a>(magic: Magic, name: &str, file: &'a [u8]) -> Result<(u8, &'a [u8])> {
    let damaged = |what: &str| Error::data(format!("the file \"{name}\" is damaged: {what}"));
    let (header, body) = file.split_at_checked(HEADER_BYTES).ok_or_else(|| damaged("it is too short"))?;
    if header[..4] != magic {
        return Err(damaged("it does not begin as it should"));
    }
    let field = |range: std::ops::Range<usize>| {
        header[range].iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
    };
    if field(5..13) != body.len() as u64 {
        return Err(damaged("it is shorter or longer than it says"));
    }
    if field(13..17) != u64::from(crc32fast::hash(body)) {
        return Err(damaged("its checksum does not fit"));
    }
    Ok((header[4], body))
}

#[cfg(test)]
mod tests;
