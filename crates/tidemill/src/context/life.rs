//! How a streaming context is started and how it ends.

use super::Context;
use crate::{
    base::{Result, clock::Deadline, keys, thread},
    dstream::{ContextState, graph::Graph},
    io::block::BlockPool,
    rdd::task::in_task,
    scheduler::{JobScheduler, ListenerBus},
};
use std::{
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, atomic::AtomicUsize},
    time::Duration,
};

/// What the handles of one context share.
pub(super) struct Inner {
    pub(super) context: Context,
    pub(super) graph: Arc<Graph>,
    pub(super) bus: Arc<ListenerBus>,
    pub(super) scheduler: OnceLock<Arc<JobScheduler>>,
    /// What all receivers together may hold.
    pub(super) pool: Arc<BlockPool>,
    /// How many signals to end this context has had.
    pub(super) signals: AtomicUsize,
    /// Held while the context is started or stopped.
    pub(super) transition: Mutex<()>,
}

impl Inner {
    pub(super) fn transition(&self) -> MutexGuard<'_, ()> {
        self.transition.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn start(self: &Arc<Self>) -> Result<()> {
        for notice in self.graph.config.check()? {
            tracing::warn!("{notice}");
        }
        tracing::info!(name = self.graph.config.get(&keys::APP_NAME)?, "a streaming program starts");
        self.warn_of_unused_streams()?;
        for guarantee in self.graph.guarantees() {
            tracing::info!("{guarantee}");
        }
        let me = Arc::downgrade(self);
        let told_to_stop = Box::new(move || {
            let limit = |inner: &Inner| inner.graph.config.get(&keys::SHUTDOWN_TIMEOUT);
            let stop = |inner: Arc<Inner>| limit(&inner).and_then(|limit| inner.stop(Some(limit)));
            if let Some(stopped) = me.upgrade().map(stop) {
                log_failure(stopped);
            }
        });
        let scheduler = JobScheduler::start(&self.graph, &self.bus, told_to_stop)?;
        let _ = self.scheduler.set(scheduler);
        Ok(())
    }

    fn warn_of_unused_streams(&self) -> Result<()> {
        if self.graph.config.get(&keys::WARN_UNUSED_STREAMS)? {
            for stream in self.graph.unused_streams() {
                tracing::warn!(
                    %stream,
                    "no output reads this stream, so nothing of it is computed; call an output operation on it or remove it"
                );
            }
        }
        Ok(())
    }

    /// Stops; on a thread that the stop has to wait for it is only begun, on another one.
    pub(super) fn stop(self: &Arc<Self>, drain: Option<Duration>) -> Result<()> {
        if !thread::is_awaited() && !in_task() {
            return self.stop_now(drain);
        }
        let inner = self.clone();
        thread::start("tidemill-stop".into(), move || log_failure(inner.stop_now(drain))).map(drop)
    }

    /// Makes a graceful stop that is under way give up what still waits.
    pub(super) fn hurry(&self) {
        if let Some(scheduler) = self.scheduler.get() {
            scheduler.hurry();
        }
    }

    /// Whether another process decides when this context stops.
    pub(super) fn follows(&self) -> bool {
        self.scheduler.get().is_some_and(|scheduler| scheduler.follows())
    }

    /// Stops a program that runs no more batches because one failed. Others are told by process 0.
    pub(super) fn stop_if_halted(self: &Arc<Self>) {
        if !self.follows() && self.scheduler.get().is_some_and(|scheduler| scheduler.is_halted()) {
            log_failure(self.stop(None));
        }
    }

    fn stop_now(&self, drain: Option<Duration>) -> Result<()> {
        let _transition = self.transition();
        if self.graph.phase() != ContextState::Active {
            tracing::warn!("stop was called on a context that is not active");
        }
        self.running().end(drain)
    }

    fn running(&self) -> Running {
        Running {
            context: self.context.clone(),
            graph: self.graph.clone(),
            bus: self.bus.clone(),
            scheduler: self.scheduler.get().cloned(),
        }
    }
}

/// What there is to end; apart from [`Inner`], because that may be dropped on a thread that has to be waited for.
struct Running {
    context: Context,
    graph: Arc<Graph>,
    bus: Arc<ListenerBus>,
    scheduler: Option<Arc<JobScheduler>>,
}

impl Running {
    fn end(self, drain: Option<Duration>) -> Result<()> {
        let stopped = match (self.graph.phase(), &self.scheduler) {
            (ContextState::Active, Some(scheduler)) => scheduler.stop(drain),
            _ => {
                self.bus.stop_before(&Deadline::after(Duration::from_secs(1)));
                Ok(())
            }
        };
        self.graph.set_phase(ContextState::Stopped);
        self.graph.clear();
        let stopped = stopped.and_then(|()| self.end_workers());
        if stopped.is_err() {
            // A worker may be in the function that does not return.
            self.context.session().abandon();
        }
        if let Some(scheduler) = &self.scheduler {
            scheduler.tell_stopped();
        }
        stopped
    }

    fn end_workers(&self) -> Result<()> {
        if self.graph.config.get(&keys::STOP_SPARK_CONTEXT)? { self.context.stop() } else { Ok(()) }
    }
}

fn log_failure(stopped: Result<()>) {
    if let Err(error) = stopped {
        tracing::error!(%error, "the context did not stop cleanly");
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let running = self.running();
        if self.graph.phase() != ContextState::Active {
            self.graph.clear();
        } else if thread::is_awaited() || in_task() {
            log_failure(thread::start("tidemill-stop".into(), move || log_failure(running.end(None))).map(drop));
        } else {
            log_failure(running.end(None));
        }
    }
}
