//! What is remembered of a program: plain values, as they stand in the log.

use crate::base::{Error, Result, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What one batch reads of one input: a plain value, enough to read it again.
///
/// # Examples
/// ```
/// use tidemill::io::Slice;
/// let slice = Slice::of(&("clicks", 10, 30), 20)?.with_metadata("Description", "clicks from 10 until 30");
/// let (topic, from, until): (&str, i64, i64) = slice.decode()?;
/// assert_eq!((topic, until - from, slice.records()), ("clicks", 20, 20));
/// # Ok::<(), tidemill::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slice {
    /// In the encoding of the input that picked it.
    #[serde(with = "serde_bytes")]
    pub(crate) bytes: Vec<u8>,
    /// How many records it has, where that is known before it is read.
    pub(crate) records: u64,
    /// What to show of it: file names, offset ranges.
    pub(crate) metadata: BTreeMap<String, String>,
}

impl Slice {
    /// The slice that `value` describes, with so many records; 0 where that is not known before it is read. Backpressure
    /// goes by the number, and leaves an input alone that says 0.
    ///
    /// # Errors
    /// Internal, if the value cannot be encoded.
    pub fn of(value: &impl Serialize, records: u64) -> Result<Self> {
        let bytes = postcard::to_stdvec(value)
            .map_err(|error| Error::internal("an input slice could not be encoded").with_source(error))?;
        Ok(Self { bytes, records, metadata: BTreeMap::new() })
    }

    /// The same with something to show of it to people, in [`StreamInputInfo`](crate::StreamInputInfo): `Description` is
    /// what Spark shows.
    #[must_use]
    pub fn with_metadata(mut self, name: impl Into<String>, text: impl Into<String>) -> Self {
        self.metadata.insert(name.into(), text.into());
        self
    }

    /// The value that it was made of.
    ///
    /// # Errors
    /// Internal, if it was made of another type.
    pub fn decode<'a, V: Deserialize<'a>>(&'a self) -> Result<V> {
        postcard::from_bytes(&self.bytes)
            .map_err(|error| Error::internal("an input slice could not be decoded").with_source(error))
    }

    /// How many records it has, where that is known before it is read.
    pub fn records(&self) -> u64 {
        self.records
    }
}

/// What a batch reads, by the uid of the input.
pub(crate) type Slices = BTreeMap<String, Slice>;

/// One part of a program that has something to remember.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Part {
    /// Stable from one version of the program to the next: given by the user, or made of the operation and its position.
    pub(crate) uid: String,
    pub(crate) uid_is_derived: bool,
    /// The operation and where in the program it stands; for people.
    pub(crate) site: String,
    /// What it keeps, as far as types tell: another text means that what is kept cannot be read.
    pub(crate) types: String,
}

/// The shape of a program: what a restart compares.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Program {
    pub(crate) name: String,
    pub(crate) batch_ms: u64,
    pub(crate) inputs: Vec<Part>,
    pub(crate) operators: Vec<Part>,
    pub(crate) outputs: Vec<Part>,
}

/// A batch that was given what it reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Picked {
    pub(crate) time: Time,
    pub(crate) slices: Slices,
}

/// What a batch changed, and what its sinks and inputs want to be told again after a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Commit {
    pub(crate) time: Time,
    /// Changes of state: what each process contributed.
    pub(crate) state: Vec<StateSource>,
    /// By the uid of the output: what its sink prepared for this batch.
    pub(crate) sinks: BTreeMap<String, Vec<u8>>,
    /// The files of records that were put aside in this batch, one for each process that has any.
    pub(crate) dead_letters: Vec<String>,
    /// How many they are.
    pub(crate) dead_letter_count: u64,
}

/// What a restart goes on from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Recovered {
    /// The shape of the program that wrote the log; `None` if there is no log yet.
    pub(crate) program: Option<Program>,
    /// The start that the run began with.
    pub(crate) first_epoch: u64,
    /// The instant before the first batch of the run.
    pub(crate) zero: Time,
    /// The last batch that is done.
    pub(crate) last_done: Option<Time>,
    /// Batches that were picked and are not done, in the order of their times: they run again, with the same slices.
    pub(crate) unfinished: Vec<Picked>,
    /// Batches that failed for good while later ones were done: they are not run any more.
    pub(crate) passed_over: Vec<Time>,
    /// The newest memory of each input, and what was picked since (done or not), in order.
    pub(crate) inputs: BTreeMap<String, Vec<u8>>,
    pub(crate) picked_since: Vec<Picked>,
    /// What each sink prepared last, with the time of that batch.
    pub(crate) sinks: BTreeMap<String, (Time, Vec<u8>)>,
    /// Changes of state, the oldest first: those in a file by its name, small ones as they stood in the log.
    pub(crate) state: Vec<StateSource>,
    /// How many records were put aside in all.
    pub(crate) dead_letter_count: u64,
    /// What was found damaged, for people; it was left out.
    pub(crate) warnings: Vec<String>,
}

/// Where a [`StateDelta`](super::StateDelta) stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum StateSource {
    /// In a file of its own, with its length.
    File {
        name: String,
        bytes: u64,
    },
    Inline(#[serde(with = "serde_bytes")] Vec<u8>),
}
