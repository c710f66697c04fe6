//! Records made at a steady rate, the same ones in every run: for trying things out and for load tests.

use crate::{
    base::{Data, Result, Time},
    dstream::{
        graph::Graph,
        input::{Input, Slice},
    },
    rdd::{Rdd, Session, Site, source},
};
use std::sync::Arc;

/// Makes record number 0, 1, 2, ... with a function, so many a second.
pub(crate) struct GeneratorInput<F> {
    pub(crate) graph: Arc<Graph>,
    pub(crate) records_per_second: u64,
    pub(crate) make: Arc<F>,
    pub(crate) site: Site,
}

impl<F> GeneratorInput<F> {
    /// How many records there are until `time`.
    fn until(&self, time: Time) -> i64 {
        let zero = self.graph.zero_time().unwrap_or(time);
        let elapsed_ms = u128::from(time.as_ms().saturating_sub(zero.as_ms()));
        (elapsed_ms * u128::from(self.records_per_second) / 1_000) as i64
    }
}

impl<T: Data, F: Fn(u64) -> T + Send + Sync + 'static> Input<T> for GeneratorInput<F> {
    fn is_replayable(&self) -> bool {
        true
    }

    fn pick(&self, time: Time) -> Result<Slice> {
        let range = (self.until(time.saturating_sub(self.graph.batch_duration)), self.until(time));
        Slice::of(&range, (range.1 - range.0) as u64)
    }

    fn rdd(&self, session: &Arc<Session>, _time: Time, slice: &Slice) -> Result<Rdd<T>> {
        let (from, until): (i64, i64) = slice.decode()?;
        let make = self.make.clone();
        let numbers = source::range(session, self.site, from, until, 1, session.default_parallelism());
        Ok(numbers.map_at(self.site, move |number| make(number as u64)))
    }
}
