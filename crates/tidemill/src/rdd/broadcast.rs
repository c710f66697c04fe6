//! A value of the driver that all tasks read.

use super::{node::Site, session::Session};
use crate::base::{Error, Result};
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// A value that all tasks of a process share, made by [`Context::broadcast`](crate::Context::broadcast).
///
/// A closure may as well own an [`Arc`]; a broadcast is that, with a name in errors and an end.
///
/// # Examples
/// ```
/// let sc = tidemill::Context::local(2);
/// let names = sc.broadcast(vec!["zero", "one", "two"]);
/// let lookup = names.clone();
/// let named = sc.range(0, 3, 1, 2).map(move |n| lookup.value()[n as usize].to_string());
/// assert_eq!(named.collect()?, vec!["zero", "one", "two"]);
/// # Ok::<(), tidemill::Error>(())
/// ```
pub struct Broadcast<T> {
    shared: Arc<Shared<T>>,
}

struct Shared<T> {
    id: u64,
    site: Site,
    destroyed: AtomicBool,
    value: T,
}

impl<T> Clone for Broadcast<T> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

impl<T> fmt::Debug for Broadcast<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Broadcast[{}] {}", self.shared.id, self.shared.site)
    }
}

impl<T> Broadcast<T> {
    pub(crate) fn new(session: &Session, site: Site, value: T) -> Self {
        let shared = Shared { id: session.next_id(), site, destroyed: AtomicBool::new(false), value };
        Self { shared: Arc::new(shared) }
    }

    /// A number that is this broadcast's alone within its context.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(1);
    /// let (first, second) = (sc.broadcast("a"), sc.broadcast("a"));
    /// assert_ne!(first.id(), second.id());
    /// assert_eq!(first.id(), first.clone().id());
    /// ```
    pub fn id(&self) -> u64 {
        self.shared.id
    }

    /// The value.
    ///
    /// # Panics
    /// After [`destroy`](Self::destroy); a panic in a task fails the task with the text of
    /// [`try_value`](Self::try_value).
    ///
    /// # Examples
    /// ```
    /// let names = tidemill::Context::local(1).broadcast(vec!["zero", "one"]);
    /// assert_eq!(names.value()[1], "one");
    /// ```
    #[inline]
    #[track_caller]
    pub fn value(&self) -> &T {
        match self.try_value() {
            Ok(value) => value,
            Err(error) => panic!("{error}"),
        }
    }

    /// The value.
    ///
    /// # Errors
    /// After [`destroy`](Self::destroy), with the place where the broadcast was made.
    ///
    /// # Examples
    /// ```
    /// let limit = tidemill::Context::local(1).broadcast(10);
    /// assert_eq!(*limit.try_value()?, 10);
    /// limit.destroy();
    /// assert!(limit.try_value().is_err());
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[inline]
    pub fn try_value(&self) -> Result<&T> {
        if self.shared.destroyed.load(Ordering::Acquire) { Err(self.gone()) } else { Ok(&self.shared.value) }
    }

    #[cold]
    fn gone(&self) -> Error {
        let Shared { id, site, .. } = &*self.shared;
        Error::invalid(format!("broadcast {id}, made by \"{site}\", was used after it was destroyed; destroy it later"))
    }

    /// Does nothing, and is here for programs that call it: tasks read the driver's own copy.
    ///
    /// # Examples
    /// ```
    /// let limit = tidemill::Context::local(1).broadcast(10);
    /// limit.unpersist();
    /// assert_eq!(*limit.value(), 10);
    /// ```
    pub fn unpersist(&self) {}

    /// Makes every later use an error. The memory is free when the last clone is gone, such as that in a closure.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(2);
    /// let factor = sc.broadcast(10);
    /// let by = factor.clone();
    /// let products = sc.range(0, 3, 1, 2).map(move |n| n * by.value());
    /// assert_eq!(products.collect()?, [0, 10, 20]);
    /// factor.destroy();
    /// assert!(products.collect().is_err());
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    pub fn destroy(&self) {
        self.shared.destroyed.store(true, Ordering::Release);
    }
}
