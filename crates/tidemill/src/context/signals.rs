//! SIGINT and SIGTERM drain every running context; a second one stops at once; a third ends the process.

use super::streaming::Inner;
use crate::{
    base::{Error, Result},
    dstream::ContextState,
};
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

/// The contexts that a signal stops.
static WATCHED: Mutex<Vec<Weak<Inner>>> = Mutex::new(Vec::new());
static WATCHER: OnceLock<Result<()>> = OnceLock::new();

/// Makes signals stop this context too.
pub(super) fn watch(context: &Arc<Inner>) -> Result<()> {
    {
        let mut watched = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
        watched.retain(|other| other.strong_count() > 0);
        watched.push(Arc::downgrade(context));
    }
    WATCHER.get_or_init(start_watcher).clone()
}

/// The watcher lives as long as the process: signals can only be taken over once.
fn start_watcher() -> Result<()> {
    let what = |error| Error::from(error).context("signals could not be taken over");
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(what)?;
    let watch = move || {
        let mut seen = 0;
        for signal in signals.forever() {
            let active = active_contexts();
            seen = if active.is_empty() { 3 } else { seen + 1 };
            if seen > 2 {
                std::process::exit(128 + signal);
            }
            // A process that follows another ends when that one has drained, and gets the same signal.
            for context in active.into_iter().filter(|context| !context.follows()) {
                stop(context, seen == 1);
            }
        }
    };
    std::thread::Builder::new().name("tidemill-signals".into()).spawn(watch).map(drop).map_err(what)
}

fn active_contexts() -> Vec<Arc<Inner>> {
    let watched = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
    watched.iter().filter_map(Weak::upgrade).filter(|context| context.graph.phase() == ContextState::Active).collect()
}

fn stop(context: Arc<Inner>, gracefully: bool) {
    let stop = move || {
        let stopped = if gracefully { context.stop(true) } else { context.hurry() };
        if let Err(error) = stopped {
            tracing::error!(%error, "the context did not stop cleanly after a signal");
        }
    };
    if let Err(error) = std::thread::Builder::new().name("tidemill-stop".into()).spawn(stop) {
        tracing::error!(%error, "the thread that stops the context could not be started");
        std::process::exit(70);
    }
}
