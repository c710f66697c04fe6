//! Cuts a batch at every interval of the clock, late or not, and never skips one.

use super::{
    JobScheduler,
    batch::Batch,
    listener::{BatchInfo, BatchSubmitted, OutputOperationInfo, StreamInputInfo},
    recovery::Restart,
};
use crate::{
    base::{Error, Time, clock::Stopwatch, config::OnFailure},
    dstream::{input::Slice, output::Output},
    rdd::task::run_guarded,
};
use std::sync::{Arc, atomic::Ordering};

impl JobScheduler {
    /// The loop of the generator's thread: what the last run left, then a batch at every interval, until the timer is
    /// stopped.
    pub(super) fn generate(&self, restart: Restart, first: Time) {
        self.catch_up(restart);
        let mut time = first;
        while !self.is_after_last(time) && self.graph.clock.wait_until(self.by_the_clock(time), &self.timer_stop) {
            self.cut(time);
            time = self.skip_missed(time + self.graph.batch_duration);
        }
    }

    /// Whether the program was to end before the batch at `time`.
    pub(super) fn is_after_last(&self, time: Time) -> bool {
        self.graph.last_batch.get().is_some_and(|last| time > *last)
    }

    /// Cuts the batch at `time`: what it reads of each input is fixed from here on.
    pub(super) fn cut(&self, time: Time) {
        if self.cut_failed.is_raised() {
            return;
        }
        let mut slices = Vec::new();
        let mut failure = None;
        for input in self.graph.inputs() {
            let picked = run_guarded("it panicked", || input.pick(time)).and_then(|picked| picked);
            match picked {
                Ok(slice) => slices.push((input.id(), slice)),
                Err(error) => {
                    let place = format!("the input \"{}\" could not pick the batch of {time}", input.site());
                    failure = Some(Error::new(error.kind(), format!("{place}: {error}")).with_source(error));
                }
            }
        }
        if failure.is_none() {
            failure = self.log_pick(time, &slices).err();
        }
        if failure.is_some() && self.on_failure == OnFailure::Stop {
            self.cut_failed.raise();
        }
        let info = self.info_of(time, &slices);
        self.queue_batch(Batch { time, slices, info, submitted: Stopwatch::start(), failure });
    }

    /// Queues a batch of the last run again, with what it was given then.
    pub(super) fn submit_again(&self, time: Time, slices: Vec<(usize, Slice)>) {
        let info = self.info_of(time, &slices);
        self.queue_batch(Batch { time, slices, info, submitted: Stopwatch::start(), failure: None });
    }

    /// What is known of a batch from its slices.
    pub(super) fn info_of(&self, time: Time, slices: &[(usize, Slice)]) -> BatchInfo {
        let mut info = BatchInfo::new(time, self.graph.clock.now());
        for (id, output) in self.outputs_of(time) {
            info.output_operation_infos.insert(id, info_of_output(time, id, &output));
        }
        let inputs = self.graph.inputs();
        let is_reported = |id: usize| inputs.iter().any(|input| input.id() == id && input.is_reported());
        slices.iter().filter(|(id, _)| is_reported(*id)).fold(info, |info, (id, slice)| {
            let mut of_stream = StreamInputInfo::new(*id, slice.records);
            of_stream.metadata.clone_from(&slice.metadata);
            info.with_input(of_stream)
        })
    }

    /// The outputs that have something to do in the batch at `time`, with their places among all.
    pub(super) fn outputs_of(&self, time: Time) -> Vec<(usize, Arc<Output>)> {
        let outputs = self.graph.outputs().into_iter().enumerate();
        outputs.filter(|(_, output)| output.stream.is_valid(time)).collect()
    }

    fn queue_batch(&self, batch: Batch) {
        let time = batch.time;
        if !batch.info.output_operation_infos.is_empty() {
            self.bus.post(BatchSubmitted::new(batch.info.clone()));
        }
        let waiting = self.queue.push(batch);
        // Only now, for who waits for the batch looks into the queue once it is cut.
        *self.last_cut() = Some(time);
        match waiting {
            Some(waiting) => self.warn_of_backlog(waiting),
            None => drop(self.given_up.fetch_add(1, Ordering::Relaxed)),
        }
    }

    /// Says so when batches pile up, each time the backlog has doubled.
    fn warn_of_backlog(&self, waiting: usize) {
        let mut warn_at = self.backlog_warning();
        if waiting >= *warn_at {
            *warn_at = waiting * 2;
            let interval = self.graph.batch_duration;
            tracing::warn!(
                waiting_batches = waiting,
                batch_duration = ?interval,
                last_processing_delay = ?self.progress().last_processing_delay,
                "batches take longer than their interval and pile up; raise the batch duration or give it more workers"
            );
        } else if waiting <= 1 {
            *warn_at = self.first_backlog_warning;
        }
    }
}

/// What is known of an output before it begins.
pub(super) fn info_of_output(time: Time, id: usize, output: &Output) -> OutputOperationInfo {
    let mut info = OutputOperationInfo::new(time, id, output.site.operation);
    info.description = output.site.to_string();
    info
}
