//! Where a sink of one program writes, and under which names: its producers and its marks.

use super::{
    marker::{Known, Marker, MarkerGroup, Origin, committed},
    producer::Producer,
};
use crate::{client::ClientLog, settings::KafkaSettings};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};
use tidemill::{Error, ErrorKind, Result, Time, io::SinkStart};

/// One sink of one start of a program.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) settings: KafkaSettings,
    pub(super) topic: String,
    pub(super) timeout: Duration,
    pub(super) accept_lost_marks: bool,
    pub(super) start: SinkStart,
    /// What stands for the program in names, if it has no checkpoint that gives it one.
    nonce: u64,
}

impl Place {
    pub(super) fn new(
        settings: &KafkaSettings,
        topic: &str,
        timeout: Duration,
        accept_lost_marks: bool,
        start: &SinkStart,
    ) -> Self {
        let (settings, topic, start) = (settings.clone(), topic.to_owned(), start.clone());
        Self { settings, topic, timeout, accept_lost_marks, start, nonce: RandomState::new().hash_one(()) }
    }

    /// Whether there are marks: without a checkpoint no batch runs again after a crash.
    pub(super) fn has_marks(&self) -> bool {
        self.start.job.is_some()
    }

    fn name(&self, separator: char, process: usize) -> String {
        let job = self.start.job.clone().unwrap_or_else(|| format!("{:016x}", self.nonce));
        let uid = &self.start.uid;
        format!("tidemill{separator}{job}{separator}{uid}{separator}{process}")
    }

    pub(super) fn log(&self) -> ClientLog {
        ClientLog::new(&self.settings, format!("sink \"{}\"", self.topic))
    }

    pub(super) fn marks(&self, process: usize) -> Result<MarkerGroup> {
        MarkerGroup::new(&self.settings, &self.topic, self.name('.', process), self.log())
    }

    /// What was committed last.
    ///
    /// # Errors
    /// Closed, if another run of the program has written it.
    pub(super) fn last_mark(&self, process: usize) -> Result<Option<Marker>> {
        let mark = self.mark_of_any_run(process)?;
        self.check_run(mark).map(|()| mark)
    }

    fn mark_of_any_run(&self, process: usize) -> Result<Option<Marker>> {
        MarkerGroup::last(&self.settings, &self.topic, self.name('.', process), self.log())
    }

    /// A producer that has the transactional id of a process: whoever had it is fenced, and what that one left is decided.
    pub(super) fn producer(&self, process: usize) -> Result<Producer> {
        let id = self.name('-', process);
        let timeout_ms = self.timeout.as_millis().to_string();
        let engine = [("transactional.id", id.as_str()), ("transaction.timeout.ms", timeout_ms.as_str())];
        let producer = Producer::new(&self.settings, &self.topic, &engine, self.log())?;
        producer.init()?.map_err(|error| self.refused(&id, &error))?;
        Ok(producer)
    }

    fn refused(&self, id: &str, error: &KafkaError) -> Error {
        let refused = self.settings.error(format_args!("transactions of \"{id}\" could not be begun"), error);
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::InvalidTransactionTimeout) => refused.context(format_args!(
                "the transaction timeout of the sink, {:?}, is more than transaction.max.timeout.ms of the brokers allows; \
                 lower it with tidemill.kafka.transactionTimeout or KafkaSink::transaction_timeout, or raise theirs",
                self.timeout
            )),
            _ => refused,
        }
    }

    /// # Errors
    /// Closed, if the mark is of a later start of the program, or of a start with the same number: of a copy of the
    /// checkpoint, which has taken over since this run did.
    pub(super) fn check_run(&self, mark: Option<Marker>) -> Result<()> {
        self.check_epoch(mark)?;
        match mark.filter(|mark| mark.of.epoch == self.start.epoch && mark.of.run != self.start.run) {
            Some(_) => Err(Error::fenced(format!(
                "another run of this program, from a copy of its checkpoint, writes to \"{}\"; this one ends",
                self.topic
            ))),
            None => Ok(()),
        }
    }

    fn check_epoch(&self, mark: Option<Marker>) -> Result<()> {
        match mark.filter(|mark| mark.of.epoch > self.start.epoch) {
            Some(mark) => Err(Error::fenced(format!(
                "a newer run of this program, its start {}, writes to \"{}\"; this one, start {}, ends",
                mark.of.epoch, self.topic, self.start.epoch
            ))),
            None => Ok(()),
        }
    }

    pub(super) fn mark(&self, time: Time) -> Marker {
        let SinkStart { processes, epoch, run, .. } = self.start;
        Marker { time, of: Origin { processes, epoch, run } }
    }

    /// Commits a transaction of nothing but the mark of a process.
    pub(super) fn leave_mark(&self, producer: &Producer, process: usize, time: Time) -> Result<()> {
        producer.await_topic()?;
        let attempted = format_args!("the mark of process {process} for \"{}\" could not be written", self.topic);
        let offsets = vec![(self.mark(time).offsets(&self.topic)?, self.marks(process)?.metadata()?)];
        producer.begin().map_err(|error| self.settings.error(attempted, &error))?;
        producer.commit(offsets)?.map_err(|error| self.settings.error(attempted, &error))
    }

    /// Before the first batch, on the driver: fences what an earlier start left behind, and brings its marks to the
    /// number of processes that there is now.
    ///
    /// # Errors
    /// Closed, if another run takes over at the same time, or has a later start.
    pub(super) fn take_over(&self, last_done: Option<Time>) -> Result<()> {
        self.try_take_over(last_done).map_err(|error| match error.kind() {
            ErrorKind::Closed => Error::fenced(format!(
                "another run of this program took \"{}\" over while this one started, which ends",
                self.topic
            ))
            .with_source(error),
            _ => error,
        })
    }

    fn try_take_over(&self, last_done: Option<Time>) -> Result<()> {
        let first = self.mark_of_any_run(0)?;
        self.check_epoch(first)?;
        let (before, now) = (first.map_or(0, |mark| mark.of.processes), self.start.processes);
        let producers: Vec<_> = (0..before.max(now)).map(|process| self.producer(process)).collect::<Result<_>>()?;
        // Only now nobody changes them any more.
        let marks: Vec<_> = (0..before).map(|process| self.marks(process)?.read()).collect::<Result<_>>()?;
        marks.iter().try_for_each(|mark| self.check_epoch(*mark))?;
        let known = Known { last_done, has_unfinished: self.start.has_unfinished, processes: now };
        let is_lost = marks.is_empty() || marks.iter().any(Option::is_none);
        let times = match committed(&marks, known) {
            Err(error) if is_lost && self.accept_lost_marks => {
                tracing::warn!(topic = self.topic, %error, "batches may come twice, as accept_lost_marks says");
                vec![last_done.unwrap_or_default(); now]
            }
            times => times?,
        };
        // That of the first process comes last: it says of how many processes the marks are.
        for (process, time) in times.iter().enumerate().rev() {
            self.leave_mark(&producers[process], process, *time)?;
        }
        Ok(())
    }
}
