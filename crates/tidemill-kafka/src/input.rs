//! The direct stream: what is read of Kafka, batch by batch, without a receiver.

mod batch;
mod choice;
mod cluster;
mod direct;
mod fetch;
mod groups;
mod held_up;
mod loss;
mod plan;
mod read;
mod stream;
mod topic_ids;
mod watch;

pub use batch::kafka_rdd;
pub use choice::{Edge, OnDataLoss, StartingOffsets};
pub use stream::KafkaStream;

use crate::{offsets::TopicPartition, record::FromBytes, settings::KafkaSettings};
use choice::{Pattern, Topics};
use direct::{KafkaInput, Options, Shared};
use loss::Losses;
use plan::Limits;
use std::sync::Arc;
use tidemill::{Config, Result, StreamingContext, keys};
use watch::Watch;

/// What a stream reads of Kafka, and how; [`stream`](Self::stream) makes the stream.
///
/// For each batch the driver asks how far each partition goes, picks a range of offsets, and has it logged; the workers
/// read it, a partition of Kafka being a partition of the batch. Nobody joins a group: what other consumers do changes
/// nothing here, and with a checkpoint every record is in exactly one batch that is done.
///
/// - Records of open transactions wait for their end, and those of aborted ones are left out, unless `isolation.level` is
///   set to `read_uncommitted`.
/// - The first batch takes 10,000 records of each partition at most (`tidemill.kafka.firstBatchRecords`); later ones all
///   there is, as far as `spark.streaming.kafka.maxRatePerPartition` and backpressure allow. Backpressure gives partitions
///   that are further behind more of what it allows.
/// - New partitions, and new topics that match a pattern, are found within 10 s (`tidemill.kafka.refreshInterval`) and read
///   from their beginning.
/// - While no broker answers, batches bring nothing, and the log says since when; what is missed comes later.
/// - A record that cannot be decoded, or is larger than `tidemill.kafka.maxRecordBytes`, is put aside with its place.
///
/// # Examples
/// ```no_run
/// use tidemill::{StreamingContext, Text, seconds};
/// use tidemill_kafka::{KafkaSettings, KafkaSource, StartingOffsets};
/// let ssc = StreamingContext::local(2, seconds(1))?;
/// let lines = KafkaSource::new(KafkaSettings::new("broker:9092"))
///     .topics(["lines"])
///     .starting(StartingOffsets::Earliest)
///     .stream::<(), Text>(&ssc)?;
/// lines.values().flat_map(|line| line.split(' ')).map(|word| (word, 1)).reduce_by_key(|a, b| a + b).print(10);
/// ssc.start()?;
/// # Ok::<(), tidemill::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is read before stream is called"]
pub struct KafkaSource {
    settings: KafkaSettings,
    topics: Topics,
    pattern: Option<String>,
    group_id: Option<String>,
    commits: bool,
    starting: StartingOffsets,
    on_data_loss: Option<OnDataLoss>,
}

impl KafkaSource {
    /// Reads of this cluster; of which topics has still to be said.
    pub fn new(settings: KafkaSettings) -> Self {
        Self {
            settings,
            topics: Topics::Named(Vec::new()),
            pattern: None,
            group_id: None,
            commits: false,
            starting: StartingOffsets::default(),
            on_data_loss: None,
        }
    }

    /// All partitions of these topics.
    pub fn topics<T: Into<String>>(mut self, topics: impl IntoIterator<Item = T>) -> Self {
        self.topics = Topics::Named(topics.into_iter().map(Into::into).collect());
        self
    }

    /// All partitions of the topics whose whole name matches a regular expression, those that are made later as well.
    pub fn topic_pattern(mut self, pattern: impl Into<String>) -> Self {
        self.pattern = Some(pattern.into());
        self
    }

    /// These partitions and no others.
    pub fn partitions(mut self, partitions: impl IntoIterator<Item = TopicPartition>) -> Self {
        self.topics = Topics::Partitions(partitions.into_iter().collect());
        self
    }

    /// Where the stream begins if no checkpoint knows; at what comes from now on, unless set.
    pub fn starting(mut self, at: StartingOffsets) -> Self {
        self.starting = at;
        self
    }

    /// What becomes of the stream when records that it is to read are gone; unless set, what
    /// `tidemill.kafka.onDataLoss` says, by default that the batch fails.
    pub fn on_data_loss(mut self, on_data_loss: OnDataLoss) -> Self {
        self.on_data_loss = Some(on_data_loss);
        self
    }

    /// The group under whose name offsets are committed and found. No two streams of a program may have the same, and
    /// nobody joins it.
    pub fn group_id(mut self, group_id: impl Into<String>) -> Self {
        self.group_id = Some(group_id.into());
        self
    }

    /// Commits the offsets of each batch to the group once the batch is done, for those who watch how far it is behind.
    /// What the stream goes on from is its checkpoint all the same, if there is one.
    pub fn commit_offsets(mut self) -> Self {
        self.commits = true;
        self
    }

    /// The stream, with keys of type `K` and values of type `V`.
    ///
    /// # Errors
    /// Invalid, if the pattern is none or the configuration has values that cannot be used.
    ///
    /// # Panics
    /// If the context was started or stopped.
    ///
    /// # Examples
    /// ```no_run
    /// use tidemill::{StreamingContext, seconds};
    /// use tidemill_kafka::{Json, KafkaSettings, KafkaSource};
    /// #[derive(Clone, serde::Serialize, serde::Deserialize)]
    /// struct Order {
    ///     customer: String,
    ///     cents: u64,
    /// }
    /// let ssc = StreamingContext::local(2, seconds(1))?;
    /// let source = KafkaSource::new(KafkaSettings::from_config(ssc.config())?).topics(["orders"]);
    /// let orders = source.stream::<String, Json<Order>>(&ssc)?;
    /// orders.values().map(|Json(order)| (order.customer, order.cents)).reduce_by_key(|a, b| a + b).print(10);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn stream<K: FromBytes, V: FromBytes>(self, ssc: &StreamingContext) -> Result<KafkaStream<K, V>> {
        let config = ssc.config();
        let topics = match &self.pattern {
            Some(pattern) => Topics::Pattern(Pattern::new(pattern)?),
            None => self.topics,
        };
        let on_data_loss = config.get(&keys::KAFKA_ON_DATA_LOSS)?;
        let losses = Arc::new(Losses::new(self.on_data_loss.or(on_data_loss).unwrap_or_default()));
        let shared = Shared::new(losses.clone());
        let watch = Watch::new(topics, self.starting, losses, config.get(&keys::KAFKA_REFRESH_INTERVAL)?);
        let options = Options {
            settings: self.settings,
            group_id: self.group_id,
            commits: self.commits,
            max_record_bytes: config.get(&keys::KAFKA_MAX_RECORD_BYTES)? as usize,
            limits: limits(ssc, config)?,
        };
        let records = ssc.direct_stream(KafkaInput::<K, V>::new(options, watch, shared.clone()));
        Ok(KafkaStream::new(records, shared))
    }
}

/// How much a batch may take, by the configuration.
fn limits(ssc: &StreamingContext, config: &Config) -> Result<Limits> {
    let backpressure = config.get(&keys::BACKPRESSURE_ENABLED)?;
    let initial = config.get(&keys::BACKPRESSURE_INITIAL_RATE)?.filter(|rate| backpressure && *rate > 0);
    Ok(Limits {
        batch_duration: ssc.batch_duration(),
        max_rate: config.get(&keys::KAFKA_MAX_RATE)?.filter(|rate| *rate > 0),
        min_records: config.get(&keys::KAFKA_MIN_RATE)? as u64,
        rate: initial,
        first_batch: Some(config.get(&keys::KAFKA_FIRST_BATCH_RECORDS)? as u64),
    })
}
