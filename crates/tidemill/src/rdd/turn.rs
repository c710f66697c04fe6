//! On several processes: the place of a job in the order that all of them keep.
//!
//! Within one thread of the driver, or one batch, jobs follow one another in every process alike; that is a *lane*.
//! Between lanes process 0 decides.

use super::task::JobScope;
use crate::base::{Error, Result, Time};
use std::fmt;

/// Jobs that come one after another, in the same order in every process.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Lane {
    /// Those of one batch.
    Batch(Time),
    /// Those of one thread of the program, by its name.
    Thread(String),
}

impl Lane {
    /// The lane of the jobs that this thread starts.
    pub(crate) fn of(scope: JobScope) -> Result<Self> {
        if let Some(time) = scope.batch_time {
            return Ok(Lane::Batch(time));
        }
        match std::thread::current().name() {
            Some(name) => Ok(Lane::Thread(name.to_owned())),
            None => Err(Error::invalid(
                "an action was called on a thread without a name, and the program runs on several processes; start the \
                 thread with std::thread::Builder and a name, so that the processes can tell whose job it is",
            )),
        }
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lane::Batch(time) => write!(f, "the batch of {time}"),
            Lane::Thread(name) => write!(f, "the thread \"{name}\""),
        }
    }
}

/// A job's place: which one of its lane it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Turn {
    pub(crate) lane: Lane,
    pub(crate) sequence: u64,
}
