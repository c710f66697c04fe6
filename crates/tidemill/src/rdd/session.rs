//! What every Rdd of one context shares: ids, parallelism, and who runs its jobs.

use super::{
    accumulator::{Accumulators, Updates},
    aside::Batches,
    at_work::AtWork,
    checkpoint::RddDirectory,
    interrupt,
    job::JobRunner,
    spill::SpillFolder,
    task::{JobScope, Tracking},
};
use crate::base::{Result, text::LineTally};
use std::{
    cell::Cell,
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

/// Shared by all Rdds of one context.
pub(crate) struct Session {
    next_id: AtomicU64,
    default_parallelism: usize,
    runner: Arc<dyn JobRunner>,
    pub(crate) extensions: Extensions,
}

/// What other rooms of the context keep with the session.
#[derive(Default)]
pub(crate) struct Extensions {
    pub(crate) accumulators: Accumulators,
    pub(crate) at_work: Arc<AtWork>,
    /// Where streams are checkpointed; Rdds too, unless they have a directory of their own.
    pub(crate) checkpoint_dir: OnceLock<std::path::PathBuf>,
    /// The batches that may put records aside.
    pub(crate) dead_letters: Batches,
    /// How many jobs were started.
    pub(crate) jobs: AtomicU64,
    /// What text sources had to drop or repair.
    pub(crate) line_tally: LineTally,
    pub(crate) rdd_checkpoints: RddDirectory,
    pub(crate) spills: SpillFolder,
}

thread_local! {
    static SCOPE: Cell<JobScope> = const { Cell::new(JobScope { batch_time: None }) };
}

impl Session {
    pub(crate) fn new(default_parallelism: usize, runner: Arc<dyn JobRunner>) -> Arc<Self> {
        Arc::new(Self { next_id: AtomicU64::new(0), default_parallelism, runner, extensions: Extensions::default() })
    }

    pub(crate) fn next_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// How many partitions a shuffle of a stream has unless the user says otherwise.
    pub(crate) fn default_parallelism(&self) -> usize {
        self.default_parallelism
    }

    pub(crate) fn runner(&self) -> &dyn JobRunner {
        &*self.runner
    }

    /// Runs `f` so that every job it starts on this thread belongs to `scope`.
    pub(crate) fn scoped<R>(scope: JobScope, f: impl FnOnce() -> R) -> R {
        struct Restore(JobScope);
        impl Drop for Restore {
            fn drop(&mut self) {
                SCOPE.set(self.0);
            }
        }
        let _restore = Restore(SCOPE.replace(scope));
        f()
    }

    /// The scope of the jobs that this thread starts.
    pub(crate) fn scope() -> JobScope {
        SCOPE.get()
    }

    /// What the jobs that this thread starts are to keep of their tasks.
    pub(crate) fn tracking(&self) -> Tracking {
        let Extensions { at_work, dead_letters, .. } = &self.extensions;
        Tracking {
            letters: dead_letters.for_job(Session::scope().batch_time),
            at_work: at_work.is_watched().then(|| at_work.clone()),
            interrupt: interrupt::of_jobs(),
        }
    }

    /// Adds what tasks added to accumulators.
    pub(crate) fn apply_updates(&self, updates: Updates) -> Result<()> {
        self.extensions.accumulators.apply(updates)
    }

    /// As [`stop`](Self::stop), without waiting for the workers: one of them may never come back.
    pub(crate) fn abandon(&self) {
        self.runner.abandon();
    }

    /// Whether several processes run the same program.
    pub(crate) fn is_shared(&self) -> bool {
        self.runner.process().1 > 1
    }

    /// The outcome of a step of the driver that all processes have: a failure if any of them failed.
    pub(crate) fn agree(&self, outcome: Result<()>) -> Result<()> {
        self.runner.agree(Session::scope(), outcome)
    }

    /// Whether this process does what is to be done once.
    pub(crate) fn is_driver(&self) -> bool {
        self.runner.process().0 == 0
    }

    /// Stops the engine and removes temporary files; jobs fail from then on.
    pub(crate) fn stop(&self) -> Result<()> {
        let stopped = self.runner.stop();
        self.extensions.spills.remove();
        stopped
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("default_parallelism", &self.default_parallelism).finish_non_exhaustive()
    }
}
