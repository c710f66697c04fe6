//! Threads of our own: each has a name, knows that it is ours, and is joined with a limit.

use super::{Error, Interrupt, Result, clock::Deadline};
use std::{
    cell::Cell,
    thread::{Builder, JoinHandle},
    time::Duration,
};

thread_local! {
    static AWAITED: Cell<bool> = const { Cell::new(false) };
}

/// Starts a thread that a stop of its context waits for.
pub(crate) fn start_awaited(name: String, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    start(name, move || {
        AWAITED.set(true);
        body();
    })
}

/// Starts a thread that nobody waits for.
pub(crate) fn start(name: String, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    let spawned = Builder::new().name(name.clone()).spawn(body);
    spawned.map_err(|error| Error::from(error).context(format!("the thread \"{name}\" could not be started")))
}

/// Whether a stop of the context waits for the thread of the caller, which therefore must not wait for a stop.
pub(crate) fn is_awaited() -> bool {
    AWAITED.get()
}

/// Joins a thread if it ends before `deadline`; else gives the handle back.
pub(crate) fn join_before(thread: JoinHandle<()>, deadline: &Deadline) -> Result<(), JoinHandle<()>> {
    let pause = Interrupt::new();
    while !thread.is_finished() {
        if deadline.is_over() {
            return Err(thread);
        }
        pause.wait_timeout(Duration::from_millis(1));
    }
    if thread.join().is_err() {
        tracing::error!("a thread ended with a panic");
    }
    Ok(())
}
