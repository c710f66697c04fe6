//! An action becomes a job: the shuffles it needs, in order, and a result stage. Who runs it is not known here.

use super::{
    accumulator::Updates,
    node::{ErasedRdd, Parent, Rdd, Site},
    session::Session,
    shuffle::ErasedShuffle,
    task::{JobScope, TaskContext, Tracking, in_task},
    turn::Turn,
};
use crate::base::{Data, Error, Result};
use std::{
    any::Any,
    collections::HashMap,
    sync::{Arc, MutexGuard, atomic::Ordering},
};

/// Records or results on their way between tasks of one process, of a type that both ends know.
pub(crate) type Payload = Arc<dyn Any + Send + Sync>;

/// Runs jobs; the engine is one.
pub(crate) trait JobRunner: Send + Sync {
    /// Runs a job to its end; one payload for each partition of the result stage, in their order.
    fn run(&self, job: Job) -> Result<JobOutput>;

    /// Joins the workers; later jobs fail.
    fn stop(&self) -> Result<()>;

    /// Makes later jobs fail and waits for nothing, now or when it is dropped.
    fn abandon(&self) {}

    /// Index of this process and number of processes.
    fn process(&self) -> (usize, usize) {
        (0, 1)
    }

    /// Waits until it is the turn of the job that this thread is about to plan; nothing to wait for in one process.
    fn turn(&self, scope: JobScope) -> Result<Option<Turn>> {
        let _ = scope;
        Ok(None)
    }

    /// The outcome that all processes have: a failure if any of them failed.
    fn agree(&self, scope: JobScope, outcome: Result<()>) -> Result<()> {
        let _ = scope;
        outcome
    }

    /// No more jobs of `scope` will come.
    fn close_lane(&self, scope: JobScope) {
        let _ = scope;
    }

    /// Sends a note from process 0 to all others.
    fn tell(&self, note: &[u8]) -> Result<()> {
        let _ = note;
        Ok(())
    }

    /// The next note of process 0, waiting for it; `None` once no more can come.
    fn hear(&self) -> Option<Vec<u8>> {
        None
    }

    /// Ends this process, which can no longer keep in step with the others; in one process, the error to give up with.
    fn part(&self, why: &str) -> Error {
        Error::unavailable(why.to_owned())
    }
}

/// What a job brings back.
#[derive(Default)]
pub(crate) struct JobOutput {
    pub(crate) results: Vec<Payload>,
    /// Updates of accumulators, of the tasks that succeeded.
    pub(crate) updates: Updates,
}

/// A shuffle to run, and which stages before it must be complete first.
pub(crate) struct ShuffleStage {
    pub(crate) shuffle: Arc<dyn ErasedShuffle>,
    pub(crate) after: Vec<usize>,
}

/// What an action does with one partition.
type RunPartition = Box<dyn Fn(usize, &TaskContext) -> Payload + Send + Sync>;

/// The last stage: a function over partitions of one Rdd.
pub(crate) struct ResultStage {
    pub(crate) rdd: Arc<dyn ErasedRdd>,
    pub(crate) after: Vec<usize>,
    pub(crate) partitions: Vec<usize>,
    pub(crate) run: RunPartition,
    pub(crate) codec: PayloadCodec,
}

/// How a payload crosses to another process.
#[derive(Clone, Copy)]
pub(crate) struct PayloadCodec {
    pub(crate) encode: fn(&Payload) -> Result<Vec<u8>>,
    pub(crate) decode: fn(&[u8]) -> Result<Payload>,
}

impl PayloadCodec {
    pub(crate) fn of<R: Data>() -> Self {
        Self { encode: encode::<R>, decode: decode::<R> }
    }
}

fn encode<R: Data>(payload: &Payload) -> Result<Vec<u8>> {
    let value = payload.downcast_ref::<R>().ok_or_else(|| Error::internal("a payload is of another type"))?;
    postcard::to_stdvec(value).map_err(|e| Error::data("a record could not be serialised").with_source(e))
}

fn decode<R: Data>(bytes: &[u8]) -> Result<Payload> {
    let value: R = postcard::from_bytes(bytes)
        .map_err(|e| Error::data("a record from another process could not be read").with_source(e))?;
    Ok(Arc::new(value))
}

/// All of one action's work, to be built by every worker in the same order.
pub(crate) struct Job {
    pub(crate) site: Site,
    pub(crate) scope: JobScope,
    pub(crate) turn: Option<Turn>,
    pub(crate) tracking: Tracking,
    pub(crate) shuffles: Vec<ShuffleStage>,
    pub(crate) result: ResultStage,
}

/// Rdds that were computed and are yet to be checkpointed.
type Marked = Vec<Arc<dyn ErasedRdd>>;

impl<T: Data> Rdd<T> {
    /// Runs `f` over each of `partitions` on the workers and brings the results back in their order.
    pub(crate) fn run_on<R: Data>(
        &self,
        site: Site,
        partitions: Vec<usize>,
        f: impl Fn(&Rdd<T>, usize, &TaskContext) -> R + Send + Sync + 'static,
    ) -> Result<Vec<R>> {
        if in_task() {
            return Err(Error::invalid(format!(
                "\"{site}\" is an action and was called inside a function that runs on the workers; call actions only \
                 on the driver, for example in foreach_rdd or transform"
            )));
        }
        let (results, marked) = self.run_planned(site, partitions, f)?;
        marked.into_iter().try_for_each(ErasedRdd::finish_checkpoint)?;
        Ok(results)
    }

    /// Runs a job, and says which of the Rdds that it computed are yet to be checkpointed.
    pub(crate) fn run_planned<R: Data>(
        &self,
        site: Site,
        partitions: Vec<usize>,
        f: impl Fn(&Rdd<T>, usize, &TaskContext) -> R + Send + Sync + 'static,
    ) -> Result<(Vec<R>, Marked)> {
        let runner = self.session().runner();
        // Before the plan and its locks: otherwise a job that waits for its turn could keep them from the one whose
        // turn it is.
        let turn = if partitions.is_empty() { None } else { runner.turn(Session::scope())? };
        let plan = Plan::of(&self.erased());
        if partitions.is_empty() {
            return Ok((Vec::new(), plan.marked));
        }
        let locks: Vec<_> = plan.by_id().iter().map(|shuffle| shuffle.lock()).collect();
        let (shuffles, after) = plan.stages();
        let rdd = self.clone();
        let result = ResultStage {
            rdd: self.erased(),
            after,
            partitions,
            run: Box::new(move |partition, task| Arc::new(f(&rdd, partition, task)) as Payload),
            codec: PayloadCodec::of::<R>(),
        };
        let tracking = self.session().tracking();
        let job = Job { site, scope: Session::scope(), turn, tracking, shuffles, result };
        let output = self.run_job(job, &locks)?;
        drop(locks);
        let results = output.results.into_iter().map(take::<R>).collect::<Result<_>>()?;
        Ok((results, plan.marked))
    }

    fn run_job(&self, job: Job, _locks: &[MutexGuard<'_, ()>]) -> Result<JobOutput> {
        self.session().extensions.jobs.fetch_add(1, Ordering::Relaxed);
        let shuffles: Vec<_> = job.shuffles.iter().map(|stage| stage.shuffle.clone()).collect();
        shuffles.iter().for_each(|shuffle| shuffle.reset());
        let letters = job.tracking.letters.clone();
        let outcome = self.session().runner().run(job);
        for shuffle in shuffles {
            if outcome.is_ok() { shuffle.complete() } else { shuffle.reset() }
        }
        let mut output = outcome?;
        if let Some(letters) = letters {
            letters.keep();
        }
        self.session().apply_updates(std::mem::take(&mut output.updates))?;
        Ok(output)
    }

    /// Runs `f` over every partition.
    pub(crate) fn run<R: Data>(
        &self,
        site: Site,
        f: impl Fn(&Rdd<T>, usize, &TaskContext) -> R + Send + Sync + 'static,
    ) -> Result<Vec<R>> {
        self.run_on(site, (0..self.num_partitions()).collect(), f)
    }
}

fn take<R: Data>(payload: Payload) -> Result<R> {
    let shared = payload.downcast::<R>().map_err(|_| Error::internal("a result is of another type"))?;
    Ok(Arc::try_unwrap(shared).unwrap_or_else(|shared| (*shared).clone()))
}

/// The shuffles below an Rdd that are still to be run.
struct Plan {
    /// Parents before children.
    shuffles: Vec<(Arc<dyn ErasedShuffle>, Vec<u64>)>,
    result: Vec<u64>,
    /// Rdds to be checkpointed.
    marked: Marked,
    /// Rdds whose lineage is left out because all their partitions are kept.
    pins: Vec<Pin>,
}

/// Holds the kept partitions of an Rdd while a job counts on them.
struct Pin(Arc<dyn ErasedRdd>);

impl Pin {
    fn new(rdd: &Arc<dyn ErasedRdd>) -> Option<Self> {
        rdd.pin().then(|| Self(rdd.clone()))
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        self.0.unpin();
    }
}

impl Plan {
    fn of(rdd: &Arc<dyn ErasedRdd>) -> Self {
        let mut plan = Plan { shuffles: Vec::new(), result: Vec::new(), marked: Vec::new(), pins: Vec::new() };
        let mut seen = HashMap::new();
        plan.result = plan.needs(rdd, &mut seen);
        plan
    }

    /// Ids of the incomplete shuffles that a stage ending in `rdd` reads; adds them and theirs to the plan.
    fn needs(&mut self, rdd: &Arc<dyn ErasedRdd>, seen: &mut HashMap<u64, Vec<u64>>) -> Vec<u64> {
        if let Some(needs) = seen.get(&rdd.id()) {
            return needs.clone();
        }
        if rdd.wants_checkpoint() {
            self.marked.push(rdd.clone());
        }
        if let Some(pin) = Pin::new(rdd) {
            self.pins.push(pin);
            seen.insert(rdd.id(), Vec::new());
            return Vec::new();
        }
        let mut needs = Vec::new();
        for parent in rdd.parents() {
            match parent {
                Parent::Narrow(parent) => needs.extend(self.needs(&parent, seen)),
                Parent::Shuffle(shuffle) if shuffle.is_complete() => {}
                Parent::Shuffle(shuffle) => {
                    needs.push(shuffle.id());
                    if self.shuffles.iter().all(|(known, _)| known.id() != shuffle.id()) {
                        let above = self.needs(&shuffle.map_side(), seen);
                        self.shuffles.push((shuffle, above));
                    }
                }
            }
        }
        needs.sort_unstable();
        needs.dedup();
        seen.insert(rdd.id(), needs.clone());
        needs
    }

    /// In the order in which every thread locks them, so that no two jobs wait for each other.
    fn by_id(&self) -> Vec<&Arc<dyn ErasedShuffle>> {
        let mut shuffles: Vec<_> = self.shuffles.iter().map(|(shuffle, _)| shuffle).collect();
        shuffles.sort_by_key(|shuffle| shuffle.id());
        shuffles
    }

    /// The stages without those that another job completed while this one waited for the locks.
    fn stages(&self) -> (Vec<ShuffleStage>, Vec<usize>) {
        let open: Vec<_> = self.shuffles.iter().filter(|(shuffle, _)| !shuffle.is_complete()).collect();
        let position: HashMap<u64, usize> = open.iter().enumerate().map(|(i, (s, _))| (s.id(), i)).collect();
        let after = |ids: &[u64]| ids.iter().filter_map(|id| position.get(id).copied()).collect::<Vec<_>>();
        let stages =
            open.iter().map(|(shuffle, ids)| ShuffleStage { shuffle: shuffle.clone(), after: after(ids) }).collect();
        (stages, after(&self.result))
    }
}
