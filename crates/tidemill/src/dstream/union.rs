//! Several streams as one.

use super::node::DStream;
use crate::{
    base::{Data, Result, Time},
    rdd::{Rdd, Site},
};

impl<T: Data> DStream<T> {
    /// The records of this stream and then those of `other`, batch by batch; duplicates stay.
    ///
    /// # Panics
    /// If the streams differ in slide duration or context, or the context was started or stopped.
    ///
    /// # Examples
    /// ```
    /// use tidemill::testing::TestContext;
    /// let test = TestContext::new();
    /// let (left, right) = (test.stream(vec![vec![1, 2], vec![3]]), test.stream(vec![vec![2]]));
    /// let seen = test.collect(&left.union(&right));
    /// test.run(2)?;
    /// assert_eq!(seen.batches(), [vec![1, 2, 2], vec![3]]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn union(&self, other: &DStream<T>) -> DStream<T> {
        Self::union_at(Site::here("union"), vec![self.clone(), other.clone()])
    }

    /// The union of one stream or more.
    #[track_caller]
    pub(crate) fn union_at(site: Site, streams: Vec<DStream<T>>) -> DStream<T> {
        Self::together(site, streams, move |rdds, _| {
            let session = rdds[0].session().clone();
            Ok(Some(Rdd::union_of(&session, site, rdds)))
        })
    }

    /// What the user's `f` makes of the Rdds of all `streams`, batch by batch.
    #[track_caller]
    pub(crate) fn transform_at<U: Data>(
        site: Site,
        streams: Vec<DStream<T>>,
        f: impl Fn(Vec<Rdd<T>>, Time) -> Result<Option<Rdd<U>>> + Send + Sync + 'static,
    ) -> DStream<U> {
        Self::together(site, streams, move |rdds, time| super::transform::guarded_driver(site, time, || f(rdds, time)))
    }
}
