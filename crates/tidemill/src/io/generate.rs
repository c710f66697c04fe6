//! Records made at a steady rate, the same ones in every run: for trying things out and for load tests.

use crate::{
    base::{Data, Error, Result, Time},
    dstream::{
        graph::Graph,
        input::{Input, InputMemory, Slice},
    },
    rdd::{Rdd, Session, Site, source},
};
use std::sync::{Arc, Mutex, PoisonError};

/// Makes record number 0, 1, 2, ... with a function, so many a second.
pub(crate) struct GeneratorInput<F> {
    pub(crate) graph: Arc<Graph>,
    pub(crate) records_per_second: u64,
    pub(crate) make: Arc<F>,
    pub(crate) site: Site,
    pub(crate) made: Mutex<Made>,
}

/// How far the numbers are: those before `until` are in a batch, the last of them in the one at `time`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Made {
    until: i64,
    time: Option<Time>,
}

impl<F> GeneratorInput<F> {
    /// How many records there are until `time` at this rate.
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
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        // Counted from the last batch, however long ago that is, so that none is left out and none made twice.
        let since = made.time.or(self.graph.zero_time()).unwrap_or(time);
        let range = (made.until, made.until + (self.until(time) - self.until(since)).max(0));
        *made = Made { until: range.1, time: Some(time) };
        Slice::of(&range, (range.1 - range.0) as u64)
    }

    fn remember(&self) -> Result<Vec<u8>> {
        let made = *self.made.lock().unwrap_or_else(PoisonError::into_inner);
        Slice::of(&(made.until, made.time), 0).map(|slice| slice.bytes)
    }

    fn restore(&self, memory: &InputMemory<'_>) -> Result<()> {
        let mut made = Made::default();
        if let Some(bytes) = memory.remembered {
            let unreadable = |error| Error::data("what it remembers cannot be read").with_source(error);
            (made.until, made.time) = postcard::from_bytes(bytes).map_err(unreadable)?;
        }
        for (time, slice) in memory.picked {
            let (_, until): (i64, i64) = slice.decode()?;
            made = Made { until: made.until.max(until), time: made.time.max(Some(*time)) };
        }
        *self.made.lock().unwrap_or_else(PoisonError::into_inner) = made;
        Ok(())
    }

    fn rdd(&self, session: &Arc<Session>, _time: Time, slice: &Slice) -> Result<Rdd<T>> {
        let (from, until): (i64, i64) = slice.decode()?;
        let make = self.make.clone();
        let numbers = source::range(session, self.site, from, until, 1, session.default_parallelism());
        Ok(numbers.map_at(self.site, move |number| make(number as u64)))
    }
}
