//! A sink of any type as the commit of a batch sees it: user code runs guarded, receipts are bytes.

use super::{Sink, SinkContract, SinkStart};
use crate::{
    base::{Data, Error, Result, Time},
    dstream::{Guarantee, output::CommittedSink},
    rdd::{Rdd, Site, task::run_guarded},
};
use std::{
    collections::BTreeMap,
    marker::PhantomData,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// What is prepared for each batch that is not published yet.
type Prepared<R> = BTreeMap<Time, Arc<Vec<R>>>;

/// A user's sink, and what its outputs prepared.
pub(super) struct Committed<T, S: Sink<T>> {
    sink: S,
    site: Site,
    guarantee: Guarantee,
    prepared: Mutex<Prepared<S::Receipt>>,
    records: PhantomData<fn(T)>,
}

impl<T: Data, S: Sink<T>> Committed<T, S> {
    pub(super) fn new(site: Site, sink: S) -> Self {
        let guarantee = match sink.contract() {
            SinkContract::Idempotent | SinkContract::Transactional | SinkContract::Marked => Guarantee::ExactlyOnce,
            SinkContract::AtLeastOnce => Guarantee::AtLeastOnce,
        };
        Self { sink, site, guarantee, prepared: Mutex::default(), records: PhantomData }
    }

    fn batches(&self) -> MutexGuard<'_, Prepared<S::Receipt>> {
        self.prepared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a function of the sink's for a batch.
    fn guarded<R>(&self, time: Time, f: impl FnOnce() -> Result<R>) -> Result<R> {
        run_guarded(format_args!("\"{}\" failed in the batch of {time}", self.site), f).and_then(|outcome| outcome)
    }

    /// Takes a batch as far as it goes before it is decided that it is done.
    pub(super) fn write(self: &Arc<Self>, rdd: &Rdd<T>, time: Time) -> Result<()> {
        let (site, session) = (self.site, rdd.session());
        let begun = if session.is_driver() { self.guarded(time, || self.sink.begin(time)) } else { Ok(()) };
        // Nobody writes before all is ready for it.
        session.agree(begun)?;
        let writer = self.clone();
        let receipts = rdd.run_written(site, move |partition, records| {
            writer.sink.write(time, partition, records).map_err(|error| in_partition(error, partition))
        })?;
        // Nobody is done before all have sealed.
        session.agree(self.guarded(time, || self.sink.seal(time)))?;
        if session.is_driver() {
            let prepared = Arc::new(self.guarded(time, || self.sink.prepare(time, receipts))?);
            let earlier = self.batches().insert(time, prepared);
            run_guarded("a receipt panicked", move || drop(earlier))?;
        }
        Ok(())
    }

    fn decode(&self, receipts: &[u8]) -> Result<Vec<S::Receipt>> {
        let place = format_args!("a receipt of \"{}\" could not be read", self.site);
        run_guarded(place, || postcard::from_bytes(receipts))?.map_err(|error| {
            let what = "what the output prepared last cannot be read as receipts of its sink";
            Error::invalid(format!("{what}; if the sink was changed, give the stream another uid")).with_source(error)
        })
    }
}

impl<T: Data, S: Sink<T>> CommittedSink for Committed<T, S> {
    fn guarantee(&self) -> Guarantee {
        self.guarantee
    }

    fn is_marked(&self) -> bool {
        self.sink.contract() == SinkContract::Marked
    }

    fn start(&self, start: &SinkStart) -> Result<()> {
        run_guarded("the sink panicked", || self.sink.start(start)).and_then(|started| started)
    }

    fn prepared(&self, time: Time) -> Result<Option<Vec<u8>>> {
        let Some(receipts) = self.batches().get(&time).cloned() else { return Ok(None) };
        self.guarded(time, || {
            let bytes = postcard::to_stdvec(&*receipts);
            bytes.map(Some).map_err(|error| Error::data("a receipt could not be serialised").with_source(error))
        })
    }

    fn publish(&self, time: Time) -> Result<()> {
        let Some(receipts) = self.batches().get(&time).cloned() else { return Ok(()) };
        let place = format_args!("\"{}\" could not show the batch of {time}", self.site);
        let committed = run_guarded("the sink panicked", || self.sink.commit(time, (*receipts).clone()));
        committed.and_then(|outcome| outcome).map_err(|error| error.context(place))?;
        let published = self.batches().remove(&time);
        run_guarded("a receipt panicked", move || drop((receipts, published)))
    }

    fn abort(&self, time: Time) -> Result<()> {
        let prepared = self.batches().remove(&time);
        self.guarded(time, || {
            drop(prepared);
            self.sink.abort(time)
        })
    }

    fn restore(&self, last: Option<(Time, &[u8])>, drives: bool) -> Result<()> {
        if !drives {
            return Ok(());
        }
        let last = last.map(|(time, receipts)| self.decode(receipts).map(|receipts| (time, receipts))).transpose()?;
        run_guarded("the sink panicked", || self.sink.restore(last)).and_then(|restored| restored)
    }

    fn close(&self) -> Result<()> {
        let closed = run_guarded("the sink panicked", || self.sink.close()).and_then(|closed| closed);
        closed.map_err(|error| error.context(format_args!("\"{}\" could not be closed", self.site)))
    }
}

fn in_partition(error: Error, partition: usize) -> Error {
    error.context(format_args!("partition {partition} could not be written"))
}
