//! Named points between durable steps, where a test ends the process.
//!
//! Without the feature `crash-points`, and outside of debug builds, a step is nothing at all. With it, a process that has
//! `TIDEMILL_CRASH_AT=n` in its environment aborts at its `n`th step (from 1), and one that has `TIDEMILL_CRASH_LOG=file`
//! appends the name of every step to that file.

#[cfg(any(debug_assertions, feature = "crash-points"))]
mod armed {
    use std::{
        env,
        fs::{File, OpenOptions},
        io::Write,
        process,
        sync::{
            LazyLock, Mutex, PoisonError,
            atomic::{AtomicU64, Ordering},
        },
    };

    struct Plan {
        crash_at: Option<u64>,
        log: Option<Mutex<File>>,
        steps: AtomicU64,
    }

    static PLAN: LazyLock<Plan> = LazyLock::new(|| Plan {
        crash_at: env::var("TIDEMILL_CRASH_AT").ok().and_then(|at| at.parse().ok()),
        log: env::var_os("TIDEMILL_CRASH_LOG")
            .and_then(|path| OpenOptions::new().create(true).append(true).open(path).ok())
            .map(Mutex::new),
        steps: AtomicU64::new(0),
    });

    pub(super) fn step(name: &str) {
        let plan = &*PLAN;
        if plan.crash_at.is_none() && plan.log.is_none() {
            return;
        }
        let step = plan.steps.fetch_add(1, Ordering::Relaxed) + 1;
        if let Some(log) = &plan.log {
            let _ = writeln!(log.lock().unwrap_or_else(PoisonError::into_inner), "{step} {name}");
        }
        if plan.crash_at == Some(step) {
            process::abort();
        }
    }
}

/// Says that something durable was just done or is about to be: a place where a crash must be survived.
#[inline]
pub(crate) fn durable_step(name: &str) {
    #[cfg(any(debug_assertions, feature = "crash-points"))]
    armed::step(name);
    #[cfg(not(any(debug_assertions, feature = "crash-points")))]
    let _ = name;
}
