//! At least once: records go out as they come, and a batch is sealed when all are delivered.

use super::{place::Place, producer::Producer};
use crate::lock::lock;
use std::sync::{Arc, Mutex, MutexGuard};
use tidemill::Result;

/// A producer without transactions, made anew after whatever went wrong.
#[derive(Debug)]
pub(super) struct Plain {
    place: Place,
    producer: Mutex<Option<Arc<Producer>>>,
}

impl Plain {
    pub(super) fn new(place: Place) -> Self {
        Self { place, producer: Mutex::default() }
    }

    fn kept(&self) -> MutexGuard<'_, Option<Arc<Producer>>> {
        lock(&self.producer)
    }

    pub(super) fn producer(&self) -> Result<Arc<Producer>> {
        let mut kept = self.kept();
        if let Some(producer) = &*kept {
            return Ok(producer.clone());
        }
        let made = Arc::new(Producer::new(&self.place.settings, &self.place.topic, &[], self.place.log())?);
        *kept = Some(made.clone());
        Ok(made)
    }

    /// Something was not taken: what comes next has a new producer.
    pub(super) fn give_up(&self) {
        *self.kept() = None;
    }

    /// Waits until all is delivered.
    pub(super) fn flush(&self) -> Result<()> {
        let Some(producer) = self.kept().clone() else { return Ok(()) };
        producer.flush().inspect_err(|_| self.give_up())
    }
}
