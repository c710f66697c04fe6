//! Receivers: threads that take records in from outside and store them in blocks.
//!
//! A receiver is restarted when it ends or fails, waits when the pool of blocks is full, and is told to stop by its
//! link. A block belongs to the first batch that is cut after it was stored.
//!
//! With a log of received data a block is in the storage of the checkpoint before a batch is given it, and before a receiver that
//! stores whole blocks is told that they are stored; see `stored`.

mod blocks;
mod input;
mod link;
mod place;
mod saving;
mod stored;
mod supervisor;

pub(crate) use input::{ReceiverInput, ReceiverName};
pub use link::ReceiverLink;
pub(crate) use link::{SealedBlocks, SharedLink};
pub(in crate::io) use place::Place;

use crate::base::{Data, Result};

/// How a receiver ended without an error.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// To be started again after the restart delay, because of this.
    Restart(String),
    /// For good, because of this.
    Stop(String),
}

/// Takes records in from outside. One `run` is one connection, or whatever the receiver makes of it.
///
/// # Examples
/// ```
/// use tidemill::io::{Ending, Receiver, ReceiverLink};
/// struct Countdown(u32);
/// impl Receiver for Countdown {
///     type Item = u32;
///     fn run(&mut self, link: &ReceiverLink<u32>) -> tidemill::Result<Ending> {
///         while self.0 > 0 && !link.is_stopped() {
///             link.store(self.0)?;
///             self.0 -= 1;
///         }
///         Ok(Ending::Stop("lift-off".into()))
///     }
/// }
/// ```
pub trait Receiver: Send + 'static {
    /// The records that it stores.
    type Item: Data;

    /// Receives on a thread of its own until the link [is stopped](ReceiverLink::is_stopped) or there is no more.
    ///
    /// # Errors
    /// An error is reported to the listeners, and the receiver is run again after the restart delay.
    fn run(&mut self, link: &ReceiverLink<Self::Item>) -> Result<Ending>;
}

#[cfg(test)]
mod tests;
