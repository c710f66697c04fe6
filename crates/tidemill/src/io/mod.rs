//! Where records come from and where they go: the connectors that weigh nothing.

pub(crate) mod block;
pub(crate) mod direct;
pub(crate) mod file_stream;
pub(crate) mod generate;
mod print;
pub(crate) mod queue;
pub(crate) mod rate_limit;
pub(crate) mod receiver;
mod sink;
pub(crate) mod socket;

pub use crate::{
    dstream::input::{InputMemory, Slice},
    rdd::read::{Source, SourceChunks},
};
pub use direct::DirectInput;
pub use file_stream::FileStreamOptions;
pub(crate) use queue::QueueInput;
pub use queue::RddQueue;
pub use rate_limit::{RateLimit, RateLimiter};
pub use receiver::{Ending, Receiver, ReceiverLink};
pub use sink::{
    ObjectDirectories, PartReceipt, RollingFiles, RollingJsonLines, RollingOptions, RollingReceipt, Sink, SinkContract,
    SinkStart, TextDirectories,
};
