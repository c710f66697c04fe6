//! What becomes of what fails: tried again while that may help, then the batch fails, and perhaps the program ends.

use super::JobScheduler;
use crate::base::{Error, ErrorKind, Result, Time, config::OnFailure, error::Mark};
use std::time::Duration;

/// How long a first new try waits, and the longest wait between two.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// The pauses between the tries of something that may work later.
///
/// They depend on the number of tries alone, so that all processes of a program give up at the same time.
pub(super) struct Pauses {
    next: Duration,
    left: Duration,
}

impl Pauses {
    pub(super) fn new(limit: Duration) -> Self {
        Self { next: FIRST_PAUSE, left: limit }
    }
}

impl Iterator for Pauses {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let pause = self.next.min(self.left);
        self.left -= pause;
        self.next = (self.next * 2).min(LONGEST_PAUSE);
        (!pause.is_zero()).then_some(pause)
    }
}

impl JobScheduler {
    /// A batch failed for good: the log says so, and unless the program is to go on regardless no later one is run.
    pub(super) fn fail(&self, time: Time, error: &Error) {
        let fenced = error.kind() == ErrorKind::Closed;
        if let Some(log) = self.log.get().filter(|_| !fenced)
            && let Err(unlogged) = log.failed(time, &error.to_string())
        {
            tracing::warn!(batch_time = time.as_ms(), error = %unlogged, "that a batch failed could not be logged; a restart runs it again");
        }
        if self.on_failure == OnFailure::Stop || fenced || error.mark() == Some(Mark::Final) {
            self.halt();
        }
    }

    /// No batch is run any more; what was picked stays in the log for a restart.
    pub(super) fn halt(&self) {
        self.halted.raise();
        self.timer_stop.raise();
        let left = self.queue.abandon();
        tracing::error!(
            batches = left,
            "the program runs no more batches; start it again to go on from the last that was done"
        );
    }

    /// Does something durable, again at growing intervals as long as its place does not answer.
    ///
    /// # Errors
    /// What it returned last, once it cannot work or the program is to end.
    pub(super) fn persist<T>(&self, what: &str, mut f: impl FnMut() -> Result<T>) -> Result<T> {
        let mut pauses = Pauses::new(self.retry_timeout);
        loop {
            match f() {
                Err(error) if error.may_pass() => {
                    let Some(pause) = pauses.next() else { return Err(error) };
                    tracing::warn!(%error, ?pause, "{what} could not be written; the program waits and tries again");
                    if self.hurry_up.wait_timeout(pause) {
                        return Err(error);
                    }
                }
                other => return other,
            }
        }
    }
}
