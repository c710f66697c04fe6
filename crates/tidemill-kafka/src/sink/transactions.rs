//! Exactly once: what one process writes of a batch is one transaction, which has the batch's mark in it.

use super::{Offsets, ProducerRecord, marker::MarkerGroup, place::Place, producer::Producer};
use crate::lock::lock;
use rdkafka::{TopicPartitionList, consumer::ConsumerGroupMetadata, error::KafkaError};
use std::{
    collections::BTreeMap,
    mem,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};
use tidemill::{Error, ErrorKind, Result, Time, base::clock::Stopwatch};

/// A mark is written anew after so long, so that Kafka does not forget it while no records come.
const MARK_EVERY: Duration = Duration::from_secs(3_600);

/// The transactions of one process, one after another.
#[derive(Debug)]
pub(super) struct Transactions {
    place: Place,
    offsets: Option<Arc<Offsets>>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    open: Option<Open>,
    /// What is written since the last commit.
    batch: Option<Batch>,
    /// Counts batches that were begun, so that a write knows whether its own is still the one.
    attempts: u64,
}

/// A producer that may write, and up to where it has.
#[derive(Debug)]
struct Open {
    producer: Arc<Producer>,
    marks: Option<MarkerGroup>,
    committed: Time,
    since_mark: Stopwatch,
    /// Whether a transaction was begun; nothing need be in it.
    begun: bool,
}

#[derive(Debug)]
struct Batch {
    time: Time,
    attempt: u64,
    /// How many records each partition has, once all of it is handed over.
    partitions: BTreeMap<usize, Option<u64>>,
    records: u64,
    failed: bool,
}

impl Batch {
    fn is_being_written(&self) -> bool {
        self.partitions.values().any(Option::is_none)
    }
}

/// What is to be done with a partition.
pub(super) enum Turn {
    /// It is committed, or in the transaction already.
    Known(Option<u64>),
    Write(Writing),
}

/// A partition that is being handed over. Dropped before it is [done](Self::done), the transaction is void.
pub(super) struct Writing {
    transactions: Arc<Transactions>,
    pub(super) producer: Arc<Producer>,
    partition: usize,
    attempt: u64,
    records: Option<u64>,
}

impl Writing {
    pub(super) fn send(&self, record: &ProducerRecord<'_>, partition: Option<i32>) -> Result<()> {
        self.producer.send(record, partition)
    }

    /// All of the partition is handed over.
    pub(super) fn done(mut self, records: u64) -> Result<()> {
        self.producer.failed()?;
        self.records = Some(records);
        Ok(())
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        let mut state = self.transactions.state();
        let Some(batch) = state.batch.as_mut().filter(|batch| batch.attempt == self.attempt) else { return };
        batch.partitions.remove(&self.partition);
        match self.records {
            Some(records) => {
                batch.partitions.insert(self.partition, Some(records));
                batch.records += records;
            }
            None => batch.failed = true,
        }
    }
}

impl Transactions {
    pub(super) fn new(place: Place, offsets: Option<Arc<Offsets>>) -> Self {
        Self { place, offsets, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn process(&self) -> usize {
        self.place.start.process
    }

    /// Before the first batch, on the driver.
    pub(super) fn take_over(&self, last_done: Option<Time>) -> Result<()> {
        self.place.take_over(last_done)
    }

    /// The producer, made anew after whatever went wrong: what the last one left is decided then, and its mark tells how.
    fn opened<'a>(&self, state: &'a mut State) -> Result<&'a mut Open> {
        if state.open.is_none() {
            state.open = Some(self.open()?);
        }
        Ok(state.open.as_mut().expect("it was made above"))
    }

    fn open(&self) -> Result<Open> {
        let (mut marks, mut committed) = (None, Time::default());
        if self.place.has_marks() {
            // A run that was left for dead must not take the id from one that has taken over.
            self.place.last_mark(self.process())?;
            marks = Some(self.place.marks(self.process())?);
        }
        let producer = Arc::new(self.place.producer(self.process())?);
        if let Some(group) = &marks {
            let mark = group.read()?;
            self.place.check_run(mark)?;
            let gone =
                || Error::invalid(format!("the mark of the sink for \"{}\" is gone while it runs", self.place.topic));
            committed = mark.ok_or_else(gone)?.time;
        }
        Ok(Open { producer, marks, committed, since_mark: Stopwatch::start(), begun: false })
    }

    /// A partition of the batch at `time` comes.
    pub(super) fn enter(self: &Arc<Self>, time: Time, partition: usize) -> Result<Turn> {
        let mut state = self.state();
        if time <= self.opened(&mut state)?.committed && self.place.has_marks() {
            return Ok(Turn::Known(None));
        }
        if state.batch.as_ref().is_some_and(|batch| batch.time != time || batch.failed) {
            self.give_up(&mut state)?;
        }
        let attempt = match &state.batch {
            Some(batch) => batch.attempt,
            None => self.begin_batch(&mut state, time)?,
        };
        let producer = self.opened(&mut state)?.producer.clone();
        let batch = state.batch.as_mut().expect("it was begun above");
        match batch.partitions.get(&partition) {
            Some(Some(records)) => return Ok(Turn::Known(Some(*records))),
            Some(None) => return Err(Error::unavailable("a partition is being written twice at once")),
            None => {}
        }
        batch.partitions.insert(partition, None);
        Ok(Turn::Write(Writing { transactions: self.clone(), producer, partition, attempt, records: None }))
    }

    fn begin_batch(&self, state: &mut State, time: Time) -> Result<u64> {
        state.attempts += 1;
        let attempt = state.attempts;
        self.begin_transaction(state)?;
        state.batch = Some(Batch { time, attempt, partitions: BTreeMap::new(), records: 0, failed: false });
        Ok(attempt)
    }

    fn begin_transaction(&self, state: &mut State) -> Result<()> {
        let open = self.opened(state)?;
        if mem::replace(&mut open.begun, true) {
            return Ok(());
        }
        open.producer.begin().map_err(|error| self.failure(state, "a transaction could not be begun", &error))
    }

    /// Takes back what was written since the last commit.
    ///
    /// # Errors
    /// Unavailable, while it is still being written.
    fn give_up(&self, state: &mut State) -> Result<()> {
        if state.batch.as_ref().is_some_and(Batch::is_being_written) {
            return Err(Error::unavailable("a part of the batch could not be written; the batch begins anew"));
        }
        let Some(batch) = state.batch.take() else { return Ok(()) };
        let Some(open) = state.open.as_mut().filter(|open| open.begun) else { return Ok(()) };
        if batch.records == 0 && !batch.failed {
            return Ok(());
        }
        open.begun = false;
        let aborted = open.producer.abort();
        if !matches!(aborted, Ok(Ok(()))) {
            // The next producer of the id takes it back.
            state.open = None;
        }
        Ok(())
    }

    /// The batch is given up, or begins anew.
    pub(super) fn abort(&self) -> Result<()> {
        self.give_up(&mut self.state())
    }

    /// Commits what was written of the batch at `time`, with its mark.
    pub(super) fn seal(&self, time: Time) -> Result<()> {
        let theirs = self.source_offsets(time)?;
        let mut state = self.state();
        if self.place.has_marks() && time <= self.opened(&mut state)?.committed {
            return Ok(());
        }
        let of_another = state.batch.as_ref().is_some_and(|batch| batch.time != time);
        if of_another {
            self.give_up(&mut state)?;
        }
        if state.batch.as_ref().is_some_and(|batch| batch.failed || batch.is_being_written()) {
            return Err(Error::unavailable("a part of the batch was not written; the batch begins anew"));
        }
        let records = state.batch.as_ref().map_or(0, |batch| batch.records);
        if records == 0 && theirs.is_none() && !self.wants_mark(&mut state)? {
            state.batch = None;
            return Ok(());
        }
        self.commit(&mut state, time, theirs)
    }

    /// What the program has read, to be committed with what it wrote of it.
    fn source_offsets(&self, time: Time) -> Result<Option<(TopicPartitionList, ConsumerGroupMetadata)>> {
        match self.offsets.as_ref().filter(|_| self.process() == 0) {
            Some(offsets) => offsets.at(time, &self.place),
            None => Ok(None),
        }
    }

    /// Whether a batch without records is to be marked: where another process may have committed a part of it, and
    /// where the mark gets old.
    fn wants_mark(&self, state: &mut State) -> Result<bool> {
        let is_shared = self.place.start.processes > 1;
        let is_old = self.opened(state)?.since_mark.elapsed() > MARK_EVERY;
        Ok(self.place.has_marks() && (is_shared || is_old))
    }

    fn commit(
        &self,
        state: &mut State,
        time: Time,
        theirs: Option<(TopicPartitionList, ConsumerGroupMetadata)>,
    ) -> Result<()> {
        self.begin_transaction(state)?;
        let open = self.opened(state)?;
        let (producer, mut offsets) = (open.producer.clone(), Vec::new());
        if let Some(marks) = &open.marks {
            offsets.push((self.place.mark(time).offsets(&self.place.topic)?, marks.metadata()?));
        }
        offsets.extend(theirs);
        if let Err(error) = producer.flush() {
            return Err(self.undeliverable(state, error));
        }
        match producer.commit(offsets) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(self.failure(state, "a transaction could not be committed", &error)),
            Err(error) => {
                (state.open, state.batch) = (None, None);
                return Err(error);
            }
        }
        state.batch = None;
        let open = self.opened(state)?;
        (open.begun, open.committed, open.since_mark) = (false, time, Stopwatch::start());
        Ok(())
    }

    /// What a call that failed means; the next batch has a new producer.
    fn failure(&self, state: &mut State, attempted: &str, error: &KafkaError) -> Error {
        let attempted = format!("{attempted} for \"{}\"", self.place.topic);
        self.undeliverable(state, self.place.settings.error(attempted, error))
    }

    fn undeliverable(&self, state: &mut State, error: Error) -> Error {
        (state.open, state.batch) = (None, None);
        if error.kind() != ErrorKind::Closed {
            return error;
        }
        // Fenced: by a newer run, which has left its mark, or by the brokers because it took too long.
        let newer = if self.place.has_marks() { self.place.last_mark(self.process()).map(drop) } else { Ok(()) };
        match newer {
            Err(fenced) if fenced.kind() == ErrorKind::Closed => fenced,
            _ => Error::unavailable(format!(
                "the brokers ended a transaction for \"{}\", which perhaps took longer than its timeout of {:?}; see \
                 tidemill.kafka.transactionTimeout and KafkaSink::transaction_timeout",
                self.place.topic, self.place.timeout
            ))
            .with_source(error),
        }
    }
}
