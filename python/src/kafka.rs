//! Kafka in Python: messages as tuples, and tuples as messages.

use crate::{
    block::{Block, in_blocks},
    error::{declared, detached, in_task},
    rdd::Rdd,
    stream::DStream,
};
use pyo3::{
    exceptions::PyValueError,
    prelude::*,
    sync::PyOnceLock,
    types::{PyBytes, PyList, PyString, PyType},
};
use std::collections::BTreeMap;
use tidemill::{Error, Time, keys, put_aside, put_aside_from, throw};
use tidemill_kafka::{
    Edge, KafkaRecord, KafkaSettings, KafkaSink, KafkaSource, OffsetRange, OnDataLoss, ProducerRecord, StartingOffsets,
    TopicPartition,
};

/// How many messages go into a block.
const MESSAGES: usize = 1024;

type Record = KafkaRecord<Vec<u8>, Vec<u8>>;
/// Topic, partition, the first offset, and the one behind the last.
pub(crate) type Range = (String, i32, i64, i64);
pub(crate) type Settings = BTreeMap<String, String>;
/// Key, value and headers.
type Outgoing = (Option<Vec<u8>>, Option<Vec<u8>>, Vec<(String, Vec<u8>)>);
/// What Python could not decode: topic, partition, offset, value, and why.
type Undecoded = (String, i32, i64, Option<Vec<u8>>, String);
/// What Python could not encode: the record as text, and why.
type Unencoded = (String, String);

/// A stream, and which offsets its batches have.
#[pyclass(frozen, module = "tidemill._native")]
pub(crate) struct KafkaStream {
    stream: tidemill_kafka::KafkaStream<Vec<u8>, Vec<u8>>,
    /// Whether records that cannot be used are kept as dead letters.
    #[pyo3(get)]
    puts_aside: bool,
}

#[pymethods]
impl KafkaStream {
    #[getter]
    fn messages(&self, py: Python<'_>) -> PyResult<DStream> {
        declared(py, || DStream(self.stream.map_partitions(|messages| of_messages(messages))))
    }

    fn offset_ranges(&self, time: u64) -> Vec<Range> {
        let ranges = self.stream.offset_ranges(Time::from_ms(time)).into_iter();
        ranges.map(|range| (range.topic.to_string(), range.partition, range.from_offset, range.until_offset)).collect()
    }
}

/// Librdkafka's settings, and the group among them.
fn settings_of(mut given: Settings) -> (KafkaSettings, Option<String>) {
    let (brokers, group) = (given.remove("bootstrap.servers"), given.remove("group.id"));
    let settings = KafkaSettings::new(brokers.unwrap_or_default());
    (given.into_iter().fold(settings, |settings, (key, value)| settings.set(key, value)), group)
}

fn edge(name: &str) -> PyResult<Edge> {
    match name {
        "earliest" => Ok(Edge::Earliest),
        "latest" => Ok(Edge::Latest),
        other => Err(PyValueError::new_err(format!("a topic ends at \"earliest\" and \"latest\", not at \"{other}\""))),
    }
}

fn starting(start: &str, stored: bool) -> PyResult<StartingOffsets> {
    Ok(match edge(start)? {
        edge if stored => StartingOffsets::Stored(edge),
        Edge::Earliest => StartingOffsets::Earliest,
        Edge::Latest => StartingOffsets::Latest,
    })
}

/// What is read, and from where on.
pub(crate) struct Reading<'a> {
    pub(crate) settings: Settings,
    pub(crate) topics: Vec<String>,
    pub(crate) begin: BTreeMap<(String, i32), i64>,
    pub(crate) start: &'a str,
    /// Where the group was committed, if it was, and what was read is committed to it.
    pub(crate) stored: bool,
}

pub(crate) fn stream(py: Python<'_>, ssc: &tidemill::StreamingContext, reading: Reading<'_>) -> PyResult<KafkaStream> {
    let Reading { settings, topics, begin, start, stored } = reading;
    let (settings, group) = settings_of(settings);
    let mut source = KafkaSource::new(settings);
    source = if begin.is_empty() {
        source.topics(topics).starting(starting(start, stored)?)
    } else {
        let begin: BTreeMap<_, _> = begin
            .into_iter()
            .map(|((topic, partition), offset)| (TopicPartition::new(topic, partition), offset))
            .collect();
        source.partitions(begin.keys().cloned()).starting(StartingOffsets::Offsets(begin))
    };
    if let Some(group) = group.filter(|_| stored) {
        source = source.group_id(group).commit_offsets();
    }
    let config = |error: Error| crate::error::raised(py, &error);
    if stored && ssc.config().get(&keys::KAFKA_ON_DATA_LOSS).map_err(config)?.is_none() {
        source = source.on_data_loss(as_of_old(edge(start)?));
    }
    let puts_aside = ssc.config().get(&keys::DEAD_LETTER_ENABLED).map_err(config)?;
    let stream = declared(py, || source.stream(ssc))?.map_err(config)?;
    Ok(KafkaStream { stream, puts_aside })
}

/// Kafka 0.8 began anew at this end when an offset had expired.
fn as_of_old(edge: Edge) -> OnDataLoss {
    match edge {
        Edge::Earliest => OnDataLoss::Earliest,
        Edge::Latest => OnDataLoss::Latest,
    }
}

pub(crate) fn dataset(
    py: Python<'_>,
    context: &tidemill::Context,
    settings: Settings,
    ranges: Vec<Range>,
) -> PyResult<Rdd> {
    let (settings, _) = settings_of(settings);
    let ranges =
        ranges.into_iter().map(|(topic, partition, from, until)| OffsetRange::new(topic, partition, from, until));
    detached(py, || {
        let messages = tidemill_kafka::kafka_rdd(context, &settings, ranges)?;
        Ok(Rdd(messages.map_partitions(|messages| of_messages(messages))))
    })
}

pub(crate) fn save(
    py: Python<'_>,
    stream: &tidemill::DStream<Block>,
    settings: Settings,
    topic: &str,
    exactly_once: bool,
) -> PyResult<()> {
    let (settings, _) = settings_of(settings);
    declared(py, || {
        let mut sink = KafkaSink::new(&settings, topic, record);
        if !exactly_once {
            sink = sink.at_least_once();
        }
        stream.flat_map(outgoing).save_to(sink);
    })
}

fn record((key, value, headers): &Outgoing) -> ProducerRecord<'_> {
    let record = match (key, value) {
        (_, Some(value)) => ProducerRecord::new(value),
        (key, None) => ProducerRecord::tombstone(key.as_deref().unwrap_or_default()),
    };
    let record = match key {
        Some(key) => record.key(key),
        None => record,
    };
    headers.iter().fold(record, |record, (name, value)| record.header(name.as_str(), value))
}

/// What is sent of a block; what could not be encoded is put aside.
fn outgoing(block: Block) -> Vec<Outgoing> {
    let (refused, sent): (Vec<Unencoded>, Vec<Outgoing>) = in_task(|py| {
        let (refused, sent) = refused(&block.list(py)?, &UNENCODED, "Unencoded")?;
        Ok((refused, PyList::new(py, sent)?.extract()?))
    });
    for (record, error) in refused {
        put_aside(&record, Error::data(error)).unwrap_or_else(|error| throw(error));
    }
    sent
}

/// A block without what could not be decoded, which is put aside with its place.
pub(crate) fn decoded(block: Block) -> Option<Block> {
    let (refused, kept): (Vec<Undecoded>, Block) = in_task(|py| {
        let (refused, kept) = refused(&block.list(py)?, &UNDECODED, "Undecoded")?;
        Ok((refused, Block::of(PyList::new(py, kept)?)))
    });
    for undecoded in refused {
        put_undecoded_aside(undecoded).unwrap_or_else(|error| throw(error));
    }
    Some(kept)
}

fn put_undecoded_aside((topic, partition, offset, value, error): Undecoded) -> tidemill::Result<()> {
    let place = TopicPartition::new(topic, partition).to_string();
    let (offset, value) = (u64::try_from(offset).unwrap_or_default(), value.unwrap_or_default());
    match std::str::from_utf8(&value) {
        Ok(text) => put_aside_from(&place, offset, text, Error::data(error)),
        Err(_) => put_aside_from(&place, offset, value.as_slice(), Error::data(error)),
    }
}

static UNDECODED: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static UNENCODED: PyOnceLock<Py<PyType>> = PyOnceLock::new();

/// The records that Python has marked with this class as refused, and the others.
fn refused<'py, R: FromPyObjectOwned<'py>>(
    records: &Bound<'py, PyList>,
    class: &'static PyOnceLock<Py<PyType>>,
    name: &str,
) -> PyResult<(Vec<R>, Vec<Bound<'py, PyAny>>)> {
    let class = class.import(records.py(), "tidemill.pyspark.streaming.kafka_records", name)?;
    let (refused, kept): (Vec<_>, Vec<_>) = records.iter().partition(|record| record.get_type().is(class));
    let refused = refused.iter().map(|record| record.extract().map_err(Into::into));
    Ok((refused.collect::<PyResult<_>>()?, kept))
}

/// Blocks of the messages of a partition.
fn of_messages(messages: &mut dyn Iterator<Item = Record>) -> Vec<Block> {
    in_blocks(messages, MESSAGES, |some| {
        in_task(|py| {
            let topic = PyString::new(py, &some[0].topic);
            let bytes = |bytes: &Option<Vec<u8>>| bytes.as_ref().map(|bytes| PyBytes::new(py, bytes));
            let tuple = |message: &Record| {
                (topic.clone(), message.partition, message.offset, bytes(&message.key), bytes(&message.value))
            };
            Ok(Block::of(PyList::new(py, some.iter().map(tuple))?))
        })
    })
}
