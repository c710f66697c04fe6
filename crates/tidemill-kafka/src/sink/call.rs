//! Calls that wait for the cluster, with a limit that is ours: librdkafka has been seen to hang in them, whatever limit it
//! was given.

use crate::settings::KafkaSettings;
use rdkafka::error::KafkaResult;
use std::{
    sync::mpsc::{RecvTimeoutError, sync_channel},
    thread,
    time::Duration,
};
use tidemill::{Error, Result};

/// How much longer than its own limit a call may take before it is left to itself.
const GRACE: Duration = Duration::from_secs(3);

/// A call, with what it attempts for its error.
pub(super) struct Call<'a> {
    settings: &'a KafkaSettings,
    attempted: &'a str,
}

impl<'a> Call<'a> {
    pub(super) fn new(settings: &'a KafkaSettings, attempted: &'a str) -> Self {
        Self { settings, attempted }
    }

    /// Runs `f`, which gives up by itself after the timeout of the settings, in a thread that is left behind if it does not.
    ///
    /// # Errors
    /// What `f` returned; Unavailable if it did not return.
    pub(super) fn run<R: Send + 'static>(self, f: impl FnOnce() -> KafkaResult<R> + Send + 'static) -> Result<R> {
        self.run_raw(f)?.map_err(|error| self.settings.error(self.attempted, &error))
    }

    /// The same, with the error of librdkafka as it is.
    pub(super) fn run_raw<R: Send + 'static>(&self, f: impl FnOnce() -> R + Send + 'static) -> Result<R> {
        let (sender, receiver) = sync_channel(1);
        let call = move || drop(sender.send(f()));
        let thread = thread::Builder::new().name("tidemill-kafka-call".into()).spawn(call).map_err(Error::from)?;
        let limit = self.settings.timeout() + GRACE;
        match receiver.recv_timeout(limit) {
            Ok(returned) => {
                let _ = thread.join();
                Ok(returned)
            }
            Err(RecvTimeoutError::Timeout) => {
                Err(Error::unavailable(format!("{}: librdkafka does not come back after {limit:?}", self.attempted)))
            }
            Err(RecvTimeoutError::Disconnected) => Err(Error::internal(format!("{}: it panicked", self.attempted))),
        }
    }
}
