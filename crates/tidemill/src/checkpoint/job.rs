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
<<<<<<< HEAD
mod tests {
    use super::*;
    use crate::base::storage::{LocalStorage, MemoryStorage};
    use std::path::Path;

    #[test]
    fn it_is_drawn_once() {
        let (one, other) = (MemoryStorage::new(), MemoryStorage::new());
        let id = job(&one).unwrap();
        assert_eq!((job(&one).unwrap(), id.len()), (id.clone(), 16));
        assert_ne!(job(&other).unwrap(), id);
        let damaged = MemoryStorage::new();
        damaged.put_if_absent(JOB, b"tidemill?").unwrap();
        assert!(job(&damaged).unwrap_err().to_string().contains("\"job\" cannot be read"));
    }

    #[test]
    fn that_of_the_first_version_is_read() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/v1");
        let kept = std::fs::read(folder.join(JOB)).unwrap();
        let copy = tempfile::tempdir().unwrap();
        std::fs::write(copy.path().join(JOB), &kept).unwrap();
        let id = job(&LocalStorage::create(copy.path()).unwrap()).unwrap();
        assert_eq!(id, "00c0ffee00c0ffee");
        assert_eq!(envelope::seal(Kind::Job, &id).unwrap(), kept, "what is written today is another format");
    }
}
=======
mod tests;
>>>>>>> kafka
