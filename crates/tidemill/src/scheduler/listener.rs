//! What a running program tells about itself: nine events, and the trait of those who listen to them.
//!
//! The order for one batch is: submitted; started; output operations started and completed; completed.
//! Receivers report on their own, between and during batches.

mod bus;
mod info;
mod stats;
#[cfg(test)]
mod tests;

pub use bus::{ListenerBus, ListenerId};
pub use info::{BatchInfo, OutputOperationInfo, ReceiverInfo, StreamInputInfo};
pub use stats::StatsReportListener;

use crate::base::Time;
use std::sync::Arc;

/// Declares for every event its struct, its method of the listener and its variant of `StreamingEvent`.
macro_rules! events {
    ($($(#[$doc:meta])* $event:ident { $field:ident: $type:ty, $(#[$field_doc:meta])* } => $method:ident;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug)]
            #[non_exhaustive]
            pub struct $event {
                $(#[$field_doc])*
                pub $field: $type,
            }

            impl $event {
                /// The event about this.
                pub fn new($field: $type) -> Self {
                    Self { $field }
                }
            }

            impl From<$event> for StreamingEvent {
                fn from(event: $event) -> Self {
                    StreamingEvent::$event(event)
                }
            }
        )*

        /// Any of the events.
        #[derive(Clone, Debug)]
        #[non_exhaustive]
        pub enum StreamingEvent {
            $($(#[$doc])* $event($event),)*
        }

        impl StreamingEvent {
            /// Calls the method of `listener` that is for this event.
            pub fn deliver(&self, listener: &dyn StreamingListener) {
                match self {
                    $(StreamingEvent::$event(event) => listener.$method(event),)*
                }
            }
        }

        /// Observes a running program; every method does nothing unless it is overridden.
        ///
        /// Methods are called one event after another on a thread of their own, so that the engine never waits for
        /// a listener. What a listener panics with is logged, and the program goes on. A stop of the context that a
        /// listener calls for is only begun: it waits for the listener.
        ///
        /// # Examples
        /// ```
        /// use std::sync::{Arc, atomic::{AtomicU64, Ordering}};
        /// use tidemill::{BatchCompleted, BatchInfo, StreamInputInfo, StreamingListener, Time};
        /// use tidemill::scheduler::ListenerBus;
        ///
        /// #[derive(Default)]
        /// struct Counter(AtomicU64);
        /// impl StreamingListener for Counter {
        ///     fn on_batch_completed(&self, event: &BatchCompleted) {
        ///         self.0.fetch_add(event.batch_info.num_records(), Ordering::Relaxed);
        ///     }
        /// }
        ///
        /// let (bus, counter) = (ListenerBus::new(100)?, Arc::new(Counter::default()));
        /// bus.add(counter.clone());
        /// let time = Time::from_ms(1_000);
        /// bus.post(BatchCompleted::new(BatchInfo::new(time, time).with_input(StreamInputInfo::new(0, 7))));
        /// bus.stop()?;
        /// assert_eq!(counter.0.load(Ordering::Relaxed), 7);
        /// # Ok::<(), tidemill::Error>(())
        /// ```
        pub trait StreamingListener: Send + Sync {
            $($(#[$doc])* fn $method(&self, event: &$event) {
                let _ = event;
            })*
        }

        impl<L: StreamingListener + ?Sized> StreamingListener for Arc<L> {
            $(fn $method(&self, event: &$event) {
                (**self).$method(event);
            })*
        }
    };
}

events! {
    /// The context was started.
    StreamingStarted {
        time: Time,
        /// When.
    } => on_streaming_started;
    /// A receiver was started.
    ReceiverStarted {
        receiver_info: ReceiverInfo,
        /// The receiver.
    } => on_receiver_started;
    /// A receiver reported an error.
    ReceiverError {
        receiver_info: ReceiverInfo,
        /// The receiver, with its last error.
    } => on_receiver_error;
    /// A receiver was stopped.
    ReceiverStopped {
        receiver_info: ReceiverInfo,
        /// The receiver.
    } => on_receiver_stopped;
    /// A batch was handed over to be processed; it may have to wait for the batches before it.
    BatchSubmitted {
        batch_info: BatchInfo,
        /// The batch; its times of processing are not known yet.
    } => on_batch_submitted;
    /// The processing of a batch began; comes before the first output operation of the batch.
    BatchStarted {
        batch_info: BatchInfo,
        /// The batch; its end is not known yet.
    } => on_batch_started;
    /// All output operations of a batch ended, whether they succeeded or failed.
    BatchCompleted {
        batch_info: BatchInfo,
        /// The batch, with all its times.
    } => on_batch_completed;
    /// An output operation of a batch began.
    OutputOperationStarted {
        output_operation_info: OutputOperationInfo,
        /// The output operation; its end is not known yet.
    } => on_output_operation_started;
    /// An output operation of a batch ended.
    OutputOperationCompleted {
        output_operation_info: OutputOperationInfo,
        /// The output operation, with the reason if it failed.
    } => on_output_operation_completed;
}
