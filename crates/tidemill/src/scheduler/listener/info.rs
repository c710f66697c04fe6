//! What the events carry: plain values about batches, their inputs and outputs, and receivers.

use crate::base::Time;
use std::{collections::BTreeMap, time::Duration};

/// A batch: when it was submitted and processed, what went in, what its outputs did.
///
/// # Examples
/// ```
/// use tidemill::{BatchInfo, Time, milliseconds};
/// let mut batch = BatchInfo::new(Time::from_ms(1_000), Time::from_ms(1_002));
/// assert_eq!(batch.scheduling_delay(), None);
/// batch.processing_start_time = Some(Time::from_ms(1_005));
/// batch.processing_end_time = Some(Time::from_ms(1_025));
/// assert_eq!(batch.scheduling_delay(), Some(milliseconds(3)));
/// assert_eq!(batch.total_delay(), Some(milliseconds(23)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BatchInfo {
    /// The time the batch belongs to.
    pub batch_time: Time,
    /// What each input stream put in, by the id of the stream.
    pub stream_id_to_input_info: BTreeMap<usize, StreamInputInfo>,
    /// When the batch was handed over to be processed.
    pub submission_time: Time,
    /// When its first output operation began.
    pub processing_start_time: Option<Time>,
    /// When its last output operation ended.
    pub processing_end_time: Option<Time>,
    /// What its outputs did, by their position in the program.
    pub output_operation_infos: BTreeMap<usize, OutputOperationInfo>,
    /// How long it waited, measured finer than the whole milliseconds of the times above.
    pub measured_scheduling_delay: Option<Duration>,
    /// How long it was processed, measured finer than the whole milliseconds of the times above.
    pub measured_processing_delay: Option<Duration>,
    /// How long it then took, beside the next batch, until the log had it as done and its outputs were visible; `None`
    /// without a checkpoint.
    pub commit_delay: Option<Duration>,
}

impl BatchInfo {
    /// A batch that was just submitted.
    pub fn new(batch_time: Time, submission_time: Time) -> Self {
        Self {
            batch_time,
            stream_id_to_input_info: BTreeMap::new(),
            submission_time,
            processing_start_time: None,
            processing_end_time: None,
            output_operation_infos: BTreeMap::new(),
            measured_scheduling_delay: None,
            measured_processing_delay: None,
            commit_delay: None,
        }
    }

    /// The same batch with what one input stream put in.
    #[must_use]
    pub fn with_input(mut self, input: StreamInputInfo) -> Self {
        self.stream_id_to_input_info.insert(input.input_stream_id, input);
        self
    }

    /// How long it waited from submission until its processing began.
    pub fn scheduling_delay(&self) -> Option<Duration> {
        self.measured_scheduling_delay.or_else(|| Some(self.processing_start_time?.since(self.submission_time)))
    }

    /// How long its processing took.
    pub fn processing_delay(&self) -> Option<Duration> {
        self.measured_processing_delay.or_else(|| Some(self.processing_end_time?.since(self.processing_start_time?)))
    }

    /// From submission to the end of processing.
    pub fn total_delay(&self) -> Option<Duration> {
        Some(self.scheduling_delay()? + self.processing_delay()?)
    }

    /// How many records all its input streams put in.
    pub fn num_records(&self) -> u64 {
        self.stream_id_to_input_info.values().map(|input| input.num_records).sum()
    }
}

/// What an input stream put into a batch.
///
/// # Examples
/// ```
/// use tidemill::StreamInputInfo;
/// let input = StreamInputInfo::new(0, 120).with_description("clicks: 0 to 120");
/// assert_eq!(input.metadata_description(), Some("clicks: 0 to 120"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamInputInfo {
    /// The id of the input stream.
    pub input_stream_id: usize,
    /// How many records.
    pub num_records: u64,
    /// What else the stream wants to say about them.
    pub metadata: BTreeMap<String, String>,
}

/// The entry of the metadata that is meant for people; Spark's name for it.
const DESCRIPTION: &str = "Description";

impl StreamInputInfo {
    /// So many records from this stream.
    pub fn new(input_stream_id: usize, num_records: u64) -> Self {
        Self { input_stream_id, num_records, metadata: BTreeMap::new() }
    }

    /// The same with a text for people, such as the names of the files.
    #[must_use]
    pub fn with_description(mut self, description: impl Into<String>) -> Self {
        self.metadata.insert(DESCRIPTION.to_owned(), description.into());
        self
    }

    /// The text for people, if the stream gave one.
    pub fn metadata_description(&self) -> Option<&str> {
        self.metadata.get(DESCRIPTION).map(String::as_str)
    }
}

/// What an output operation did in a batch.
///
/// # Examples
/// ```
/// use tidemill::{OutputOperationInfo, Time, milliseconds};
/// let mut output = OutputOperationInfo::new(Time::from_ms(1_000), 0, "print");
/// output.start_time = Some(Time::from_ms(1_001));
/// output.end_time = Some(Time::from_ms(1_004));
/// assert_eq!(output.duration(), Some(milliseconds(3)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutputOperationInfo {
    /// The time of the batch.
    pub batch_time: Time,
    /// Its position among the output operations of the program.
    pub id: usize,
    /// What it is called and where in the program it stands, in short.
    pub name: String,
    /// The same at length.
    pub description: String,
    /// When it began.
    pub start_time: Option<Time>,
    /// When it ended.
    pub end_time: Option<Time>,
    /// Why it failed, if it did.
    pub failure_reason: Option<String>,
    /// How long it took, measured finer than the whole milliseconds of the times above.
    pub measured_duration: Option<Duration>,
}

impl OutputOperationInfo {
    /// An output operation that did not begin yet.
    pub fn new(batch_time: Time, id: usize, name: impl Into<String>) -> Self {
        Self {
            batch_time,
            id,
            name: name.into(),
            description: String::new(),
            start_time: None,
            end_time: None,
            failure_reason: None,
            measured_duration: None,
        }
    }

    /// How long it took.
    pub fn duration(&self) -> Option<Duration> {
        self.measured_duration.or_else(|| Some(self.end_time?.since(self.start_time?)))
    }
}

/// A receiver: where it runs and how it fares.
///
/// # Examples
/// ```
/// use tidemill::ReceiverInfo;
/// assert_eq!(ReceiverInfo::new(3, "SocketReceiver").name, "SocketReceiver-3");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReceiverInfo {
    /// The id of its input stream.
    pub stream_id: usize,
    /// The name of its type and the id of its stream.
    pub name: String,
    /// Whether it is running.
    pub active: bool,
    /// The host it runs on.
    pub location: String,
    /// The process it runs in.
    pub executor_id: String,
    /// What it said about its last error; empty if there was none.
    pub last_error_message: String,
    /// The error itself, with its causes; empty if there was none.
    pub last_error: String,
    /// When the last error happened.
    pub last_error_time: Option<Time>,
}

impl ReceiverInfo {
    /// A receiver of the given type that runs in this process.
    pub fn new(stream_id: usize, type_name: &str) -> Self {
        Self {
            stream_id,
            name: format!("{type_name}-{stream_id}"),
            active: true,
            location: "localhost".to_owned(),
            executor_id: "driver".to_owned(),
            last_error_message: String::new(),
            last_error: String::new(),
            last_error_time: None,
        }
    }
}
