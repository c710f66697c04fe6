//! From the core's threads to the asynchronous clients: one small runtime, and a deadline of ours on every call.

use std::{
    future::Future,
    sync::{LazyLock, mpsc},
    time::Duration,
};
use tidemill::{Error, Result, base::clock::Stopwatch};
use tokio::runtime::{Builder, Handle, Runtime};

/// For all storages of the process; it ends with it.
static RUNTIME: LazyLock<std::io::Result<Runtime>> =
    LazyLock::new(|| Builder::new_multi_thread().worker_threads(2).thread_name("tidemill-store").enable_all().build());

pub(crate) fn runtime() -> Result<Handle> {
    let failed =
        |error: &std::io::Error| Error::unavailable(format!("the threads of tidemill-store cannot start: {error}"));
    RUNTIME.as_ref().map(|runtime| runtime.handle().clone()).map_err(failed)
}

/// Runs a call to its end, or to the deadline. The caller may itself be within somebody's asynchronous runtime.
pub(crate) fn call<R: Send + 'static>(
    deadline: Duration,
    future: impl Future<Output = Result<R>> + Send + 'static,
) -> Result<R> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let task = runtime()?.spawn(async move {
        let over = || Error::unavailable(format!("no answer within {} s", deadline.as_secs_f64()));
        let result = tokio::time::timeout(deadline, future).await;
        // Whoever asked may have gone.
        let _ = sender.send(result.unwrap_or_else(|_| Err(over())));
    });
    // A call that never yields is not ended by the timer; the caller is not made to wait for it.
    let result = receiver.recv_timeout(deadline + Duration::from_secs(1));
    result.unwrap_or_else(|error| {
        task.abort();
        Err(Error::unavailable(format!("the call broke off: {error}")))
    })
}

/// What is left of a call's time.
#[derive(Clone, Copy)]
pub(crate) struct TimeLeft {
    since: Stopwatch,
    limit: Duration,
}

impl TimeLeft {
    pub(crate) fn of(limit: Duration) -> Self {
        Self { since: Stopwatch::start(), limit }
    }

    pub(crate) fn is_over(self) -> bool {
        self.since.elapsed() >= self.limit
    }
}
