//! Streams made of several others.

use super::StreamingContext;
use crate::{
    base::{Data, Result, Time},
    dstream::DStream,
    rdd::{Rdd, Site},
};

impl StreamingContext {
    /// The records of all `streams`, one stream after another, batch by batch; duplicates stay.
    ///
    /// # Panics
    /// If `streams` is empty or they differ in slide duration or context, or if the context was started or stopped.
    ///
    /// # Examples
    /// ```
    /// use tidemill::testing::TestContext;
    /// let test = TestContext::new();
    /// let streams: Vec<_> = (0..3).map(|n| test.stream(vec![vec![n, n]])).collect();
    /// let seen = test.collect(&test.ssc().union(&streams));
    /// test.run(1)?;
    /// assert_eq!(seen.batches(), [[0, 0, 1, 1, 2, 2]]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn union<T: Data>(&self, streams: &[DStream<T>]) -> DStream<T> {
        DStream::union_at(Site::here("union"), streams.to_vec())
    }

    /// Makes the Rdd of each batch of the Rdds of all `streams` in their order; `f` runs on the driver, once for each
    /// batch.
    ///
    /// # Panics
    /// If `streams` is empty or they differ in slide duration or context, or if the context was started or stopped.
    ///
    /// # Examples
    /// ```
    /// use tidemill::testing::TestContext;
    /// let test = TestContext::new();
    /// let streams = [test.stream(vec![vec![1, 2, 3]]), test.stream(vec![vec![2, 3, 4]])];
    /// let both = test.ssc().transform(&streams, |rdds, _time| Ok(rdds[0].intersection(&rdds[1])));
    /// let seen = test.collect(&both);
    /// test.run(1)?;
    /// assert_eq!(seen.sorted(), [[2, 3]]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn transform<T: Data, U: Data>(
        &self,
        streams: &[DStream<T>],
        f: impl Fn(Vec<Rdd<T>>, Time) -> Result<Rdd<U>> + Send + Sync + 'static,
    ) -> DStream<U> {
        DStream::transform_at(Site::here("transform"), streams.to_vec(), move |rdds, time| f(rdds, time).map(Some))
    }

    /// As [`transform`](Self::transform), but where `f` gives `None` the stream has no batch at that time.
    ///
    /// # Panics
    /// As [`transform`](Self::transform).
    ///
    /// # Examples
    /// ```
    /// use tidemill::testing::TestContext;
    /// let test = TestContext::new();
    /// let streams = [test.stream(vec![vec![1], vec![2]]), test.stream(vec![vec![3], vec![4]])];
    /// let first = test.ssc().transform_or_skip(&streams, |rdds, time| {
    ///     Ok((time.as_ms() == 1_000).then(|| rdds[0].union(&rdds[1])))
    /// });
    /// let seen = test.collect(&first);
    /// test.run(2)?;
    /// assert_eq!(seen.batches(), [[1, 3]]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn transform_or_skip<T: Data, U: Data>(
        &self,
        streams: &[DStream<T>],
        f: impl Fn(Vec<Rdd<T>>, Time) -> Result<Option<Rdd<U>>> + Send + Sync + 'static,
    ) -> DStream<U> {
        DStream::transform_at(Site::here("transform_or_skip"), streams.to_vec(), f)
    }

    /// As [`queue_stream`](Self::queue_stream), with the dataset `default` in every batch for which nothing waits.
    ///
    /// # Panics
    /// If the context was started or stopped.
    ///
    /// # Examples
    /// ```
    /// use tidemill::{Config, keys, testing::TestContext};
    /// let test = TestContext::with_config(Config::new().set(keys::QUEUE_STREAM_ALLOW_CHECKPOINT, true));
    /// let sc = test.ssc().context();
    /// let (numbers, queue) = test.ssc().queue_stream_with_default(true, &sc.parallelize(vec![0], 1));
    /// queue.push(sc.parallelize(vec![1, 2], 1));
    /// let seen = test.collect(&numbers);
    /// test.run(2)?;
    /// assert_eq!(seen.batches(), [vec![1, 2], vec![0]]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn queue_stream_with_default<T: Data>(
        &self,
        one_at_a_time: bool,
        default: &Rdd<T>,
    ) -> (DStream<T>, crate::io::RddQueue<T>) {
        self.queue_input(Site::here("queue_stream_with_default"), one_at_a_time, Some(default.clone()))
    }
}
