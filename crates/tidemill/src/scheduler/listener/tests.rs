//! Events, in order and on their own thread.

use super::*;
use crate::{ErrorKind, base::Result, milliseconds};
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use std::{
    sync::{Mutex, Weak},
    time::Duration,
};

/// Writes down the name of each event.
#[derive(Default)]
struct Recorder(Mutex<Vec<String>>);

impl Recorder {
    fn note(&self, event: impl Into<String>) {
        self.0.lock().expect("no test panics here").push(event.into());
    }

    fn events(&self) -> Vec<String> {
        self.0.lock().expect("no test panics here").clone()
    }
}

impl StreamingListener for Recorder {
    fn on_streaming_started(&self, event: &StreamingStarted) {
        self.note(format!("streaming started {}", event.time));
    }
    fn on_receiver_started(&self, event: &ReceiverStarted) {
        self.note(format!("receiver started {}", event.receiver_info.name));
    }
    fn on_receiver_error(&self, event: &ReceiverError) {
        self.note(format!("receiver error {}", event.receiver_info.last_error_message));
    }
    fn on_receiver_stopped(&self, event: &ReceiverStopped) {
        self.note(format!("receiver stopped {}", event.receiver_info.stream_id));
    }
    fn on_batch_submitted(&self, event: &BatchSubmitted) {
        self.note(format!("batch submitted {}", event.batch_info.batch_time));
    }
    fn on_batch_started(&self, event: &BatchStarted) {
        self.note(format!("batch started {}", event.batch_info.num_records()));
    }
    fn on_batch_completed(&self, event: &BatchCompleted) {
        self.note(format!("batch completed {:?}", event.batch_info.total_delay()));
    }
    fn on_output_operation_started(&self, event: &OutputOperationStarted) {
        self.note(format!("output started {}", event.output_operation_info.id));
    }
    fn on_output_operation_completed(&self, event: &OutputOperationCompleted) {
        self.note(format!("output completed {:?}", event.output_operation_info.failure_reason));
    }
}

struct Panics;
impl StreamingListener for Panics {
    fn on_streaming_started(&self, _: &StreamingStarted) {
        panic!("a listener of a test panics on purpose");
    }
}

/// Holds the bus up: says that it has begun, and goes on when it is told to.
struct Blocks {
    begun: Sender<()>,
    go_on: Receiver<()>,
}
impl StreamingListener for Blocks {
    fn on_streaming_started(&self, _: &StreamingStarted) {
        self.begun.send(()).expect("the test waits for it");
        // An error means that the test ended.
        let _ = self.go_on.recv();
    }
}

fn started(time_ms: u64) -> StreamingStarted {
    StreamingStarted::new(Time::from_ms(time_ms))
}

fn bus_with_recorder(capacity: usize) -> Result<(ListenerBus, Arc<Recorder>)> {
    let (bus, recorder) = (ListenerBus::new(capacity)?, Arc::new(Recorder::default()));
    bus.add(recorder.clone());
    Ok((bus, recorder))
}

#[test]
fn all_nine_events_arrive_in_order() -> Result<()> {
    let (bus, recorder) = bus_with_recorder(100)?;
    let time = Time::from_ms(1_000);
    let mut receiver = ReceiverInfo::new(2, "SocketReceiver");
    receiver.last_error_message = "refused".to_owned();
    let mut batch =
        BatchInfo::new(time, time).with_input(StreamInputInfo::new(0, 5)).with_input(StreamInputInfo::new(1, 6));
    let mut output = OutputOperationInfo::new(time, 7, "print");

    bus.post(started(1));
    bus.post(ReceiverStarted::new(receiver.clone()));
    bus.post(ReceiverError::new(receiver.clone()));
    bus.post(ReceiverStopped::new(receiver));
    bus.post(BatchSubmitted::new(batch.clone()));
    batch.processing_start_time = Some(time + milliseconds(3));
    bus.post(BatchStarted::new(batch.clone()));
    bus.post(OutputOperationStarted::new(output.clone()));
    output.failure_reason = Some("disk full".to_owned());
    bus.post(OutputOperationCompleted::new(output));
    batch.processing_end_time = Some(time + milliseconds(10));
    bus.post(BatchCompleted::new(batch));
    bus.flush()?;
    let expected = [
        "streaming started 1 ms",
        "receiver started SocketReceiver-2",
        "receiver error refused",
        "receiver stopped 2",
        "batch submitted 1000 ms",
        "batch started 11",
        "output started 7",
        "output completed Some(\"disk full\")",
        "batch completed Some(10ms)",
    ];
    assert_eq!(recorder.events(), expected);
    Ok(())
}

#[test]
fn a_panicking_listener_stops_neither_the_bus_nor_the_others() -> Result<()> {
    let bus = ListenerBus::new(100)?;
    bus.add(Panics);
    let recorder = Arc::new(Recorder::default());
    bus.add(recorder.clone());
    bus.post(started(1));
    bus.post(started(2));
    bus.flush()?;
    assert_eq!(recorder.events(), ["streaming started 1 ms", "streaming started 2 ms"]);
    bus.stop()
}

#[test]
fn a_full_queue_drops_the_newest_and_posting_never_waits() -> Result<()> {
    let bus = ListenerBus::new(2)?;
    let ((begun, has_begun), (let_go, go_on)) = (unbounded(), unbounded());
    bus.add(Blocks { begun, go_on });
    let recorder = Arc::new(Recorder::default());
    bus.add(recorder.clone());
    bus.post(started(1));
    has_begun.recv().expect("the first event is under way");
    for time_ms in 2..=6 {
        bus.post(started(time_ms));
    }
    assert_eq!(bus.dropped(), 3);
    drop(let_go);
    bus.stop()?;
    assert_eq!(recorder.events(), ["streaming started 1 ms", "streaming started 2 ms", "streaming started 3 ms"]);
    Ok(())
}

#[test]
fn listeners_come_and_go_while_the_bus_runs() -> Result<()> {
    let (bus, first) = bus_with_recorder(100)?;
    bus.post(started(1));
    bus.flush()?;
    let second = Arc::new(Recorder::default());
    let id = bus.add(second.clone());
    bus.post(started(2));
    bus.flush()?;
    assert!(bus.remove(id) && !bus.remove(id));
    assert_eq!(Arc::strong_count(&second), 1, "a removed listener is let go");
    bus.post(started(3));
    bus.flush()?;
    assert_eq!(first.events().len(), 3);
    assert_eq!(second.events(), ["streaming started 2 ms"]);
    Ok(())
}

#[test]
fn stop_delivers_what_is_queued_and_then_nothing() -> Result<()> {
    let (bus, recorder) = bus_with_recorder(1_000)?;
    (0..500).for_each(|time_ms| bus.post(started(time_ms)));
    bus.stop()?;
    assert_eq!(recorder.events().len(), 500);
    bus.post(started(501));
    bus.flush()?;
    bus.stop()?;
    assert_eq!(recorder.events().len(), 500);
    assert_eq!(bus.dropped(), 0);
    Ok(())
}

/// Tries to stop the bus from within an event.
struct Stops {
    bus: Mutex<Weak<ListenerBus>>,
    outcome: Sender<(bool, Result<()>, Result<()>)>,
}
impl StreamingListener for Stops {
    fn on_streaming_started(&self, _: &StreamingStarted) {
        let bus = self.bus.lock().expect("no test panics here").upgrade().expect("the test holds the bus");
        self.outcome.send((bus.is_bus_thread(), bus.stop(), bus.flush())).expect("the test waits for it");
    }
}

#[test]
fn a_listener_that_stops_the_bus_is_told_that_it_cannot() -> Result<()> {
    let bus = Arc::new(ListenerBus::new(10)?);
    let (outcome, outcomes) = bounded(1);
    bus.add(Stops { bus: Mutex::new(Arc::downgrade(&bus)), outcome });
    bus.post(started(1));
    let (is_bus_thread, stop, flush) = outcomes.recv().expect("the event is delivered");
    assert!(is_bus_thread && !bus.is_bus_thread());
    for error in [stop.expect_err("stop"), flush.expect_err("flush")] {
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
    bus.stop()
}

fn batch(scheduling_ms: u64, processing_ms: u64) -> BatchInfo {
    let submitted = Time::from_ms(1_000);
    let mut batch = BatchInfo::new(submitted, submitted);
    batch.processing_start_time = Some(submitted + milliseconds(scheduling_ms));
    batch.processing_end_time = Some(submitted + milliseconds(scheduling_ms + processing_ms));
    batch
}

#[test]
fn measured_delays_go_before_whole_milliseconds() {
    let mut info = batch(2, 0);
    assert_eq!(info.processing_delay(), Some(Duration::ZERO));
    info.measured_processing_delay = Some(Duration::from_micros(250));
    assert_eq!(info.processing_delay(), Some(Duration::from_micros(250)));
    assert_eq!(info.total_delay(), Some(Duration::from_micros(2_250)));
    info.measured_scheduling_delay = Some(Duration::from_micros(40));
    assert_eq!(info.total_delay(), Some(Duration::from_micros(290)));
}

#[test]
fn a_batch_without_times_has_no_delays() {
    let info = BatchInfo::new(Time::from_ms(1), Time::from_ms(1));
    assert_eq!((info.scheduling_delay(), info.processing_delay(), info.total_delay()), (None, None, None));
    assert_eq!(info.num_records(), 0);
}

#[test]
fn statistics_are_of_the_last_batches_only() {
    let statistics = StatsReportListener::new(3);
    assert!(statistics.note(&BatchInfo::new(Time::from_ms(1), Time::from_ms(1))).is_none());
    for processing_ms in [500, 10, 30] {
        statistics.note(&batch(1, processing_ms));
    }
    let (total, processing) = statistics.note(&batch(1, 20)).expect("three batches are known");
    assert_eq!(processing.mean(), milliseconds(20));
    let percentiles = [0, 50, 100].map(|percent| processing.percentile(percent));
    assert_eq!(percentiles, [milliseconds(10), milliseconds(20), milliseconds(30)]);
    assert_eq!(total.percentile(100), milliseconds(31));
    let text = processing.to_string();
    assert!(text.starts_with("3 batches, mean 20.000ms, deviation 8.165ms, 0% 10.000ms"), "{text}");
}
