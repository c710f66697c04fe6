//! The end of a streaming program: what was received is drained or given up, and every thread is joined in time.

use super::{JobScheduler, job_scheduler::lock};
use crate::base::{
    Error, Result,
    clock::{Deadline, Stopwatch},
    keys,
    thread::join_before,
};
use crate::rdd::task::run_guarded;
use std::{sync::atomic::Ordering, time::Duration};

/// How long a stop that drains nothing waits for the batch that runs, as Spark does.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often a stop looks whether it was hurried, and how often it says how far it is.
const POLL: Duration = Duration::from_millis(20);
const SAY: Duration = Duration::from_secs(5);

impl JobScheduler {
    /// Stops. With a limit for it, everything that was received is processed first. Safe to call again.
    ///
    /// # Errors
    /// Unavailable, if a user's function does not end; the threads that run it are left behind then.
    pub(crate) fn stop(&self, drain: Option<Duration>) -> Result<()> {
        if self.follows() {
            return self.stop_following(self.graph.config.get(&keys::SHUTDOWN_TIMEOUT)?.max(drain.unwrap_or_default()));
        }
        let deadline = Deadline::after(drain.unwrap_or(PATIENCE));
        self.timer_stop.raise();
        self.queue.begin_end();
        if drain.is_none() {
            self.hurry_up.raise();
            self.queue.abandon();
        }
        let generator = lock(&self.generator).take();
        let mut left_behind = generator.is_some_and(|thread| join_before(thread, &deadline).is_err());
        // Each has a time of its own, so that a deaf one leaves the batches theirs.
        for input in self.graph.inputs() {
            left_behind |= !input.stop(&Deadline::after(PATIENCE));
        }
        if drain.is_some() && !self.halted.is_raised() {
            self.cut_rest(&deadline);
            self.queue.close();
        }
        let ended = self.await_batches(&deadline) || self.give_up_batches(drain);
        left_behind |= !self.end_threads(ended);
        let closed = if left_behind { Ok(()) } else { self.close_outputs(drain.is_some()) };
        if !left_behind {
            self.close_inputs();
        }
        self.tell_stop();
        if left_behind {
            let error = self.left_behind();
            self.waiter.report(error.clone());
            return Err(error);
        }
        self.tell_of_loss();
        closed
    }

    /// Nothing runs any more: sinks show what they held back, if the program was drained, and the log is closed.
    fn close_outputs(&self, drained: bool) -> Result<()> {
        let mut outcome = Ok(());
        if drained && !self.halted.is_raised() {
            for output in self.graph.outputs() {
                let Some(sink) = output.sink() else { continue };
                let place = format!("\"{}\" could not be closed", output.site);
                outcome = outcome.and(run_guarded(place, || sink.close()).and_then(|closed| closed));
            }
        }
        self.close_log();
        outcome
    }

    fn close_inputs(&self) {
        for input in self.graph.inputs() {
            if let Err(error) = run_guarded("it panicked", || input.close()) {
                tracing::warn!(%error, input = %input.site(), "an input could not be closed");
            }
        }
    }

    /// Process 0 decides when the program ends; here that is only waited for.
    fn stop_following(&self, limit: Duration) -> Result<()> {
        let Some(follower) = lock(&self.generator).take() else {
            self.queue.abandon();
            self.end_threads(true);
            return Ok(());
        };
        if join_before(follower, &Deadline::after(limit)).is_err() {
            return Err(Error::unavailable(format!(
                "this process stopped the streaming program, and process 0 did not within {} ms; stop it there",
                limit.as_millis()
            )));
        }
        if self.end_threads(true) {
            self.close_inputs();
        }
        Ok(())
    }

    /// Lets those go who wait for the end; the last thing a stop does.
    pub(crate) fn tell_stopped(&self) {
        self.waiter.stopped();
    }

    /// Makes a stop that is under way give up the batches that wait, and not wait long for the one that runs.
    pub(crate) fn hurry(&self) {
        let _ = self.hurried.set(Deadline::after(PATIENCE));
        self.hurry_up.raise();
        self.give_up_waiting("was hurried");
    }

    /// Gives up the batches that a graceful stop was to process.
    fn give_up_waiting(&self, why: &str) {
        let given_up = self.queue.abandon();
        self.given_up.fetch_add(given_up, Ordering::Relaxed);
        tracing::error!(given_up, "the stop {why}; batches that waited are given up");
    }

    /// Whoever waits for the end of a graceful stop is told that not all was processed.
    fn tell_of_loss(&self) {
        let given_up = self.given_up.load(Ordering::Relaxed);
        if given_up > 0 {
            self.waiter.report(Error::unavailable(format!(
                "{given_up} batches with received data were given up, because the stop was hurried or took too long"
            )));
        }
    }

    /// Cuts one last batch, and as many more as it takes to pick all that was received.
    fn cut_rest(&self, deadline: &Deadline) {
        let Some(zero) = self.graph.zero_time() else { return };
        loop {
            let next = self.last_cut().unwrap_or(zero) + self.graph.batch_duration;
            if self.is_after_last(next) {
                return;
            }
            self.cut(next);
            let unpicked = self.graph.inputs().iter().any(|input| input.has_unpicked());
            if !unpicked || self.cut_failed.is_raised() || self.is_over(deadline) {
                return;
            }
        }
    }

    fn is_over(&self, deadline: &Deadline) -> bool {
        deadline.is_over() || self.hurried.get().is_some_and(Deadline::is_over)
    }

    /// Waits until no batch waits or runs; says from time to time how many there are.
    fn await_batches(&self, deadline: &Deadline) -> bool {
        let mut silent = Stopwatch::start();
        while !self.queue.wait_idle(POLL) {
            if self.is_over(deadline) {
                return false;
            }
            if silent.elapsed() >= SAY {
                let (waiting, running) = self.queue.counts();
                tracing::info!(waiting, running, time_left = ?deadline.left(), "stopping: batches are being processed");
                silent = Stopwatch::start();
            }
        }
        true
    }

    /// The time is up: gives up the batches that wait. One that was not yet asked to end in a hurry gets that time.
    fn give_up_batches(&self, drain: Option<Duration>) -> bool {
        self.hurry_up.raise();
        self.give_up_waiting("timed out");
        drain.is_some() && self.hurried.get().is_none() && self.queue.wait_idle(PATIENCE)
    }

    /// Joins the job threads and the listeners' thread, as far as they end; whether all did.
    fn end_threads(&self, batches_ended: bool) -> bool {
        let limit = Deadline::after(if batches_ended { PATIENCE } else { Duration::ZERO });
        let runners: Vec<_> = lock(&self.runners).drain(..).chain(self.commits.close()).collect();
        let mut all = true;
        for runner in runners {
            all &= join_before(runner, &limit).is_ok();
        }
        if !self.bus.stop_before(&Deadline::after(PATIENCE)) {
            tracing::error!("a streaming listener does not return; its thread is left behind");
            return false;
        }
        all
    }

    fn left_behind(&self) -> Error {
        let what = match self.queue.oldest_running() {
            Some(time) => format!("a function of the user's does not return in the batch of {time}"),
            None => "a listener or an input does not return".to_owned(),
        };
        Error::unavailable(format!("{what}; the context is stopped, but the threads that run it are left behind"))
    }
}
