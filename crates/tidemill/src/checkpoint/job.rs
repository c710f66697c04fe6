//! Which program a checkpoint is of: an id that it has from its first start on, for outside systems that must tell one
//! program's writes from another's.

use super::{
    envelope::{self, Kind},
    facts::unusable,
    open::nonce,
};
use crate::base::{
    Result,
    storage::{Put, Storage},
};

/// Where it is kept.
pub(crate) const JOB: &str = "job";

/// The id of the program whose checkpoint this is; the first who asks draws it.
///
/// # Errors
/// Unavailable if it cannot be read or stored; Data if what is there cannot be read.
pub(crate) fn job(storage: &dyn Storage) -> Result<String> {
    loop {
        if let Some(bytes) = storage.get(JOB)? {
            return envelope::unseal(Kind::Job, &bytes)
                .map_err(|why| unusable(&format!("\"{JOB}\" cannot be read, for {why}")));
        }
        let id = format!("{:016x}", nonce());
        if storage.put_if_absent(JOB, &envelope::seal(Kind::Job, &id)?)? == Put::Stored {
            return Ok(id);
        }
    }
}

#[cfg(test)]
mod tests;
