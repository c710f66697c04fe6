//! Cuts a batch at every interval of the clock, late or not, and never skips one.

use super::{
    JobScheduler,
    batch::Batch,
    listener::{BatchInfo, BatchSubmitted, StreamInputInfo},
};
use crate::{
    base::{Error, Time, clock::Stopwatch},
    rdd::task::run_guarded,
};
use std::sync::atomic::Ordering;

impl JobScheduler {
    /// The loop of the generator's thread: batches at `first` and every interval after it, until the timer is stopped.
    pub(super) fn generate(&self, first: Time) {
        let mut time = first;
        while self.graph.clock.wait_until(time, &self.timer_stop) {
            self.cut(time);
            time = time + self.graph.batch_duration;
        }
    }

    /// Cuts the batch at `time`: what it reads of each input is fixed from here on.
    pub(super) fn cut(&self, time: Time) {
        let mut slices = Vec::new();
        let mut failure = None;
        let mut info = BatchInfo::new(time, self.graph.clock.now());
        for input in self.graph.inputs() {
            let picked = run_guarded("it panicked", || input.pick(time)).and_then(|picked| picked);
            match picked {
                Ok(slice) => {
                    let mut of_stream = StreamInputInfo::new(input.id(), slice.records);
                    of_stream.metadata.clone_from(&slice.metadata);
                    info = info.with_input(of_stream);
                    slices.push((input.id(), slice));
                }
                Err(error) => {
                    let place = format!("the input \"{}\" could not pick the batch of {time}", input.site());
                    failure = Some(Error::new(error.kind(), format!("{place}: {error}")).with_source(error));
                }
            }
        }
        if self.graph.outputs().iter().any(|output| output.stream.is_valid(time)) {
            self.bus.post(BatchSubmitted::new(info.clone()));
        }
        let waiting = self.queue.push(Batch { time, slices, info, submitted: Stopwatch::start(), failure });
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
