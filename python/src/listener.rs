//! What happens in a program, told to a function of Python's.

use pyo3::{
    prelude::*,
    types::{PyDict, PyString},
};
use tidemill::{
    BatchCompleted, BatchInfo, BatchStarted, BatchSubmitted, OutputOperationCompleted, OutputOperationInfo,
    OutputOperationStarted, ReceiverError, ReceiverInfo, ReceiverStarted, ReceiverStopped, StreamInputInfo,
    StreamingListener, StreamingStarted, Time,
};

pub(crate) struct OfPython(pub(crate) Py<PyAny>);

impl OfPython {
    fn tell(&self, event: &str, values: impl for<'py> FnOnce(Python<'py>) -> PyResult<Bound<'py, PyDict>>) {
        // None: the interpreter ends, and nobody listens any more.
        let _ = Python::try_attach(|py| {
            if let Err(error) = values(py).and_then(|values| self.0.bind(py).call1((event, values))) {
                error.write_unraisable(py, Some(self.0.bind(py)));
            }
        });
    }
}

fn ms(time: Option<Time>) -> Option<u64> {
    time.map(Time::as_ms)
}

fn of_receiver<'py>(py: Python<'py>, info: &ReceiverInfo) -> PyResult<Bound<'py, PyDict>> {
    let values = PyDict::new(py);
    values.set_item("stream_id", info.stream_id)?;
    values.set_item("name", &info.name)?;
    values.set_item("active", info.active)?;
    values.set_item("location", &info.location)?;
    values.set_item("executor_id", &info.executor_id)?;
    values.set_item("last_error_message", &info.last_error_message)?;
    values.set_item("last_error", &info.last_error)?;
    values.set_item("last_error_time", ms(info.last_error_time))?;
    Ok(values)
}

fn of_output<'py>(py: Python<'py>, info: &OutputOperationInfo) -> PyResult<Bound<'py, PyDict>> {
    let values = PyDict::new(py);
    values.set_item("batch_time", info.batch_time.as_ms())?;
    values.set_item("id", info.id)?;
    values.set_item("name", &info.name)?;
    values.set_item("description", &info.description)?;
    values.set_item("start_time", ms(info.start_time))?;
    values.set_item("end_time", ms(info.end_time))?;
    values.set_item("failure_reason", info.failure_reason.as_deref())?;
    Ok(values)
}

fn of_input<'py>(py: Python<'py>, info: &StreamInputInfo) -> PyResult<Bound<'py, PyDict>> {
    let values = PyDict::new(py);
    values.set_item("input_stream_id", info.input_stream_id)?;
    values.set_item("num_records", info.num_records)?;
    values.set_item("metadata", &info.metadata)?;
    values.set_item("metadata_description", info.metadata_description().map(|text| PyString::new(py, text)))?;
    Ok(values)
}

fn of_batch<'py>(py: Python<'py>, info: &BatchInfo) -> PyResult<Bound<'py, PyDict>> {
    let (values, inputs, outputs) = (PyDict::new(py), PyDict::new(py), PyDict::new(py));
    for (id, input) in &info.stream_id_to_input_info {
        inputs.set_item(id, of_input(py, input)?)?;
    }
    for (id, output) in &info.output_operation_infos {
        outputs.set_item(id, of_output(py, output)?)?;
    }
    values.set_item("batch_time", info.batch_time.as_ms())?;
    values.set_item("submission_time", info.submission_time.as_ms())?;
    values.set_item("processing_start_time", ms(info.processing_start_time))?;
    values.set_item("processing_end_time", ms(info.processing_end_time))?;
    values.set_item("num_records", info.num_records())?;
    values.set_item("inputs", inputs)?;
    values.set_item("outputs", outputs)?;
    Ok(values)
}

impl StreamingListener for OfPython {
    fn on_streaming_started(&self, event: &StreamingStarted) {
        self.tell("streaming_started", |py| {
            let values = PyDict::new(py);
            values.set_item("time", event.time.as_ms())?;
            Ok(values)
        });
    }
    fn on_receiver_started(&self, event: &ReceiverStarted) {
        self.tell("receiver_started", |py| of_receiver(py, &event.receiver_info));
    }
    fn on_receiver_error(&self, event: &ReceiverError) {
        self.tell("receiver_error", |py| of_receiver(py, &event.receiver_info));
    }
    fn on_receiver_stopped(&self, event: &ReceiverStopped) {
        self.tell("receiver_stopped", |py| of_receiver(py, &event.receiver_info));
    }
    fn on_batch_submitted(&self, event: &BatchSubmitted) {
        self.tell("batch_submitted", |py| of_batch(py, &event.batch_info));
    }
    fn on_batch_started(&self, event: &BatchStarted) {
        self.tell("batch_started", |py| of_batch(py, &event.batch_info));
    }
    fn on_batch_completed(&self, event: &BatchCompleted) {
        self.tell("batch_completed", |py| of_batch(py, &event.batch_info));
    }
    fn on_output_operation_started(&self, event: &OutputOperationStarted) {
        self.tell("output_operation_started", |py| of_output(py, &event.output_operation_info));
    }
    fn on_output_operation_completed(&self, event: &OutputOperationCompleted) {
        self.tell("output_operation_completed", |py| of_output(py, &event.output_operation_info));
    }
}
