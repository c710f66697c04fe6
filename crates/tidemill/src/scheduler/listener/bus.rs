//! Brings events to listeners on a thread of its own, so that no listener can hold up the engine.

use super::{StreamingEvent, StreamingListener};
use crate::base::{
    Error, Result,
    clock::Deadline,
    thread::{join_before, start_awaited},
};
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use std::{
    any::Any,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle, ThreadId},
};

/// A listener that was added to a bus; what is needed to remove it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ListenerId(u64);

/// A queue of events, and the thread that delivers them to every listener in order.
///
/// The queue is bounded and posting never waits: while listeners are too slow and the queue is full, new events are
/// dropped and counted, and how many they were is logged once the queue is empty again.
///
/// # Examples
/// ```
/// use tidemill::{StatsReportListener, StreamingStarted, Time, scheduler::ListenerBus};
/// let bus = ListenerBus::new(100)?;
/// let id = bus.add(StatsReportListener::default());
/// bus.post(StreamingStarted::new(Time::from_ms(0)));
/// bus.flush()?; // now it is delivered
/// assert!(bus.remove(id));
/// bus.stop()?;
/// # Ok::<(), tidemill::Error>(())
/// ```
pub struct ListenerBus {
    shared: Arc<Shared>,
    /// None once the bus was stopped.
    queue: RwLock<Option<Sender<Message>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    thread_id: ThreadId,
}

/// What the thread and its owner both see.
#[derive(Default)]
struct Shared {
    /// Replaced as a whole when a listener comes or goes, so that no lock is held while listeners run.
    listeners: RwLock<Arc<Vec<Entry>>>,
    next_id: AtomicU64,
    dropped: AtomicU64,
}

#[derive(Clone)]
struct Entry {
    id: ListenerId,
    type_name: &'static str,
    listener: Arc<dyn StreamingListener>,
}

enum Message {
    Event(Box<StreamingEvent>),
    /// Everything before it was delivered when this arrives.
    Flush(Sender<()>),
}

impl ListenerBus {
    /// A bus whose queue holds `capacity` events.
    ///
    /// # Errors
    /// Unavailable, if the system gives no thread.
    pub fn new(capacity: usize) -> Result<Self> {
        let (queue, messages) = bounded(capacity.max(1));
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        let thread = start_awaited("tidemill-listeners".to_owned(), move || of_thread.run(&messages))?;
        let thread_id = thread.thread().id();
        Ok(Self { shared, queue: RwLock::new(Some(queue)), thread: Mutex::new(Some(thread)), thread_id })
    }

    /// Adds a listener; it hears of every event that is delivered from now on.
    pub fn add<L: StreamingListener + 'static>(&self, listener: L) -> ListenerId {
        let id = ListenerId(self.shared.next_id.fetch_add(1, Ordering::Relaxed));
        let entry = Entry { id, type_name: std::any::type_name::<L>(), listener: Arc::new(listener) };
        self.shared.change_listeners(|listeners| listeners.push(entry));
        id
    }

    /// Removes a listener and says whether it was there. A call that is under way on the other thread is not awaited.
    pub fn remove(&self, id: ListenerId) -> bool {
        self.shared.change_listeners(|listeners| {
            let before = listeners.len();
            listeners.retain(|entry| entry.id != id);
            listeners.len() < before
        })
    }

    /// Puts an event into the queue and returns at once. After [`stop`](Self::stop) it does nothing.
    pub fn post(&self, event: impl Into<StreamingEvent>) {
        let queue = self.queue.read().unwrap_or_else(PoisonError::into_inner);
        let Some(queue) = &*queue else { return };
        if let Err(TrySendError::Full(_)) = queue.try_send(Message::Event(Box::new(event.into()))) {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many events were dropped because the queue was full.
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }

    /// Waits until everything that was posted before this call is delivered.
    ///
    /// # Errors
    /// Invalid, if a listener calls it: it would wait for itself.
    pub fn flush(&self) -> Result<()> {
        self.refuse_on_bus_thread("flush")?;
        let queue = self.queue.read().unwrap_or_else(PoisonError::into_inner).clone();
        let (done, delivered) = bounded(1);
        if let Some(queue) = queue
            && queue.send(Message::Flush(done)).is_ok()
        {
            // An error means that the thread has ended, and it ends only when all is delivered.
            let _ = delivered.recv();
        }
        Ok(())
    }

    /// Delivers what is in the queue, then ends the thread. A second call does nothing.
    ///
    /// # Errors
    /// Invalid, if a listener calls it: it would wait for itself.
    pub fn stop(&self) -> Result<()> {
        self.refuse_on_bus_thread("stop")?;
        self.close();
        // The lock is kept during the join, so that a second caller returns no earlier than the first.
        if let Some(thread) = self.thread().take() {
            thread.join().map_err(|_| Error::internal("the thread of the listeners panicked"))?;
        }
        Ok(())
    }

    /// As [`stop`](Self::stop), but a listener that does not return before `deadline` is left behind (false).
    pub(crate) fn stop_before(&self, deadline: &Deadline) -> bool {
        self.close();
        let Some(thread) = self.thread().take() else { return true };
        join_before(thread, deadline).is_ok()
    }

    fn close(&self) {
        drop(self.queue.write().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// Whether the caller is a listener, in the midst of an event.
    pub fn is_bus_thread(&self) -> bool {
        thread::current().id() == self.thread_id
    }

    fn refuse_on_bus_thread(&self, operation: &str) -> Result<()> {
        if self.is_bus_thread() {
            return Err(Error::invalid(format!(
                "\"{operation}\" was called by a streaming listener, for which it would have to wait; call it from another thread"
            )));
        }
        Ok(())
    }

    fn thread(&self) -> MutexGuard<'_, Option<JoinHandle<()>>> {
        self.thread.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ListenerBus {
    fn drop(&mut self) {
        // On the bus's own thread there is nothing to wait for: it ends when the queue, which goes now, is empty.
        if let Err(error) = self.stop() {
            tracing::debug!(%error, "the listeners were not awaited");
        }
    }
}

impl fmt::Debug for ListenerBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListenerBus")
            .field("listeners", &self.shared.listeners().len())
            .field("dropped", &self.dropped())
            .finish_non_exhaustive()
    }
}

impl Shared {
    /// The life of the thread: until the queue is closed and empty.
    fn run(&self, messages: &Receiver<Message>) {
        let mut reported = 0;
        for message in messages {
            match message {
                Message::Event(event) => self.deliver(&event),
                // Whoever waited may have gone.
                Message::Flush(done) => drop(done.send(())),
            }
            if messages.is_empty() {
                self.report_dropped(&mut reported);
            }
        }
        self.report_dropped(&mut reported);
    }

    fn deliver(&self, event: &StreamingEvent) {
        // The outer guard is for the drop of a listener that was removed meanwhile, whose last handle is ours.
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            for entry in self.listeners().iter() {
                let call = AssertUnwindSafe(|| event.deliver(&*entry.listener));
                if let Err(panic) = catch_unwind(call) {
                    let reason = panic_text(&*panic);
                    tracing::error!(listener = entry.type_name, reason, "a streaming listener panicked; it stays");
                }
            }
        }));
        if let Err(panic) = outcome {
            let reason = panic_text(&*panic);
            tracing::error!(reason, "a streaming listener panicked while it was removed");
        }
    }

    /// Says how many events were dropped since it was said last.
    fn report_dropped(&self, reported: &mut u64) {
        let dropped = self.dropped.load(Ordering::Relaxed);
        if dropped > *reported {
            let events = dropped - *reported;
            tracing::warn!(events, "streaming listeners were too slow and events were dropped");
            *reported = dropped;
        }
    }

    fn listeners(&self) -> Arc<Vec<Entry>> {
        Arc::clone(&self.listeners.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn change_listeners<T>(&self, change: impl FnOnce(&mut Vec<Entry>) -> T) -> T {
        let mut listeners = self.listeners.write().unwrap_or_else(PoisonError::into_inner);
        let mut changed = Vec::clone(&listeners);
        let outcome = change(&mut changed);
        let before = std::mem::replace(&mut *listeners, Arc::new(changed));
        drop(listeners);
        // Perhaps the last handle of a removed listener: its drop is user code and must not run under the lock.
        drop(before);
        outcome
    }
}

/// What a panic said, as far as it said something.
fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("it did not say why")
}
