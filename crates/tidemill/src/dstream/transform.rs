//! What stateless transformations are made of: each makes an Rdd of the parents' Rdds of the same batch.

use super::node::{DStream, ErasedStream, StreamOp, declared};
use crate::{
    base::{Data, Error, Misuse, Result, Time, time::ms},
    rdd::{Rdd, Site, task::run_guarded},
};
use std::{sync::Arc, time::Duration};

/// One parent, and a function over its Rdd of the batch.
struct Mapped<T, F> {
    parent: DStream<T>,
    f: F,
}

impl<T: Data, U: Data, F> StreamOp<U> for Mapped<T, F>
where
    F: Fn(Rdd<T>, Time) -> Result<Option<Rdd<U>>> + Send + Sync,
{
    fn parents(&self) -> Vec<Arc<dyn ErasedStream>> {
        vec![self.parent.erased()]
    }
    fn slide(&self) -> Duration {
        self.parent.slide_duration()
    }
    fn compute(&self, time: Time) -> Result<Option<Rdd<U>>> {
        self.parent.at(time)?.map_or(Ok(None), |rdd| (self.f)(rdd, time))
    }
}

/// Several parents of the same slide, and a function over their Rdds of the batch.
pub(crate) struct Together<T, F> {
    parents: Vec<DStream<T>>,
    f: F,
}

impl<T: Data, U: Data, F> StreamOp<U> for Together<T, F>
where
    F: Fn(Vec<Rdd<T>>, Time) -> Result<Option<Rdd<U>>> + Send + Sync,
{
    fn parents(&self) -> Vec<Arc<dyn ErasedStream>> {
        self.parents.iter().map(DStream::erased).collect()
    }
    fn slide(&self) -> Duration {
        self.parents[0].slide_duration()
    }
    fn compute(&self, time: Time) -> Result<Option<Rdd<U>>> {
        let mut rdds = Vec::with_capacity(self.parents.len());
        for parent in &self.parents {
            rdds.push(or_empty(parent, time)?);
        }
        (self.f)(rdds, time)
    }
}

/// Two parents of different types and the same slide.
struct Both<A, B, F> {
    left: DStream<A>,
    right: DStream<B>,
    f: F,
}

impl<A: Data, B: Data, U: Data, F> StreamOp<U> for Both<A, B, F>
where
    F: Fn(Rdd<A>, Rdd<B>, Time) -> Result<Option<Rdd<U>>> + Send + Sync,
{
    fn parents(&self) -> Vec<Arc<dyn ErasedStream>> {
        vec![self.left.erased(), self.right.erased()]
    }
    fn slide(&self) -> Duration {
        self.left.slide_duration()
    }
    fn compute(&self, time: Time) -> Result<Option<Rdd<U>>> {
        (self.f)(or_empty(&self.left, time)?, or_empty(&self.right, time)?, time)
    }
}

/// The stream's Rdd of the batch; an empty one where it has none, as PySpark does.
fn or_empty<T: Data>(stream: &DStream<T>, time: Time) -> Result<Rdd<T>> {
    let empty = || Rdd::parallelized(&stream.graph().session, Site::unknown("no batch"), Vec::new(), 0);
    Ok(stream.at(time)?.unwrap_or_else(empty))
}

/// An error unless two streams can be used together.
fn check_together<A: Data, B: Data>(operation: &'static str, left: &DStream<A>, right: &DStream<B>) -> Result<()> {
    if !Arc::ptr_eq(left.graph(), right.graph()) {
        return Err(Misuse::DifferentContexts { operation }.into());
    }
    let (left_ms, right_ms) = (ms(left.slide_duration()), ms(right.slide_duration()));
    if left_ms != right_ms {
        return Err(Misuse::DifferentSlides { operation, left_ms, right_ms }.into());
    }
    Ok(())
}

impl<T: Data> DStream<T> {
    /// A stream whose Rdd of each batch is made by `f`.
    #[track_caller]
    pub(crate) fn each_rdd<U: Data>(
        &self,
        site: Site,
        f: impl Fn(Rdd<T>, Time) -> Result<Rdd<U>> + Send + Sync + 'static,
    ) -> DStream<U> {
        self.each_rdd_or_none(site, move |rdd, time| f(rdd, time).map(Some))
    }

    /// As [`each_rdd`](Self::each_rdd); where `f` makes none, the stream has no batch.
    #[track_caller]
    fn each_rdd_or_none<U: Data>(
        &self,
        site: Site,
        f: impl Fn(Rdd<T>, Time) -> Result<Option<Rdd<U>>> + Send + Sync + 'static,
    ) -> DStream<U> {
        DStream::from_op(self.graph(), site, Mapped { parent: self.clone(), f })
    }

    #[track_caller]
    pub(crate) fn both_rdds<B: Data, U: Data>(
        &self,
        site: Site,
        other: &DStream<B>,
        f: impl Fn(Rdd<T>, Rdd<B>, Time) -> Result<Rdd<U>> + Send + Sync + 'static,
    ) -> DStream<U> {
        self.both_rdds_or_none(site, other, move |left, right, time| f(left, right, time).map(Some))
    }

    #[track_caller]
    fn both_rdds_or_none<B: Data, U: Data>(
        &self,
        site: Site,
        other: &DStream<B>,
        f: impl Fn(Rdd<T>, Rdd<B>, Time) -> Result<Option<Rdd<U>>> + Send + Sync + 'static,
    ) -> DStream<U> {
        declared(check_together(site.operation, self, other));
        DStream::from_op(self.graph(), site, Both { left: self.clone(), right: other.clone(), f })
    }

    #[track_caller]
    pub(crate) fn together<U: Data>(
        site: Site,
        streams: Vec<DStream<T>>,
        f: impl Fn(Vec<Rdd<T>>, Time) -> Result<Option<Rdd<U>>> + Send + Sync + 'static,
    ) -> DStream<U> {
        let Some(first) = streams.first().cloned() else {
            panic!("\"{}\" was given no streams; give it at least one", site.operation);
        };
        streams.iter().for_each(|other| declared(check_together(site.operation, &first, other)));
        DStream::from_op(first.graph(), site, Together { parents: streams, f })
    }

    /// Makes the Rdd of each batch with any Rdd code; `f` runs on the driver, once for each batch.
    ///
    /// # Examples
    /// ```
    /// use tidemill::testing::check_batches;
    /// check_batches(
    ///     vec![vec![3, 1, 3], vec![]],
    ///     |numbers| numbers.transform(|rdd, time| Ok(rdd.distinct().map(move |n| (time.as_ms(), n)))),
    ///     vec![vec![(1_000, 1), (1_000, 3)], vec![]],
    /// );
    /// ```
    #[track_caller]
    pub fn transform<U: Data>(&self, f: impl Fn(Rdd<T>, Time) -> Result<Rdd<U>> + Send + Sync + 'static) -> DStream<U> {
        let site = Site::here("transform");
        self.each_rdd(site, move |rdd, time| guarded_driver(site, time, || f(rdd, time)))
    }

    /// As [`transform`](Self::transform), but where `f` gives `None` the stream has no batch at that time: its children
    /// and outputs pass over it, as over the times between the slides of a window.
    ///
    /// # Examples
    /// ```
    /// use tidemill::testing::TestContext;
    /// let test = TestContext::new();
    /// let numbers = test.stream(vec![vec![1], vec![2], vec![3]]);
    /// let odd = numbers.transform_or_skip(|rdd, time| Ok((time.as_ms() % 2_000 != 0).then_some(rdd)));
    /// let seen = test.collect(&odd);
    /// test.run(3)?;
    /// assert_eq!(seen.batches(), [[1], [3]]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn transform_or_skip<U: Data>(
        &self,
        f: impl Fn(Rdd<T>, Time) -> Result<Option<Rdd<U>>> + Send + Sync + 'static,
    ) -> DStream<U> {
        let site = Site::here("transform_or_skip");
        self.each_rdd_or_none(site, move |rdd, time| guarded_driver(site, time, || f(rdd, time)))
    }

    /// [`transform`](Self::transform) of this stream's and another's Rdds of the same batch.
    ///
    /// # Examples
    /// ```
    /// use tidemill::testing::TestContext;
    /// let test = TestContext::new();
    /// let (all, known) = (test.stream(vec![vec![1, 2, 3]]), test.stream(vec![vec![2]]));
    /// let seen = test.collect(&all.transform_with(&known, |all, known, _| Ok(all.subtract(&known))));
    /// test.run(1)?;
    /// assert_eq!(seen.sorted(), [[1, 3]]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn transform_with<B: Data, U: Data>(
        &self,
        other: &DStream<B>,
        f: impl Fn(Rdd<T>, Rdd<B>, Time) -> Result<Rdd<U>> + Send + Sync + 'static,
    ) -> DStream<U> {
        let site = Site::here("transform_with");
        self.both_rdds(site, other, move |left, right, time| guarded_driver(site, time, || f(left, right, time)))
    }

    /// As [`transform_with`](Self::transform_with), but where `f` gives `None` the stream has no batch at that time.
    ///
    /// # Examples
    /// ```
    /// use tidemill::testing::TestContext;
    /// let test = TestContext::new();
    /// let (all, known) = (test.stream(vec![vec![1, 2], vec![3]]), test.stream(vec![vec![2], vec![]]));
    /// let rest = all.transform_with_or_skip(&known, |all, known, time| {
    ///     Ok((time.as_ms() == 1_000).then(|| all.subtract(&known)))
    /// });
    /// let seen = test.collect(&rest);
    /// test.run(2)?;
    /// assert_eq!(seen.batches(), [[1]]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn transform_with_or_skip<B: Data, U: Data>(
        &self,
        other: &DStream<B>,
        f: impl Fn(Rdd<T>, Rdd<B>, Time) -> Result<Option<Rdd<U>>> + Send + Sync + 'static,
    ) -> DStream<U> {
        let site = Site::here("transform_with_or_skip");
        self.both_rdds_or_none(site, other, move |left, right, time| {
            guarded_driver(site, time, || f(left, right, time))
        })
    }
}

/// Runs a user function that makes an Rdd on the driver.
pub(crate) fn guarded_driver<R>(site: Site, time: Time, f: impl FnOnce() -> Result<R>) -> Result<R> {
    let place = format!("\"{site}\" failed in the batch of {time}");
    match run_guarded(&place, f) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Error::new(error.kind(), format!("{place}: {error}")).with_source(error)),
        Err(error) => Err(error),
    }
}
