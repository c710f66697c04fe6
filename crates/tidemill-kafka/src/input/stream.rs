//! The handle of a direct stream: its records, and which offsets each batch has.

use super::direct::Shared;
use crate::{
    offsets::OffsetRange,
    record::{FromBytes, KafkaRecord},
};
use std::{fmt, ops::Deref, sync::Arc};
use tidemill::{DStream, Data, Error, Rdd, Result, Time};

/// The records of a [`KafkaSource`](super::KafkaSource): a [`DStream`] of [`KafkaRecord`]s that knows which offsets each of
/// its batches has.
///
/// Where several outputs use the records, [`persist`](DStream::persist) them, or what is made of them: otherwise each output
/// reads them from Kafka again.
#[must_use = "a stream is lazy: nothing is read unless an output operation uses it"]
pub struct KafkaStream<K, V> {
    records: DStream<KafkaRecord<K, V>>,
    shared: Arc<Shared>,
}

impl<K, V> Clone for KafkaStream<K, V> {
    fn clone(&self) -> Self {
        Self { records: self.records.clone(), shared: self.shared.clone() }
    }
}

impl<K, V> fmt::Debug for KafkaStream<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaStream").finish_non_exhaustive()
    }
}

impl<K, V> Deref for KafkaStream<K, V> {
    type Target = DStream<KafkaRecord<K, V>>;

    fn deref(&self) -> &Self::Target {
        &self.records
    }
}

impl<K: FromBytes, V: FromBytes> KafkaStream<K, V> {
    pub(super) fn new(records: DStream<KafkaRecord<K, V>>, shared: Arc<Shared>) -> Self {
        Self { records, shared }
    }

    /// The values of the records; tombstones are left out.
    ///
    /// # Examples
    /// ```no_run
    /// # let ssc = tidemill::StreamingContext::local(2, tidemill::seconds(1))?;
    /// # let clicks = tidemill_kafka::KafkaSource::new(tidemill_kafka::KafkaSettings::new("broker:9092")).topics(["clicks"]);
    /// let clicks = clicks.stream::<(), String>(&ssc)?;
    /// clicks.values().count().print(1);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn values(&self) -> DStream<V> {
        self.records.flat_map(|record| record.value)
    }

    /// Keys and values of the records that have both.
    ///
    /// # Examples
    /// ```no_run
    /// # let ssc = tidemill::StreamingContext::local(2, tidemill::seconds(1))?;
    /// # let prices = tidemill_kafka::KafkaSource::new(tidemill_kafka::KafkaSettings::new("broker:9092")).topics(["prices"]);
    /// let prices = prices.stream::<String, tidemill_kafka::Json<f64>>(&ssc)?;
    /// prices.pairs().map_values(|price| price.0).reduce_by_key(f64::max).print(10);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn pairs(&self) -> DStream<(K, V)> {
        self.records.flat_map(|record| record.key.zip(record.value))
    }

    /// Which offsets the batch at `time` has: a range for each partition, in the order of the partitions of its
    /// [`Rdd`]. Known from when the batch is run until a hundred batches after it is done; empty before and after.
    ///
    /// # Examples
    /// ```no_run
    /// # let ssc = tidemill::StreamingContext::local(2, tidemill::seconds(1))?;
    /// # let clicks = tidemill_kafka::KafkaSource::new(tidemill_kafka::KafkaSettings::new("broker:9092")).topics(["clicks"]);
    /// let clicks = clicks.stream::<(), String>(&ssc)?;
    /// let ranges = clicks.clone();
    /// clicks.values().for_each_batch(move |batch, time| {
    ///     println!("{} records of {:?}", batch.len(), ranges.offset_ranges(time));
    ///     Ok::<(), tidemill::Error>(())
    /// });
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[must_use]
    pub fn offset_ranges(&self, time: Time) -> Vec<OffsetRange> {
        self.shared.ranges(time).map(|ranges| ranges.to_vec()).unwrap_or_default()
    }

    /// As [`transform`](DStream::transform), where the function is given the offsets of the batch as well.
    ///
    /// # Examples
    /// ```no_run
    /// # let ssc = tidemill::StreamingContext::local(2, tidemill::seconds(1))?;
    /// # let clicks = tidemill_kafka::KafkaSource::new(tidemill_kafka::KafkaSettings::new("broker:9092")).topics(["clicks"]);
    /// let clicks = clicks.stream::<(), String>(&ssc)?;
    /// let sizes = clicks.transform_with_ranges(|rdd, ranges, _time| {
    ///     let offsets: u64 = ranges.iter().map(|range| range.count()).sum();
    ///     Ok(rdd.map(move |record| (record.partition, offsets)))
    /// });
    /// sizes.print(10);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn transform_with_ranges<U: Data>(
        &self,
        f: impl Fn(Rdd<KafkaRecord<K, V>>, &[OffsetRange], Time) -> Result<Rdd<U>> + Send + Sync + 'static,
    ) -> DStream<U> {
        let shared = self.shared.clone();
        self.records.transform(move |rdd, time| f(rdd, &shared.ranges(time).unwrap_or_default(), time))
    }

    /// As [`foreach_rdd`](DStream::foreach_rdd), where the function is given the offsets of the batch as well: to store them
    /// with what is made of the records, or to [commit](Self::commit_async) them.
    ///
    /// # Examples
    /// ```no_run
    /// # let ssc = tidemill::StreamingContext::local(2, tidemill::seconds(1))?;
    /// # let clicks = tidemill_kafka::KafkaSource::new(tidemill_kafka::KafkaSettings::new("broker:9092")).topics(["clicks"]);
    /// let clicks = clicks.group_id("clicks-counter").stream::<(), String>(&ssc)?;
    /// let committer = clicks.clone();
    /// clicks.foreach_rdd_with_ranges(move |rdd, ranges, time| {
    ///     println!("{time}: {} records", rdd.count()?);
    ///     committer.commit_async(ranges);
    ///     Ok::<(), tidemill::Error>(())
    /// });
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn foreach_rdd_with_ranges<E: Into<Error>>(
        &self,
        f: impl Fn(Rdd<KafkaRecord<K, V>>, &[OffsetRange], Time) -> Result<(), E> + Send + Sync + 'static,
    ) {
        let shared = self.shared.clone();
        self.records.foreach_rdd(move |rdd, time| f(rdd, &shared.ranges(time).unwrap_or_default(), time));
    }

    /// Commits the ends of these ranges to the group of the stream, once a batch is done that has read up to them; also
    /// when the program is being stopped. Returns at once. Without a group it does nothing.
    ///
    /// # Examples
    /// See [`foreach_rdd_with_ranges`](Self::foreach_rdd_with_ranges).
    pub fn commit_async(&self, ranges: &[OffsetRange]) {
        self.shared.commit_async(ranges);
    }

    /// How many offsets the stream has passed over since the program started, because what was there was lost; see
    /// [`OnDataLoss`](super::OnDataLoss).
    #[must_use]
    pub fn lost_records(&self) -> u64 {
        self.shared.losses.lost()
    }
}
