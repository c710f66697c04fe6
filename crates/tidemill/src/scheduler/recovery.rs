//! What a restart takes from the commit log, and the order in which it goes on.

use super::JobScheduler;
use crate::{
    base::{Error, ErrorKind, Result, Time, clock::Stopwatch, config::MissedBatches, error::Mark, keys},
    checkpoint::{self, CheckpointLog, OpenOptions, Picked, Recovered, Slice, Slices, StateSource},
    dstream::{input::InputMemory, output::SinkStart},
};
use std::collections::{BTreeMap, BTreeSet};

/// What each sink prepared last, with the time of that batch, by the uid of its output.
pub(super) type PreparedLast = BTreeMap<String, (Time, Vec<u8>)>;

/// An error of the commit log, where it says that another program has the checkpoint.
pub(super) fn of_checkpoint(error: Error) -> Error {
    if error.kind() == ErrorKind::Closed { error.marked(Mark::Checkpoint) } else { error }
}

/// From where a program goes on.
pub(super) struct Restart {
    pub(super) zero: Time,
    /// Batches that run again, with what they were given.
    pub(super) unfinished: Vec<Picked>,
    /// The last batch that was given anything.
    pub(super) last: Option<Time>,
    /// The last batch that is done, and the state after it.
    pub(super) last_done: Option<Time>,
    pub(super) state: Vec<StateSource>,
    pub(super) sinks: PreparedLast,
    /// What sinks are told: the id of the program where one wants it, and what else is the same for all.
    pub(super) start: SinkStart,
}

/// What a new start of a program tells all its sinks.
fn start_of(job: Option<String>, has_unfinished: bool) -> SinkStart {
    let mut start = SinkStart::default();
    (start.job, start.run, start.has_unfinished) = (job, checkpoint::nonce(), has_unfinished);
    start
}

impl Restart {
    /// Of a program that remembers nothing.
    fn fresh(zero: Time) -> Self {
        let (unfinished, state, sinks) = (Vec::new(), Vec::new(), PreparedLast::new());
        Self { zero, unfinished, last: None, last_done: None, state, sinks, start: start_of(None, false) }
    }

    fn of(recovered: Recovered, job: Option<String>) -> Self {
        let start = start_of(job, !recovered.unfinished.is_empty());
        let picked = recovered.picked_since.iter().chain(&recovered.unfinished).map(|picked| picked.time);
        Self {
            zero: recovered.zero,
            last: picked.chain(recovered.last_done).max(),
            unfinished: recovered.unfinished,
            last_done: recovered.last_done,
            state: recovered.state,
            sinks: recovered.sinks,
            start,
        }
    }

    /// Says from where the program goes on.
    fn tell(&self, checkpoint: &str) {
        match self.last_done.max(self.last) {
            None => tracing::info!(checkpoint, "nothing is remembered there yet; the program begins"),
            Some(_) => tracing::info!(
                checkpoint,
                last_done = self.last_done.map(Time::as_ms),
                unfinished = self.unfinished.len(),
                "the program goes on from its checkpoint"
            ),
        }
    }
}

impl JobScheduler {
    /// On process 0: takes the checkpoint, tells inputs, operators and sinks what is remembered of them, and says from
    /// where to go on. `now` is the batch time before the present.
    pub(super) fn recover(&self, now: Time) -> Result<Restart> {
        let Some(storage) = self.graph.checkpoint_storage() else { return Ok(Restart::fresh(now)) };
        let config = &self.graph.config;
        let options = OpenOptions {
            zero: now,
            take_over: config.get(&keys::CHECKPOINT_TAKE_OVER)?,
            lease: config.get(&keys::CHECKPOINT_LEASE)?,
            discard: config.get(&keys::CHECKPOINT_DISCARD)?.unwrap_or_default(),
            leave_behind: if config.get(&keys::CHECKPOINT_AFRESH)? { u64::MAX } else { self.graph.left_behind() },
            before_start: self.graph.before_start(),
        };
        let program = self.graph.describe(config.get(&keys::APP_NAME)?)?;
        let opened = CheckpointLog::open(&storage, program, options);
        let (log, recovered) = opened.map_err(|error| error.marked(Mark::Checkpoint))?;
        self.letters.count_recovered(recovered.dead_letter_count);
        recovered.warnings.iter().for_each(|warning| tracing::warn!(checkpoint = storage.url(), "{warning}"));
        for time in &recovered.passed_over {
            tracing::warn!(
                batch_time = time.as_ms(),
                "a batch failed before the restart while later ones were done; it is not run any more"
            );
        }
        self.graph.set_epoch(log.epoch());
        self.restore_inputs(&recovered)?;
        self.log_new_inputs(&log, &recovered)?;
        let _ = self.log.set(log);
        let marked = self.graph.outputs().iter().any(|output| output.sink().is_some_and(|sink| sink.is_marked()));
        let job = marked.then(|| checkpoint::job(&*storage)).transpose()?;
        let restart = Restart::of(recovered, job);
        restart.tell(storage.url());
        Ok(restart)
    }

    fn restore_inputs(&self, recovered: &Recovered) -> Result<()> {
        let again: BTreeSet<Time> = recovered.unfinished.iter().map(|batch| batch.time).collect();
        for input in self.graph.inputs() {
            let uid = input.uid();
            let mut picked: BTreeMap<Time, Slice> = BTreeMap::new();
            for batch in recovered.picked_since.iter().chain(&recovered.unfinished) {
                picked.extend(batch.slices.get(uid).map(|slice| (batch.time, slice.clone())));
            }
            let picked: Vec<_> = picked.into_iter().collect();
            let remembered = recovered.inputs.get(uid).map(Vec::as_slice);
            let memory =
                InputMemory { uid, remembered, picked: &picked, again: &again, first_epoch: recovered.first_epoch };
            input.restore(&memory).map_err(|error| {
                error.context(format_args!("the input \"{}\" cannot go on from the checkpoint", input.site()))
            })?;
        }
        Ok(())
    }

    /// Inputs that the checkpoint does not know look at what is there when they are declared. That must outlive a crash
    /// before their first batch, for what comes after it is theirs.
    fn log_new_inputs(&self, log: &CheckpointLog, recovered: &Recovered) -> Result<()> {
        let picked = recovered.picked_since.iter().chain(&recovered.unfinished);
        let known: BTreeSet<_> =
            picked.flat_map(|picked| picked.slices.keys()).chain(recovered.inputs.keys()).map(String::as_str).collect();
        let is_new = |uid: &str| !uid.is_empty() && !known.contains(uid);
        match self.graph.inputs().iter().any(|input| is_new(input.uid())) {
            true => log.begin(self.what_inputs_remember()?).map_err(of_checkpoint),
            false => Ok(()),
        }
    }

    fn what_inputs_remember(&self) -> Result<BTreeMap<String, Vec<u8>>> {
        self.graph.inputs().iter().map(|input| Ok((input.uid().to_owned(), input.remember()?))).collect()
    }

    /// On every process: tells sinks that the program starts.
    pub(super) fn start_sinks(&self, start: &SinkStart) -> Result<()> {
        let (process, processes) = self.graph.session.runner().process();
        for output in self.graph.outputs() {
            let Some(sink) = output.sink() else { continue };
            let mut start = start.clone();
            (start.uid, start.epoch) = (output.uid().to_owned(), self.graph.epoch());
            (start.process, start.processes) = (process, processes);
            start.config = self.graph.config.clone();
            sink.start(&start).map_err(|error| error.context(format_args!("\"{}\" cannot start", output.site)))?;
        }
        Ok(())
    }

    /// On every process: brings back the state, and what sinks held, after the last batch that was done.
    pub(super) fn restore_state(
        &self,
        last_done: Option<Time>,
        state: &[StateSource],
        sinks: &PreparedLast,
    ) -> Result<()> {
        let Some(storage) = self.graph.checkpoint_storage() else { return Ok(()) };
        for output in self.graph.outputs() {
            let Some(sink) = output.sink() else { continue };
            let last = sinks.get(output.uid()).map(|(time, prepared)| (*time, prepared.as_slice()));
            sink.restore(last, self.graph.session.is_driver())
                .map_err(|error| error.context(format_args!("\"{}\" cannot go on", output.site)))?;
        }
        let Some(last_done) = last_done else { return Ok(()) };
        let watch = Stopwatch::start();
        let deltas = state.iter().map(|source| checkpoint::load_state(&storage, source));
        self.graph.restore_state(deltas, last_done)?;
        tracing::info!(batch_time = last_done.as_ms(), elapsed = ?watch.elapsed(), "the state of the last batch that was done is back");
        Ok(())
    }

    /// Logs what a batch is given, before anything is done with it.
    pub(super) fn log_pick(&self, time: Time, slices: &[(usize, Slice)]) -> Result<()> {
        let Some(log) = self.log.get() else { return Ok(()) };
        let inputs = self.graph.inputs();
        let uid_of = |id: &usize| inputs.iter().find(|input| input.id() == *id).map(|input| input.uid().to_owned());
        let slices: Slices = slices.iter().filter_map(|(id, slice)| Some((uid_of(id)?, slice.clone()))).collect();
        let picked = Picked { time, slices };
        self.persist("what a batch reads", || log.picked(&picked)).map_err(of_checkpoint)?;
        if log.wants_inputs() {
            log.remember_inputs(self.what_inputs_remember()?);
        }
        Ok(())
    }

    /// The slices of a logged batch, by the ids that inputs have now.
    pub(super) fn slices_of(&self, picked: &Picked) -> Vec<(usize, Slice)> {
        let inputs = self.graph.inputs();
        inputs.iter().filter_map(|input| Some((input.id(), picked.slices.get(input.uid())?.clone()))).collect()
    }

    /// The time of the first batch to cut, when the program starts.
    pub(super) fn first_batch(&self, restart: &Restart) -> Time {
        let duration = self.graph.batch_duration;
        // The batch duration may be another one than it was.
        let next = |last: Time| self.skip_missed(last.floor_from(duration, restart.zero) + duration);
        restart.last.map_or(restart.zero + duration, next)
    }

    /// Queues what the last run left unfinished, as it was.
    pub(super) fn catch_up(&self, restart: Restart) {
        for picked in &restart.unfinished {
            let slices = self.slices_of(picked);
            tracing::info!(batch_time = picked.time.as_ms(), "a batch that was not done runs again");
            self.submit_again(picked.time, slices);
        }
        // Now that they are queued: whoever waits for the batches of this start looks into the queue from here on.
        let mut last_cut = self.last_cut();
        *last_cut = (*last_cut).max(restart.last);
    }

    /// The time that batches go by: the clock's, but never before a batch that was cut by an earlier run.
    pub(super) fn now(&self) -> Time {
        self.graph.clock.now() + self.clock_lag.get().copied().unwrap_or_default()
    }

    /// What the clock shows at a batch time.
    pub(super) fn by_the_clock(&self, time: Time) -> Time {
        time.saturating_sub(self.clock_lag.get().copied().unwrap_or_default())
    }

    /// If the clock stands before the last batch of the earlier run, batches go on from there all the same.
    pub(super) fn set_clock_lag(&self, restart: &Restart) {
        let now = self.graph.clock.now();
        let last = restart.last.unwrap_or(restart.zero);
        if last > now {
            let lag = last.since(now);
            tracing::warn!(clock = %now, last_batch = %last, "the clock stands before the last batch; batch times go on from that one");
            let _ = self.clock_lag.set(lag);
        }
    }

    /// The next batch to cut, where `next` is the one after the last: what becomes of those that are late is configured.
    pub(super) fn skip_missed(&self, next: Time) -> Time {
        let duration = self.graph.batch_duration;
        let due = self.now().floor_from(duration, self.graph.zero_time().unwrap_or_default());
        if due <= next {
            return next;
        }
        match self.missed {
            MissedBatches::Each => next,
            MissedBatches::Merged => due,
            MissedBatches::Skipped => due + duration,
        }
    }
}
