//! The context that runs streams.

use crate::{
    block::{Block, of_bytes, of_lines},
    context::Context,
    error::{declared, detached, in_task, interpreted, raised},
    kafka::{self, KafkaStream},
    listener,
    rdd::Rdd,
    receiver,
    state::blocks_of_values,
    stream::{DStream, made_rdd},
};
use pyo3::prelude::*;
use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};
use tidemill::{
    Clock, ContextState, Time, base::clock::Stopwatch, io::FileStreamOptions, io::RddQueue as NativeQueue,
    milliseconds, scheduler::ListenerId,
};

/// How often signals are looked for while something is waited for.
const SIGNALS_EVERY: Duration = Duration::from_millis(50);

/// A clock that stands still.
#[pyclass(frozen, module = "tidemill._native")]
#[derive(Clone)]
pub(crate) struct ManualClock(tidemill::ManualClock);

#[pymethods]
impl ManualClock {
    #[new]
    #[pyo3(signature = (start_ms=0))]
    fn new(start_ms: u64) -> Self {
        Self(tidemill::ManualClock::new(Time::from_ms(start_ms)))
    }

    fn now(&self) -> u64 {
        self.0.now().as_ms()
    }

    fn advance(&self, ms: u64) {
        self.0.advance(milliseconds(ms));
    }
}

/// Where datasets wait for their batch.
#[pyclass(frozen, module = "tidemill._native")]
pub(crate) struct RddQueue(NativeQueue<Block>);

#[pymethods]
impl RddQueue {
    fn push(&self, rdd: &Rdd) {
        self.0.push(rdd.0.clone());
    }
}

#[pyclass(frozen, module = "tidemill._native")]
pub(crate) struct StreamingContext(pub(crate) tidemill::StreamingContext);

#[pymethods]
impl StreamingContext {
    #[new]
    #[pyo3(signature = (context, batch_ms, clock=None))]
    fn new(py: Python<'_>, context: &Context, batch_ms: u64, clock: Option<&ManualClock>) -> PyResult<Self> {
        let batch = milliseconds(batch_ms);
        detached(py, || match clock {
            None => tidemill::StreamingContext::new(&context.0, batch),
            Some(clock) => tidemill::StreamingContext::with_clock(&context.0, batch, Arc::new(clock.0.clone())),
        })
        .map(Self)
    }

    #[getter]
    fn state(&self) -> &'static str {
        match self.0.state() {
            ContextState::Initialized => "initialized",
            ContextState::Active => "active",
            ContextState::Stopped => "stopped",
        }
    }

    #[getter]
    fn completed_batches(&self) -> u64 {
        self.0.progress().completed_batches
    }

    fn checkpoint(&self, py: Python<'_>, url: &str) -> PyResult<()> {
        detached(py, || self.0.checkpoint(url))
    }

    fn leave_behind(&self, py: Python<'_>, start: u64) -> PyResult<()> {
        detached(py, || self.0.leave_behind(start))
    }

    fn before_start(&self, py: Python<'_>, call: Py<PyAny>) -> PyResult<()> {
        let tell = move |last: u64| interpreted(|py| call.bind(py).call1((last,)).map(drop));
        detached(py, || self.0.before_start(tell))
    }

    fn remember(&self, py: Python<'_>, ms: u64) -> PyResult<()> {
        detached(py, || self.0.remember(milliseconds(ms)))
    }

    fn guarantees(&self) -> Vec<String> {
        self.0.guarantees()
    }

    fn socket_text_stream(&self, py: Python<'_>, host: &str, port: u16) -> PyResult<DStream> {
        declared(py, || DStream(self.0.socket_text_stream(host, port).map_partitions(|lines| of_lines(lines))))
    }

    #[pyo3(signature = (directory, filter=None, new_files_only=true))]
    fn text_file_stream(
        &self,
        py: Python<'_>,
        directory: &str,
        filter: Option<Py<PyAny>>,
        new_files_only: bool,
    ) -> PyResult<DStream> {
        let mut options = FileStreamOptions::new().new_files_only(new_files_only);
        if let Some(filter) = filter {
            options = options.filter(move |path: &Path| {
                in_task(|py| filter.bind(py).call1((path.display().to_string(),))?.is_truthy())
            });
        }
        declared(py, || {
            DStream(self.0.text_file_stream_with(directory, options).map_partitions(|lines| of_lines(lines)))
        })
    }

    fn binary_records_stream(&self, py: Python<'_>, directory: &str, record_length: usize) -> PyResult<DStream> {
        declared(py, || {
            let records = self.0.binary_records_stream(directory, record_length);
            DStream(records.map_partitions(|records| of_bytes(records)))
        })
    }

    #[pyo3(signature = (one_at_a_time, default))]
    fn queue_stream(
        &self,
        py: Python<'_>,
        one_at_a_time: bool,
        default: Option<&Rdd>,
    ) -> PyResult<(DStream, RddQueue)> {
        declared(py, || {
            let (stream, queue) = match default {
                None => self.0.queue_stream(one_at_a_time),
                Some(default) => self.0.queue_stream_with_default(one_at_a_time, &default.0),
            };
            (DStream(stream), RddQueue(queue))
        })
    }

    fn receiver_stream(&self, py: Python<'_>, run: Py<PyAny>) -> PyResult<DStream> {
        let receiver = receiver::OfPython { run: Arc::new(run) };
        declared(py, || DStream(blocks_of_values(&self.0.receiver_stream(receiver))))
    }

    fn kafka_stream(
        &self,
        py: Python<'_>,
        settings: kafka::Settings,
        topics: Vec<String>,
        begin: BTreeMap<(String, i32), i64>,
        start: &str,
        stored: bool,
    ) -> PyResult<KafkaStream> {
        kafka::stream(py, &self.0, kafka::Reading { settings, topics, begin, start, stored })
    }

    fn union(&self, py: Python<'_>, streams: Vec<PyRef<'_, DStream>>) -> PyResult<DStream> {
        let streams: Vec<_> = streams.iter().map(|stream| stream.0.clone()).collect();
        declared(py, || DStream(self.0.union(&streams)))
    }

    fn transform(&self, py: Python<'_>, streams: Vec<PyRef<'_, DStream>>, f: Py<PyAny>) -> PyResult<DStream> {
        let streams: Vec<_> = streams.iter().map(|stream| stream.0.clone()).collect();
        let f = Arc::new(f);
        declared(py, || {
            DStream(self.0.transform_or_skip(&streams, move |rdds, time| {
                made_rdd(&f, (time.as_ms(), rdds.into_iter().map(Rdd).collect::<Vec<_>>()))
            }))
        })
    }

    fn add_streaming_listener(&self, listener: Py<PyAny>) -> Listener {
        Listener(self.0.add_streaming_listener(listener::OfPython(listener)))
    }

    fn remove_streaming_listener(&self, listener: &Listener) -> bool {
        self.0.remove_streaming_listener(listener.0)
    }

    fn start(&self, py: Python<'_>) -> PyResult<()> {
        detached(py, || self.0.start())
    }

    #[pyo3(signature = (timeout_ms))]
    fn await_termination(&self, py: Python<'_>, timeout_ms: Option<u64>) -> PyResult<bool> {
        let (watch, timeout) = (Stopwatch::start(), timeout_ms.map(milliseconds));
        loop {
            let left = timeout.map_or(SIGNALS_EVERY, |timeout| timeout.saturating_sub(watch.elapsed()));
            let stopped = py.detach(|| self.0.await_termination_or_timeout(left.min(SIGNALS_EVERY)));
            py.check_signals()?;
            if stopped.map_err(|error| raised(py, &error))? {
                return Ok(true);
            }
            if timeout.is_some_and(|timeout| watch.elapsed() >= timeout) {
                return Ok(false);
            }
        }
    }

    fn stop(&self, py: Python<'_>, graceful: bool) -> PyResult<()> {
        detached(py, || if graceful { self.0.stop_gracefully() } else { self.0.stop() })
    }
}

/// What a listener is known by.
#[pyclass(frozen, module = "tidemill._native")]
pub(crate) struct Listener(ListenerId);
