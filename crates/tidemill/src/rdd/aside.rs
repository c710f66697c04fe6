//! Records that are put aside: what a task cannot process leaves the stream and is kept as a dead letter.
//!
//! A task finds its letters through its thread. They are handed to its job if it succeeds, and to the batch if the job
//! succeeds, so what failed leaves none; and they are told apart by operator and record, so what is computed twice leaves
//! them once. What is made permanent, and when, is the scheduler's.

mod batch;
mod encode;
mod offsets;
mod origin;

pub(crate) use batch::{BatchLetters, Batches, JobLetters, Letters, Limits, Place, over_budget};
use offsets::Offsets;
pub(crate) use origin::Origin;

use super::{
    node::{ErasedRdd, Site},
    task::BoxError,
};
use crate::base::{
    Error, Result,
    dead_letters::DeadLetter,
    error::{Mark, Told},
};
use serde::Serialize;
use std::{cell::RefCell, collections::HashMap, sync::Arc};

thread_local! {
    static TASK: RefCell<Option<TaskLetters>> = const { RefCell::new(None) };
}

/// Where in an operator a task is.
#[derive(Clone, Copy)]
struct At {
    operator: u64,
    site: Site,
    partition: usize,
    record: u64,
    /// How many letters were put aside there by [`put_aside`].
    letters: u32,
}

/// What the task of this thread has put aside.
struct TaskLetters {
    batch: Arc<BatchLetters>,
    found: Letters,
    at: Option<At>,
    /// How many records of each source were read.
    read: HashMap<(u64, usize), u64>,
    /// Where in each source its records are, of the sources that tell.
    offsets: HashMap<(u64, usize), Offsets>,
    /// Whether what is put aside is kept; another process keeps it otherwise.
    keeps: bool,
}

impl TaskLetters {
    fn add(&mut self, place: Place, letter: DeadLetter) -> Result<()> {
        if !self.keeps || self.found.contains_key(&place) {
            return Ok(());
        }
        self.batch.check_room(&self.found, &place, &letter)?;
        self.found.insert(place, letter);
        Ok(())
    }

    /// A letter of what is known here.
    fn letter(&self, operator: Site, place: &Place, error: String) -> DeadLetter {
        let mut letter = DeadLetter::default();
        (letter.batch_time, letter.partition, letter.record) =
            (self.batch.time(), place.partition as u64, place.record);
        (letter.operator, letter.error) = (operator.to_string(), error);
        letter
    }
}

fn with<R>(f: impl FnOnce(&mut TaskLetters) -> R) -> Option<R> {
    TASK.with_borrow_mut(|task| task.as_mut().map(f))
}

/// A task that may put records aside begins on this thread.
pub(crate) fn begin(batch: &Arc<BatchLetters>) {
    let batch = batch.clone();
    let (read, offsets) = (HashMap::new(), HashMap::new());
    TASK.set(Some(TaskLetters { batch, found: Letters::new(), at: None, read, offsets, keeps: true }));
}

/// It ends; what it put aside.
pub(crate) fn end() -> Letters {
    TASK.take().map(|task| task.found).unwrap_or_default()
}

/// Runs a function of the driver that may put records aside, and keeps what it did if it succeeds.
pub(crate) fn driving(
    batch: &Arc<BatchLetters>,
    operator: u64,
    site: Site,
    keeps: bool,
    f: impl FnOnce() -> Result<()>,
) -> Result<()> {
    struct End;
    impl Drop for End {
        fn drop(&mut self) {
            end();
        }
    }
    let _end = End;
    begin(batch);
    with(|task| (task.keeps, task.at) = (keeps, Some(At { operator, site, partition: 0, record: 0, letters: 0 })));
    f()?;
    batch.keep(end());
    Ok(())
}

/// The task has come to this record of a partition of an operator, which it may compute several of.
pub(crate) fn at(operator: u64, site: Site, partition: usize, record: u64) {
    with(|task| task.at = Some(At { operator, site, partition, record, letters: 0 }));
}

/// The task has read so many more records of a source.
pub(crate) fn read(source: u64, partition: usize, records: usize) {
    with(|task| *task.read.entry((source, partition)).or_default() += records as u64);
}

/// The task has read records at these places of a source.
pub(crate) fn read_at(source: u64, partition: usize, offsets: impl Iterator<Item = u64>) {
    with(|task| task.offsets.entry((source, partition)).or_default().extend(offsets));
}

/// What the task has put aside while `f` ran, beside what `f` returned.
pub(crate) fn noted<R>(f: impl FnOnce() -> R) -> (R, Letters) {
    let before = with(|task| std::mem::take(&mut task.found)).unwrap_or_default();
    let value = f();
    let found = with(|task| {
        let found = task.found.clone();
        task.found.extend(before);
        found
    });
    (value, found.unwrap_or_default())
}

/// The task reads what an earlier one computed, which put these aside in the same batch.
pub(crate) fn repeat(letters: &Letters) -> Result<()> {
    let add = |task: &mut TaskLetters| {
        let time = task.batch.time();
        let of_batch = letters.iter().filter(|(_, letter)| letter.batch_time == time);
        of_batch.map(|(place, letter)| (*place, letter.clone())).try_for_each(|(place, letter)| task.add(place, letter))
    };
    with(add).unwrap_or(Ok(()))
}

/// The text of an error of the user's, with what caused it.
fn told(error: &BoxError) -> String {
    Told(&**error).to_string()
}

/// Puts aside the record number `record` of a partition, on which an operator failed.
///
/// # Errors
/// If the batch has put aside too many; or the error itself, if it is one that no record is to blame for.
pub(super) fn reject<T: Serialize>(
    operator: &dyn ErasedRdd,
    partition: usize,
    record: u64,
    value: &T,
    error: BoxError,
) -> Result<()> {
    let error = match error.downcast::<Error>() {
        Ok(error) if error.mark().is_some() => return Err(*error),
        Ok(error) => error as BoxError,
        Err(error) => error,
    };
    let Some(batch) = with(|task| task.batch.clone()) else {
        return Err(Error::internal("a record was to be put aside by a task that cannot"));
    };
    let content = encode::Content::of(value, batch.limits().max_record_bytes);
    let origin = operator.origin_of_input(partition);
    let put = |task: &mut TaskLetters| {
        let place = Place { operator: operator.id(), partition, record, nth: 0 };
        let mut letter = task.letter(operator.site(), &place, told(&error));
        content.write_to(&mut letter);
        if let Some(origin) = origin {
            let offsets = task.offsets.get(&origin.read_by);
            origin.write_to(&mut letter, &task.found, &task.read, offsets);
        }
        task.add(place, letter)
    };
    with(put).unwrap_or(Ok(()))
}

/// Puts a record aside as a dead letter, if `tidemill.deadLetter.enabled` says so; for sinks and functions of your own
/// that find out by themselves that a record cannot be processed.
///
/// To be called where the records of a batch are processed: in [`Sink::write`](crate::io::Sink::write), in the functions of
/// outputs and transformations. The letter tells where that was, and is kept if the batch succeeds.
///
/// # Errors
/// `error`, if dead letters are off or it is called elsewhere: pass it on, and the batch fails. The budget, if the batch
/// has put aside too many records.
///
/// # Examples
/// ```
/// use std::{collections::BTreeMap, sync::{Arc, Mutex}};
/// use tidemill::{Config, keys, put_aside, testing::TestContext};
/// let test = TestContext::with_config(Config::new().set(keys::DEAD_LETTER_ENABLED, true));
/// let table = Arc::new(Mutex::new(BTreeMap::new()));
/// let rows = table.clone();
/// test.stream(vec![vec![(1, "mill"), (2, "tide"), (1, "wind")].into_iter().map(|(n, s)| (n, s.to_string())).collect()])
///     .for_each_batch(move |batch, _| {
///         for (id, name) in batch {
///             let mut rows = rows.lock().expect("no user of it panics");
///             if rows.contains_key(&id) {
///                 put_aside(&(id, name), format!("there is a row {id}"))?;
///             } else {
///                 rows.insert(id, name);
///             }
///         }
///         Ok::<(), tidemill::Error>(())
///     });
/// test.run(1)?;
/// assert_eq!(table.lock().expect("no user of it panics").len(), 2);
/// assert_eq!(test.ssc().progress().dead_letters, 1);
/// # Ok::<(), tidemill::Error>(())
/// ```
pub fn put_aside<T: Serialize + ?Sized>(record: &T, error: impl Into<BoxError>) -> Result<()> {
    put(record, error.into(), |at| {
        at.letters += 1;
        (Place { operator: at.operator, partition: at.partition, record: at.record, nth: at.letters }, None)
    })
}

/// Puts aside what a [`Source`](crate::io::Source) read at `offset` of `place` and cannot make a record of.
///
/// As [`put_aside`], to be called where a source reads; the letter tells place and offset.
///
/// # Errors
/// As [`put_aside`].
///
/// # Examples
/// See [`Source`](crate::io::Source).
pub fn put_aside_from<T: Serialize + ?Sized>(
    place: &str,
    offset: u64,
    record: &T,
    error: impl Into<BoxError>,
) -> Result<()> {
    // By its offset it is the same letter however often it is read.
    put(record, error.into(), |at| {
        let at = Place { operator: at.operator, partition: at.partition, record: offset, nth: 0 };
        (at, Some((place, offset)))
    })
}

/// Puts a record aside at the place that `place` makes of where the task is, perhaps with where it was read.
fn put<'a, T: Serialize + ?Sized>(
    record: &T,
    error: BoxError,
    place: impl FnOnce(&mut At) -> (Place, Option<(&'a str, u64)>),
) -> Result<()> {
    let error = match error.downcast::<Error>() {
        Ok(error) => *error,
        Err(error) => Error::user(error.to_string()).with_boxed_source(error),
    };
    let batch =
        with(|task| task.batch.clone()).filter(|_| !matches!(error.mark(), Some(Mark::Final | Mark::Checkpoint)));
    let Some(batch) = batch else { return Err(error) };
    let content = encode::Content::of(record, batch.limits().max_record_bytes);
    let put = |task: &mut TaskLetters| {
        let Some(at) = &mut task.at else { return Err(error.clone()) };
        let (place, read_at) = place(at);
        let site = at.site;
        let mut letter = task.letter(site, &place, Told(&error).to_string());
        content.write_to(&mut letter);
        if let Some((source, offset)) = read_at {
            (letter.source, letter.offset, letter.exact) = (Some(source.to_owned()), Some(offset), true);
        }
        task.add(place, letter)
    };
    with(put).unwrap_or(Ok(()))
}
