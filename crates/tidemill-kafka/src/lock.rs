//! The one way in which this crate locks.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks; what a holder that panicked has left is as good as any.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
