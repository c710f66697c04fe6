//! Which operators are at work on which partitions, for whoever has to say where a batch is stuck.

use super::{node::Site, task::JobScope};
use crate::base::Time;
use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

/// A task while it runs.
#[derive(Debug)]
pub(crate) struct TaskAtWork {
    batch_time: Option<Time>,
    partition: usize,
    site: Mutex<Site>,
}

impl TaskAtWork {
    fn site(&self) -> MutexGuard<'_, Site> {
        self.site.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another operator goes to work; the one before it.
    pub(super) fn enter(&self, site: Site) -> Site {
        std::mem::replace(&mut *self.site(), site)
    }
}

impl fmt::Display for TaskAtWork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\" on partition {}", self.site(), self.partition)
    }
}

/// The tasks of one context that run, once somebody asked for them to be watched.
#[derive(Debug, Default)]
pub(crate) struct AtWork {
    watched: AtomicBool,
    tasks: Mutex<Vec<Weak<TaskAtWork>>>,
}

impl AtWork {
    /// From now on tasks say what they are at.
    pub(crate) fn watch(&self) {
        self.watched.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_watched(&self) -> bool {
        self.watched.load(Ordering::Relaxed)
    }

    fn tasks(&self) -> MutexGuard<'_, Vec<Weak<TaskAtWork>>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A task begins; it counts until it is dropped.
    pub(super) fn begin(&self, scope: JobScope, partition: usize, site: Site) -> Arc<TaskAtWork> {
        let task = Arc::new(TaskAtWork { batch_time: scope.batch_time, partition, site: Mutex::new(site) });
        let mut tasks = self.tasks();
        tasks.retain(|known| known.strong_count() > 0);
        tasks.push(Arc::downgrade(&task));
        task
    }

    /// What the tasks of a batch are at.
    pub(crate) fn of(&self, time: Time) -> Vec<String> {
        let tasks: Vec<_> = self.tasks().iter().filter_map(Weak::upgrade).collect();
        tasks.iter().filter(|task| task.batch_time == Some(time)).map(|task| task.to_string()).collect()
    }
}
