//! Where records come from and where they go: the connectors that weigh nothing.

mod block;
pub mod files;
pub(crate) mod generate;
mod print;
pub(crate) mod queue;
pub(crate) mod rate_limit;
pub(crate) mod receiver;
pub(crate) mod socket;

pub(crate) use queue::QueueInput;
pub use queue::RddQueue;
pub use rate_limit::{RateLimit, RateLimiter};
pub use receiver::{Ending, Receiver, ReceiverLink};
