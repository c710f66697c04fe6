//! Runs a receiver on its thread, and runs it again when it ended, failed or panicked.

use super::{Ending, Receiver, ReceiverLink, link::lock};
use crate::{
    base::{Data, Error, time::ms},
    dstream::input::{ReceiverEvent, ReceiverReport},
    rdd::task::panic_message,
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

/// Runs a receiver again and again, until it is stopped or ends for good.
pub(super) struct Supervisor<T> {
    pub(super) link: ReceiverLink<T>,
    pub(super) restart_delay: Duration,
}

/// The longest wait before a receiver that keeps failing is run again, in restart delays.
const MAX_BACK_OFF: u32 = 16;

/// Before another run there is a wait even where the restart delay is zero, so that no processor is burnt.
const SHORTEST_BACK_OFF: Duration = Duration::from_millis(10);

/// A receiver that failed so many times in a row is reported as an error, and again after as many more.
const FAILURES_TO_ESCALATE: u32 = 10;

impl<T: Data> Supervisor<T> {
    pub(super) fn run(self, mut receiver: impl Receiver<Item = T>) {
        let mut failures: u32 = 0;
        while !self.link.is_stopped() {
            let stored = self.link.shared.stored();
            self.started();
            let ending = catch_unwind(AssertUnwindSafe(|| receiver.run(&self.link)))
                .unwrap_or_else(|panic| Err(Error::user(format!("the receiver panicked: {}", panic_message(&*panic)))));
            self.link.on_cut(None);
            if self.link.is_stopped() {
                break;
            }
            let (why, error) = match ending {
                Ok(Ending::Stop(reason)) => {
                    tracing::info!(receiver = self.name(), reason, "a receiver ended");
                    return self.stopped(reason, None);
                }
                Ok(Ending::Restart(reason)) => {
                    failures = 0;
                    tracing::warn!(receiver = self.name(), reason, delay = ?self.restart_delay, "a receiver is restarted");
                    (reason, None)
                }
                Err(error) => {
                    // One that took records in before it failed is not one that never works.
                    failures = if self.link.shared.stored() > stored { 1 } else { failures + 1 };
                    self.tell_of_failure(failures, &error);
                    (error.to_string(), Some(error))
                }
            };
            let delay = self.back_off(failures);
            self.stopped(format!("Restarting receiver with delay {}ms: {why}", ms(delay)), error.as_ref());
            if self.link.wait(delay) {
                return;
            }
        }
        self.stopped("Stopped by driver".to_owned(), None);
    }

    /// Someone has to look at a receiver that fails again and again; the log says so louder now and then.
    fn tell_of_failure(&self, failures: u32, error: &Error) {
        self.link.report_error(format!("the receiver failed {failures} times in a row"), error);
        if failures.is_multiple_of(FAILURES_TO_ESCALATE) {
            tracing::error!(
                receiver = self.name(),
                failures,
                %error,
                "a receiver fails again and again and takes nothing in; look at its server, and stop the program if it is gone for good"
            );
        }
    }

    /// How long to wait before the next run: longer after each failure in a row.
    fn back_off(&self, failures: u32) -> Duration {
        if failures == 0 {
            return self.restart_delay.max(SHORTEST_BACK_OFF);
        }
        let factor = 1u32.checked_shl(failures - 1).map_or(MAX_BACK_OFF, |factor| factor.clamp(1, MAX_BACK_OFF));
        self.restart_delay.max(SHORTEST_BACK_OFF) * factor
    }

    fn name(&self) -> String {
        lock(&self.link.shared.report).name.clone()
    }

    /// It runs, and has had no error yet.
    fn started(&self) {
        self.post(ReceiverEvent::Started, |report| {
            report.active = true;
            (report.last_error_message, report.last_error, report.last_error_time) = Default::default();
        });
    }

    /// It does not run any more, for the reason that Spark gives.
    fn stopped(&self, message: String, error: Option<&Error>) {
        let now = self.link.clock.now();
        self.post(ReceiverEvent::Stopped, |report| {
            report.active = false;
            report.last_error_message = message;
            report.last_error = error.map(|error| format!("{error:?}")).unwrap_or_default();
            report.last_error_time = error.map(|_| now);
        });
    }

    fn post(&self, event: fn(ReceiverReport) -> ReceiverEvent, change: impl FnOnce(&mut ReceiverReport)) {
        let report = {
            let mut report = lock(&self.link.shared.report);
            change(&mut report);
            report.clone()
        };
        (self.link.shared.events)(event(report));
    }
}
