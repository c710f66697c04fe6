//! Runs batches one after another: asks every output for its job, runs it, and makes the batch final or undoes it.

use super::{
    JobScheduler,
    batch::Batch,
    commit::Finished,
    failure::Pauses,
    generator::info_of_output,
    listener::{BatchCompleted, BatchInfo, BatchStarted, OutputOperationCompleted, OutputOperationStarted},
};
use crate::{
    base::{Error, Result, Time, clock::Stopwatch, error::Mark},
    dstream::output::Output,
    rdd::{JobScope, Session, task::run_guarded},
};
use std::sync::{Arc, Weak};

impl JobScheduler {
    /// The loop of a job thread, until the queue is closed and empty.
    pub(super) fn run_batches(&self) {
        while let Some(batch) = self.queue.pop() {
            let time = batch.time;
            if self.halted.is_raised() {
                self.queue.done(time);
                continue;
            }
            // Every user function has a guard of its own that knows more; this one keeps the thread alive in any case.
            let _watched = self.watchdog.as_ref().map(|watchdog| watchdog.watch(time));
            if let Err(error) = run_guarded(format!("the batch of {time} failed"), || self.run_batch(batch)) {
                tracing::error!(batch_time = time.as_ms(), %error, "a batch was not ended properly");
                self.waiter.report(error);
                self.queue.done(time);
            }
        }
    }

    fn run_batch(&self, mut batch: Batch) {
        if let Err(error) = self.tell_batch(&batch) {
            batch.failure.get_or_insert(error);
        }
        let Batch { time, slices, mut info, submitted, failure } = batch;
        self.give(time, slices);
        self.open_letters(time);
        let outputs = self.outputs_of(time);
        let announced = !outputs.is_empty();
        info.processing_start_time = Some(self.graph.clock.now());
        info.measured_scheduling_delay = Some(submitted.elapsed());
        if announced {
            self.bus.post(BatchStarted::new(info.clone()));
        }
        if outputs.iter().any(|(_, output)| output.sink().is_some()) {
            self.await_commits();
        }
        let processing = Stopwatch::start();
        let scope = JobScope { batch_time: Some(time) };
        let outcome = Session::scoped(scope, || match failure {
            Some(error) => Err(error),
            None => self
                .run_outputs(time, &outputs, &mut info)
                .and_then(|()| self.advance(time))
                .and_then(|()| self.changes(time)),
        });
        self.graph.session.runner().close_lane(scope);
        self.end_streams(time, outcome.is_ok());
        self.close_letters(time);
        info.processing_end_time = Some(self.graph.clock.now());
        info.measured_processing_delay = Some(processing.elapsed());
        match outcome {
            Ok(changes) => self.hand_over(Finished { time, info, announced, changes }),
            Err(error) => self.end_failed(time, info, announced, error),
        }
    }

    /// The batch leaves no trace.
    fn end_failed(&self, time: Time, info: BatchInfo, announced: bool, error: Error) {
        // The log has the end of the batch before first.
        self.await_commits();
        self.take_back(time, &error);
        self.release(time, false);
        self.count(&info, announced, false);
        if announced {
            self.bus.post(BatchCompleted::new(info));
        }
        tracing::error!(batch_time = time.as_ms(), %error, "a batch failed");
        self.fail(time, &error);
        self.waiter.report(error);
        self.queue.done(time);
    }

    fn give(&self, time: Time, slices: Vec<(usize, crate::dstream::input::Slice)>) {
        let inputs = self.graph.inputs();
        for (id, slice) in slices {
            if let Some(input) = inputs.iter().find(|input| input.id() == id) {
                input.give(time, slice);
            }
        }
        self.graph.set_newest(time);
    }

    /// Runs every output of the batch, also after one failed; the last failure is the batch's.
    fn run_outputs(&self, time: Time, outputs: &[(usize, Arc<Output>)], info: &mut BatchInfo) -> Result<()> {
        let mut outcome = Ok(());
        for (id, output) in outputs {
            let mut of_output = info_of_output(time, *id, output);
            of_output.start_time = Some(self.graph.clock.now());
            self.bus.post(OutputOperationStarted::new(of_output.clone()));
            let watch = Stopwatch::start();
            let ended = self.run_output(time, output);
            of_output.end_time = Some(self.graph.clock.now());
            of_output.measured_duration = Some(watch.elapsed());
            if let Err(error) = ended {
                of_output.failure_reason = Some(format!("{error:?}"));
                outcome = Err(error);
            }
            self.bus.post(OutputOperationCompleted::new(of_output.clone()));
            info.output_operation_infos.insert(*id, of_output);
        }
        outcome
    }

    /// Runs one output, again if it fails and the configuration allows another try.
    fn run_output(&self, time: Time, output: &Output) -> Result<()> {
        let (mut attempt, mut pauses) = (1, Pauses::new(self.retry_timeout));
        loop {
            match self.try_output(time, output) {
                Err(error) if error.mark() == Some(Mark::Final) => return Err(error),
                Err(error) if attempt < self.max_failures => {
                    tracing::warn!(batch_time = time.as_ms(), output = %output.site, attempt, %error, "an output failed and is run again");
                    attempt += 1;
                }
                Err(error) if error.may_pass() => {
                    let Some(pause) = pauses.next() else { return Err(error) };
                    tracing::warn!(batch_time = time.as_ms(), output = %output.site, ?pause, %error, "an output does not take the batch; the program waits and tries again");
                    if self.hurry_up.wait_timeout(pause) {
                        return Err(error);
                    }
                }
                other => return other,
            }
        }
    }

    /// Brings to this batch what no output asked for but later batches need.
    fn advance(&self, time: Time) -> Result<()> {
        if !self.must_advance {
            return Ok(());
        }
        self.agree(self.used.iter().filter_map(Weak::upgrade).try_for_each(|stream| stream.advance(time)))
    }

    pub(super) fn agree(&self, outcome: Result<()>) -> Result<()> {
        self.graph.session.agree(outcome)
    }

    /// Makes what the batch changed final, or undoes it; then drops what nothing asks for any more.
    ///
    /// Records are dropped here, and with them runs code of the user's: what panics is reported and stops nothing else.
    fn end_streams(&self, time: Time, succeeded: bool) {
        let streams = self.graph.streams();
        for stream in &streams {
            self.tidily(time, || if succeeded { stream.commit(time) } else { stream.roll_back(time) });
        }
        // With several job threads a later batch may end first; the earlier one still needs what is its own.
        let oldest = self.queue.oldest_running().map_or(time, |running| running.min(time));
        streams.iter().for_each(|stream| self.tidily(time, || stream.forget(oldest)));
    }

    /// Nothing of what the batch read is needed any more.
    pub(super) fn release(&self, time: Time, succeeded: bool) {
        for input in self.graph.inputs() {
            self.tidily(time, || input.release(time, succeeded));
        }
    }

    fn tidily(&self, time: Time, f: impl FnOnce()) {
        if let Err(error) = run_guarded(format!("what the batch of {time} left could not be cleared away"), f) {
            tracing::error!(%error, "a function of the user's panicked at the end of a batch");
            self.waiter.report(error);
        }
    }

    pub(super) fn count(&self, info: &BatchInfo, announced: bool, succeeded: bool) {
        let mut progress = self.progress_mut();
        progress.last_processing_delay = info.processing_delay();
        // A batch in which no output is due is no batch to Spark; but what it read and how it failed is told.
        progress.records += info.num_records();
        progress.failed_batches += u64::from(!succeeded);
        if announced || !succeeded {
            progress.completed_batches += 1;
            progress.last_batch_time = Some(info.batch_time);
        }
    }
}
