//! Batches over time: the clock that cuts them, the thread that runs them, who listens, and how fast inputs may go.

mod aside;
mod batch;
mod commit;
mod failure;
mod generator;
mod job_scheduler;
pub mod listener;
mod processes;
pub mod rate;
mod recovery;
mod run;
mod stop;
mod waiter;
mod watchdog;

pub(crate) use job_scheduler::JobScheduler;
pub use job_scheduler::Progress;

pub use listener::{
    BatchCompleted, BatchInfo, BatchStarted, BatchSubmitted, ListenerBus, ListenerId, OutputOperationCompleted,
    OutputOperationInfo, OutputOperationStarted, ReceiverError, ReceiverInfo, ReceiverStarted, ReceiverStopped,
    StatsReportListener, StreamInputInfo, StreamingEvent, StreamingListener, StreamingStarted,
};
pub use rate::{PidGains, PidRateEstimator, RateController, RateEstimator, RateSample};
