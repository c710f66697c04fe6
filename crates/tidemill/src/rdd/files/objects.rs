//! Records in object files: each payload is a chunk of them, in postcard.

use crate::{
    base::files::{
        PartWriter,
        objects::{ObjectReader, ObjectWriter},
    },
    base::{Data, Result},
    rdd::spill::{decode, encode},
};
use std::path::PathBuf;

/// Writes the chunks of a partition as one object file.
pub(in crate::rdd) fn write<T: Data>(
    parts: &PartWriter,
    partition: usize,
    chunks: impl Iterator<Item = Vec<T>>,
) -> Result<()> {
    let mut writer = ObjectWriter::new(parts.part(partition)?)?;
    for chunk in chunks {
        writer.write(&encode(&chunk)?)?;
    }
    writer.commit()
}

/// The chunks of an object file.
pub(in crate::rdd) fn read<T: Data>(path: PathBuf) -> Result<impl Iterator<Item = Result<Vec<T>>> + use<T>> {
    let mut reader = ObjectReader::open(path)?;
    Ok(std::iter::from_fn(move || {
        let payload = reader.next_payload().transpose()?;
        Some(payload.and_then(|payload| decode(&payload, reader.path())))
    }))
}
