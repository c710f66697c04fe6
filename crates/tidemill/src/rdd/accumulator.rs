//! Values that tasks add to and the driver reads.
//!
//! A task gathers what it adds on its own thread; when it succeeded, that travels with its result, and when the whole
//! job succeeded, it is merged on every process in the order of stages and partitions. What failed counts nothing.

use super::{
    node::Site,
    session::Session,
    task::{in_task, run_guarded},
};
use crate::base::{Data, Error, Result};
use std::{
    any::Any,
    cell::RefCell,
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

/// What a task added: ids of accumulators and encoded values.
pub(crate) type Updates = Vec<(u64, Vec<u8>)>;

/// A value that tasks add to and only the driver reads.
///
/// Made by [`Context::long_accumulator`](crate::Context::long_accumulator) and its siblings. Only tasks of jobs that
/// succeeded count. A transformation that adds counts again whenever its dataset is computed again, so exact counts are
/// those of actions such as `foreach`.
///
/// # Examples
/// ```
/// let sc = tidemill::Context::local(2);
/// let odd = sc.long_accumulator("odd numbers");
/// let seen = odd.clone();
/// sc.range(0, 10, 1, 4).foreach(move |n| if n % 2 == 1 { seen.add(1) })?;
/// assert_eq!(odd.value(), 5);
/// # Ok::<(), tidemill::Error>(())
/// ```
pub struct Accumulator<V, A = V> {
    state: Arc<State<V, A>>,
}

type Add<V, A> = Box<dyn Fn(&mut A, V) + Send + Sync>;

struct State<V, A> {
    id: u64,
    name: String,
    site: Site,
    zero: A,
    add: Add<V, A>,
    merge: Add<A, A>,
    value: Mutex<A>,
}

impl<V, A> Clone for Accumulator<V, A> {
    fn clone(&self) -> Self {
        Self { state: self.state.clone() }
    }
}

impl<V, A: fmt::Debug> fmt::Debug for Accumulator<V, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Accumulator[{}] \"{}\": {:?}", self.state.id, self.state.name, self.state.lock())
    }
}

impl<V, A> State<V, A> {
    fn lock(&self) -> MutexGuard<'_, A> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<V: 'static, A: Data> Accumulator<V, A> {
    pub(crate) fn new(
        session: &Session,
        site: Site,
        name: &str,
        zero: A,
        add: impl Fn(&mut A, V) + Send + Sync + 'static,
        merge: impl Fn(&mut A, A) + Send + Sync + 'static,
    ) -> Self {
        let state = Arc::new(State {
            id: session.next_id(),
            name: name.to_owned(),
            site,
            value: Mutex::new(zero.clone()),
            zero,
            add: Box::new(add),
            merge: Box::new(merge),
        });
        let erased: Weak<dyn ErasedAccumulator> = Arc::downgrade(&(state.clone() as Arc<dyn ErasedAccumulator>));
        session.extensions.accumulators.register(state.id, erased);
        Self { state }
    }

    /// Its name.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(1);
    /// assert_eq!(sc.long_accumulator("bad lines").name(), "bad lines");
    /// ```
    pub fn name(&self) -> &str {
        &self.state.name
    }

    /// Adds `value`: in a task to what that task gathers, elsewhere at once.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(2);
    /// let total = sc.long_accumulator("total");
    /// total.add(100);
    /// let in_tasks = total.clone();
    /// sc.range(0, 4, 1, 2).foreach(move |n| in_tasks.add(n))?;
    /// assert_eq!(total.value(), 106);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[inline]
    pub fn add(&self, value: V) {
        if in_task() {
            self.add_in_task(value);
        } else {
            (self.state.add)(&mut self.state.lock(), value);
        }
    }

    fn add_in_task(&self, value: V) {
        // Taken out while the user's function runs, which may add to other accumulators.
        let mut partial = PARTIALS.with_borrow_mut(|partials| partials.take(self.state.id)).unwrap_or_else(|| {
            Partial { id: self.state.id, value: Box::new(self.state.zero.clone()), encode: encode::<A> }
        });
        if let Some(sum) = partial.value.downcast_mut() {
            (self.state.add)(sum, value);
        }
        PARTIALS.with_borrow_mut(|partials| partials.0.push(partial));
    }

    /// What has been added by all tasks of the jobs that succeeded.
    ///
    /// # Panics
    /// In a task, which knows only a part of it; a panic there fails the task with this text.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(2);
    /// let names = sc.collection_accumulator("names");
    /// names.add("mill".to_string());
    /// assert_eq!(names.value(), ["mill"]);
    /// let inside = names.clone();
    /// assert!(sc.range(0, 2, 1, 2).map(move |_| inside.value().len()).collect().is_err());
    /// ```
    #[track_caller]
    pub fn value(&self) -> A {
        assert!(
            !in_task(),
            "the value of the accumulator \"{}\" was read in a task; tasks only add to it, read it on the driver",
            self.state.name
        );
        self.state.lock().clone()
    }

    /// Sets the value.
    ///
    /// # Examples
    /// ```
    /// let highest = tidemill::Context::local(1).accumulator("highest", 0, |highest, n| *highest = n.max(*highest));
    /// highest.set(10);
    /// highest.add(7);
    /// assert_eq!(highest.value(), 10);
    /// ```
    pub fn set(&self, value: A) {
        *self.state.lock() = value;
    }

    /// Sets the value to the zero it started from.
    ///
    /// # Examples
    /// ```
    /// let errors = tidemill::Context::local(1).long_accumulator("errors");
    /// errors.add(3);
    /// errors.reset();
    /// assert_eq!(errors.value(), 0);
    /// ```
    pub fn reset(&self) {
        self.set(self.state.zero.clone());
    }
}

/// An accumulator of any type, as the end of a job sees it.
trait ErasedAccumulator: Send + Sync {
    fn merge(&self, update: &[u8]) -> Result<()>;
}

impl<V: 'static, A: Data> ErasedAccumulator for State<V, A> {
    fn merge(&self, update: &[u8]) -> Result<()> {
        let update: A = postcard::from_bytes(update)
            .map_err(|e| Error::data("an update of an accumulator could not be read").with_source(e))?;
        let what = format_args!("\"{}\" failed while updates of \"{}\" were merged", self.site, self.name);
        run_guarded(what, || (self.merge)(&mut self.lock(), update))
    }
}

/// The accumulators of one context that are still held by someone.
#[derive(Default)]
pub(crate) struct Accumulators(Mutex<HashMap<u64, Weak<dyn ErasedAccumulator>>>);

impl Accumulators {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Weak<dyn ErasedAccumulator>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn register(&self, id: u64, accumulator: Weak<dyn ErasedAccumulator>) {
        let mut accumulators = self.lock();
        accumulators.retain(|_, known| known.strong_count() > 0);
        accumulators.insert(id, accumulator);
    }

    /// Merges the updates of a job; those of accumulators that nobody holds any more are nobody's loss.
    pub(crate) fn apply(&self, updates: Updates) -> Result<()> {
        for (id, update) in updates {
            let accumulator = self.lock().get(&id).and_then(Weak::upgrade);
            if let Some(accumulator) = accumulator {
                accumulator.merge(&update)?;
            }
        }
        Ok(())
    }
}

/// What the task of this thread has added to one accumulator.
struct Partial {
    id: u64,
    value: Box<dyn Any>,
    encode: fn(&dyn Any) -> Result<Vec<u8>>,
}

fn encode<A: Data>(value: &dyn Any) -> Result<Vec<u8>> {
    let value = value.downcast_ref::<A>().ok_or_else(|| Error::internal("an accumulator is of another type"))?;
    postcard::to_stdvec(value).map_err(|e| Error::data("an accumulator could not be serialised").with_source(e))
}

/// What the task of this thread has added to all of them.
#[derive(Default)]
pub(crate) struct Partials(Vec<Partial>);

impl Partials {
    fn take(&mut self, id: u64) -> Option<Partial> {
        let position = self.0.iter().position(|partial| partial.id == id)?;
        Some(self.0.swap_remove(position))
    }

    pub(crate) fn encode(mut self) -> Result<Updates> {
        self.0.sort_by_key(|partial| partial.id);
        self.0.iter().map(|partial| Ok((partial.id, (partial.encode)(&*partial.value)?))).collect()
    }
}

thread_local! {
    static PARTIALS: RefCell<Partials> = const { RefCell::new(Partials(Vec::new())) };
}

/// What the task that just ended on this thread has added; the next one starts with nothing.
pub(crate) fn take_partials() -> Partials {
    PARTIALS.take()
}

#[cfg(test)]
mod tests;
