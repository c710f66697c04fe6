//! A place that is looked into: it has to be there, and nothing is made by looking.

use crate::Failure;
use tidemill::{
    base::storage::{self, StorageRef},
    checkpoint::Inspection,
};

/// The storage of a checkpoint, and what is in it.
pub(crate) fn look(place: &str) -> Result<(StorageRef, Inspection), Failure> {
    let storage = storage::open_existing(place)?;
    let found = Inspection::of(&storage)?;
    if found.is_empty() {
        let url = storage.url();
        return Err(Failure::new(1, format!("there is no checkpoint in \"{url}\"; give the directory of one")));
    }
    Ok((storage, found))
}
