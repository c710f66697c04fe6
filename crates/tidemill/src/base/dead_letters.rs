//! Dead letters: records that were put aside because they could not be processed, and how they are read again.
//!
//! With `tidemill.deadLetter.enabled` a record on which a function fails, or that a sink rejects, leaves the stream and
//! is kept in the checkpoint with what is known of it. The files that a batch wrote count once the batch is done; they
//! stay until they are removed.

use super::{
    Error, Result, Time,
    envelope::Envelope,
    storage::{Storage, StorageRef},
};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// A record that was put aside.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DeadLetter {
    /// The batch that put it aside.
    pub batch_time: Time,
    /// The operation that failed, and where in the program it stands.
    pub operator: String,
    /// The partition of the operator's input.
    pub partition: u64,
    /// Which record of that partition it is, from 1.
    pub record: u64,
    /// Where the record comes from: the path of a file, or the operation of the input. `None` after a shuffle.
    pub source: Option<String>,
    /// Which record of the source it is, from 1: the line of a text file. If it is not [exact](Self::exact), the last one
    /// that was read when the record failed.
    pub offset: Option<u64>,
    /// Whether `offset` is exactly this record: nothing but functions that make one record of each lies in between.
    pub exact: bool,
    /// What went wrong, with all that caused it.
    pub error: String,
    /// The record in the encoding of tidemill (postcard), as much of it as is kept.
    #[serde(with = "serde_bytes")]
    pub bytes: Vec<u8>,
    /// How many bytes the whole record has.
    pub record_bytes: u64,
    /// The record as text, if it is one or can be shown as one word; as much of it as is kept.
    pub text: Option<String>,
}

impl DeadLetter {
    /// What to feed to the program again: the text, or else the bytes of the record.
    ///
    /// # Examples
    /// ```
    /// use tidemill::dead_letters::DeadLetter;
    /// let mut letter = DeadLetter::default();
    /// letter.text = Some("no number".into());
    /// assert_eq!(letter.payload(), b"no number".as_slice());
    /// ```
    pub fn payload(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(self.text.as_ref().map_or(&self.bytes, |text| text.as_bytes()))
    }

    /// Whether all of the record was kept.
    ///
    /// # Examples
    /// ```
    /// assert!(tidemill::dead_letters::DeadLetter::default().is_whole());
    /// ```
    pub fn is_whole(&self) -> bool {
        self.bytes.len() as u64 == self.record_bytes
    }
}

/// The form of a file of dead letters.
const FORM: Envelope = Envelope { magic: *b"TMDL", version: 1 };

/// Where in a checkpoint they are.
const FOLDER: &str = "dead-letters";

/// The letters in a file of a checkpoint.
///
/// # Errors
/// Unavailable if it cannot be read; Data, naming the file, if it is missing, damaged or of a newer version.
///
/// # Examples
/// ```
/// use std::sync::Arc;
/// use tidemill::{base::storage::{MemoryStorage, StorageRef}, dead_letters};
/// let checkpoint: StorageRef = Arc::new(MemoryStorage::new());
/// let error = dead_letters::read(&checkpoint, "dead-letters/1-1000-0-0").expect_err("there is none");
/// assert!(error.to_string().contains("is missing"));
/// ```
pub fn read(storage: &StorageRef, name: &str) -> Result<Vec<DeadLetter>> {
    let missing = || Error::data(format!("the file \"{name}\" of dead letters is missing in \"{}\"", storage.url()));
    let file = storage.get(name)?.ok_or_else(missing)?;
    let body = FORM.open(&file).map_err(|error| error.context(format_args!("the file \"{name}\" of dead letters")))?;
    postcard::from_bytes(body)
        .map_err(|error| Error::data(format!("the file \"{name}\" of dead letters cannot be read")).with_source(error))
}

/// Stores letters in a file of their own, and returns its name. What was stored before is found again.
pub(crate) fn store(
    storage: &dyn Storage,
    epoch: u64,
    process: usize,
    time: Time,
    letters: &[DeadLetter],
) -> Result<String> {
    let body = postcard::to_stdvec(letters)
        .map_err(|error| Error::internal("dead letters could not be encoded").with_source(error))?;
    let file = FORM.close(&body);
    for attempt in 0_u32.. {
        let name = format!("{FOLDER}/{epoch}-{}-{process}-{attempt}", time.as_ms());
        let stored = storage.put_if_absent(&name, &file)?;
        // A try that was not answered may have stored it all the same.
        if stored == super::storage::Put::Stored || storage.get(&name)?.as_ref() == Some(&file) {
            return Ok(name);
        }
    }
    Err(Error::internal("there is no free name for a file of dead letters"))
}

#[cfg(test)]
mod tests;
