//! What the processes of a cluster tell each other about jobs, in the encoding of the control channel.

use crate::{
    base::{Error, ErrorKind, Result, Time, error::Mark},
    rdd::{Lane, Turn},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

#[cfg(test)]
mod tests;

/// A failure that crosses to another process: what a caller can act on, and what a person reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Failure {
    kind: u8,
    message: String,
    mark: u8,
}

const MARKS: [Mark; 3] = [Mark::Running, Mark::Checkpoint, Mark::Final];

const KINDS: [ErrorKind; 6] = [
    ErrorKind::Invalid,
    ErrorKind::Unavailable,
    ErrorKind::Data,
    ErrorKind::User,
    ErrorKind::Closed,
    ErrorKind::Internal,
];

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        let kind = KINDS.iter().position(|kind| *kind == error.kind()).unwrap_or(KINDS.len() - 1);
        // 0 is for none.
        let mark = MARKS.iter().position(|mark| Some(*mark) == error.mark()).map_or(0, |mark| mark as u8 + 1);
        Self { kind: kind as u8, message: error.to_string(), mark }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let kind = KINDS.get(usize::from(failure.kind)).copied().unwrap_or(ErrorKind::Internal);
        let error = Error::new(kind, failure.message);
        let mark = usize::from(failure.mark).checked_sub(1).and_then(|mark| MARKS.get(mark));
        mark.map_or(error.clone(), |mark| error.marked(*mark))
    }
}

/// A place in the order of jobs, as it travels.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Place {
    batch_ms: Option<u64>,
    thread: String,
    sequence: u64,
}

impl From<&Turn> for Place {
    fn from(turn: &Turn) -> Self {
        let (batch_ms, thread) = match &turn.lane {
            Lane::Batch(time) => (Some(time.as_ms()), String::new()),
            Lane::Thread(name) => (None, name.clone()),
        };
        Self { batch_ms, thread, sequence: turn.sequence }
    }
}

impl From<Place> for Turn {
    fn from(place: Place) -> Self {
        let lane = match place.batch_ms {
            Some(batch_ms) => Lane::Batch(Time::from_ms(batch_ms)),
            None => Lane::Thread(place.thread),
        };
        Turn { lane, sequence: place.sequence }
    }
}

/// What is to be done at a place in the order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Step {
    /// A job: where it comes from in the program, and what it looks like.
    Job { site: String, fingerprint: u64 },
    /// The processes are to agree on an outcome.
    Agree,
}

/// From process 0 to all others.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Order {
    Step(Place, Step),
    /// The outcome that all agree on.
    Verdict(Place, Option<Failure>),
    /// For whoever listens in the rooms above.
    Note(Vec<u8>),
    /// No more orders come.
    End,
}

/// From a process to process 0: its own outcome at a place.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Report {
    pub(super) place: Place,
    pub(super) failure: Option<Failure>,
}

pub(super) fn encode(value: &impl Serialize) -> Result<Vec<u8>> {
    postcard::to_stdvec(value).map_err(|e| Error::internal("an order could not be encoded").with_source(e))
}

pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    postcard::from_bytes(bytes).map_err(|e| Error::internal("an order could not be decoded").with_source(e))
}
