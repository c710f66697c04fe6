//! Batches over time: who listens to them and how fast their inputs may go.

pub mod listener;
pub mod rate;

pub use listener::{
    BatchCompleted, BatchInfo, BatchStarted, BatchSubmitted, ListenerBus, ListenerId, OutputOperationCompleted,
    OutputOperationInfo, OutputOperationStarted, ReceiverError, ReceiverInfo, ReceiverStarted, ReceiverStopped,
    StatsReportListener, StreamInputInfo, StreamingEvent, StreamingListener, StreamingStarted,
};
pub use rate::{PidGains, PidRateEstimator, RateController, RateEstimator, RateLimit, RateLimiter, RateSample};
