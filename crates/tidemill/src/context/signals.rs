//! SIGINT, SIGTERM and SIGHUP drain every running context; a second one gives up what waits; a third ends the process.

use super::life::Inner;
use crate::{
    base::{Config, Error, Result, keys, thread},
    dstream::ContextState,
};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};
use std::{
    sync::{Arc, Mutex, OnceLock, PoisonError, Weak, atomic::Ordering},
    time::Duration,
};

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
    let what = |error: std::io::Error| Error::from(error).context("signals could not be taken over");
    let hang_up = Some(SIGHUP).filter(|signal| !is_ignored(*signal));
    let mut signals = Signals::new([SIGINT, SIGTERM].into_iter().chain(hang_up)).map_err(what)?;
    let watch = move || signals.forever().for_each(obey);
    thread::start("tidemill-signals".into(), watch).map(drop)
}

/// Whether the process was started to be deaf to a signal, as `nohup` does it.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    mask & (1 << (signal - 1)) != 0
}

/// Each context counts its own signals: the first drains it, the second hurries that, the third ends the process.
fn obey(signal: i32) {
    let active = active_contexts();
    if active.is_empty() {
        std::process::exit(128 + signal);
    }
    // A process that follows another ends when that one has drained, and gets the same signal.
    for context in active.into_iter().filter(|context| !context.follows()) {
        match context.signals.fetch_add(1, Ordering::Relaxed) {
            0 => drain(context),
            1 => context.hurry(),
            _ => std::process::exit(128 + signal),
        }
    }
}

fn active_contexts() -> Vec<Arc<Inner>> {
    let watched = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
    watched.iter().filter_map(Weak::upgrade).filter(|context| context.graph.phase() == ContextState::Active).collect()
}

/// On a thread of its own, for the next signal has to be heard meanwhile.
fn drain(context: Arc<Inner>) {
    let drain = move || {
        if let Err(error) = limit(&context.graph.config).and_then(|limit| context.stop(limit)) {
            tracing::error!(%error, "the context did not stop cleanly after a signal");
        }
    };
    if let Err(error) = thread::start("tidemill-stop".into(), drain) {
        tracing::error!(%error, "the context cannot be stopped in an orderly way; ending the process");
        std::process::exit(70);
    }
}

/// How long a drain may take; none if there is to be no drain.
fn limit(config: &Config) -> Result<Option<Duration>> {
    let drains = config.get(&keys::STOP_GRACEFULLY_ON_SHUTDOWN)?;
    Ok(if drains { Some(config.get(&keys::SHUTDOWN_TIMEOUT)?) } else { None })
}
