//! Who waits for a context to end is told of that, and of the latest error.

use crate::base::{Error, Result, error::Mark};
use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

#[derive(Default)]
struct State {
    error: Option<Error>,
    stopped: bool,
}

/// Spark's `ContextWaiter`: an error is raised before a stop, and stays.
#[derive(Default)]
pub(crate) struct Waiter {
    state: Mutex<State>,
    changed: Condvar,
}

impl Waiter {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn report(&self, error: Error) {
        self.state().error = Some(error.marked(Mark::Running));
        self.changed.notify_all();
    }

    pub(crate) fn stopped(&self) {
        self.state().stopped = true;
        self.changed.notify_all();
    }

    /// Waits for an error or the end: true once stopped, false when the time is up.
    pub(crate) fn wait(&self, timeout: Option<Duration>) -> Result<bool> {
        let going = |state: &mut State| state.error.is_none() && !state.stopped;
        let state = match timeout {
            None => self.changed.wait_while(self.state(), going).unwrap_or_else(PoisonError::into_inner),
            Some(timeout) => {
                self.changed.wait_timeout_while(self.state(), timeout, going).unwrap_or_else(PoisonError::into_inner).0
            }
        };
        match &state.error {
            Some(error) => Err(error.clone()),
            None => Ok(state.stopped),
        }
    }
}
