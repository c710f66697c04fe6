//! Output operations: what makes a batch run. Each is one job for each batch.

use super::node::{DStream, ErasedStream};
use crate::{
    base::{Data, Error, Result, Time},
    rdd::{Rdd, Site},
};
use std::sync::Arc;

/// The work of one output for one batch.
pub(crate) type OutputJob = Box<dyn FnOnce() -> Result<()> + Send>;

/// A registered output operation.
pub(crate) struct Output {
    pub(crate) site: Site,
    pub(crate) stream: Arc<dyn ErasedStream>,
    generate: Box<dyn Fn(Time) -> Result<Option<OutputJob>> + Send + Sync>,
}

impl Output {
    /// The job of the batch at `time`, if the stream has a batch then.
    pub(crate) fn job(&self, time: Time) -> Result<Option<OutputJob>> {
        (self.generate)(time)
    }
}

impl<T: Data> DStream<T> {
    /// Registers an output that runs `f` for each batch.
    #[track_caller]
    pub(crate) fn output(&self, site: Site, f: impl Fn(Rdd<T>, Time) -> Result<()> + Send + Sync + 'static) {
        super::node::declared(self.graph().check_declaring(site.operation));
        let (stream, f) = (self.clone(), Arc::new(f));
        let generate = move |time: Time| {
            let job = stream.at(time)?.map(|rdd| {
                let f = f.clone();
                Box::new(move || super::transform_guarded(site, time, || f(rdd, time))) as OutputJob
            });
            Ok(job)
        };
        self.graph().register_output(Output { site, stream: self.erased(), generate: Box::new(generate) });
    }

    /// Calls `f` on the driver with each batch's Rdd and time; what it returns as an error fails the batch.
    ///
    /// Nothing of the stream is computed unless `f` calls an action. On several processes `f` runs on each.
    #[track_caller]
    pub fn foreach_rdd<E: Into<Error>>(&self, f: impl Fn(Rdd<T>, Time) -> Result<(), E> + Send + Sync + 'static) {
        self.output(Site::here("foreach_rdd"), move |rdd, time| f(rdd, time).map_err(Into::into));
    }

    /// Calls `f` with all records of each batch, collected on the driver.
    #[track_caller]
    pub fn for_each_batch<E: Into<Error>>(&self, f: impl Fn(Vec<T>, Time) -> Result<(), E> + Send + Sync + 'static) {
        let site = Site::here("for_each_batch");
        self.output(site, move |rdd, time| {
            let records = rdd.collect_partitions(site)?.into_iter().flatten().collect();
            if rdd.session().runner().process().0 == 0 { f(records, time).map_err(Into::into) } else { Ok(()) }
        });
    }
}
