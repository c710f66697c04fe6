//! Which groups the streams of this process commit to: each has one of its own, or they would undo each other's offsets.

use crate::lock::lock;
use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard},
};
use tidemill::{Error, Result};

static CLAIMED: Mutex<BTreeSet<(String, String)>> = Mutex::new(BTreeSet::new());

fn claimed() -> MutexGuard<'static, BTreeSet<(String, String)>> {
    lock(&CLAIMED)
}

/// A group that is a stream's alone until this is dropped.
#[derive(Debug)]
pub(super) struct GroupClaim((String, String));

impl GroupClaim {
    /// # Errors
    /// Invalid, if another stream has the group.
    pub(super) fn new(brokers: &str, group_id: &str) -> Result<Self> {
        let group = (brokers.to_owned(), group_id.to_owned());
        if claimed().insert(group.clone()) {
            return Ok(Self(group));
        }
        Err(Error::invalid(format!(
            "two Kafka streams have the group \"{group_id}\", and would undo each other's offsets; give each a group_id of its own"
        )))
    }
}

impl Drop for GroupClaim {
    fn drop(&mut self) {
        claimed().remove(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_one_streams_at_a_time() {
        let claim = GroupClaim::new("b:1", "a group").expect("it is free");
        assert!(GroupClaim::new("b:1", "a group").is_err() && GroupClaim::new("b:2", "a group").is_ok());
        drop(claim);
        assert!(GroupClaim::new("b:1", "a group").is_ok());
    }
}
