//! A job while it runs: its queues of partitions, its results, and its first failure.

use super::envelope::{Body, Content, Envelope, FailedAt};
use crate::{
    base::{Error, Result},
    rdd::{
        ErasedRdd, Job, JobOutput, Parent, Payload, PayloadCodec, TaskContext, Updates,
        task::{run_counted_task, run_guarded},
    },
};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

/// Where the workers of all processes are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Topology {
    pub(super) process: usize,
    pub(super) processes: usize,
    /// Workers of each process.
    pub(super) threads: usize,
}

impl Topology {
    /// The process that computes a partition of which no process holds the data alone.
    fn home(&self, partition: usize) -> usize {
        partition % self.processes
    }

    /// The process that computes a partition of `rdd`: where its data is, which its first parent knows.
    fn home_of(&self, rdd: &Arc<dyn ErasedRdd>, partition: usize) -> usize {
        if self.processes == 1 {
            return 0;
        }
        let (mut rdd, mut at) = (rdd.clone(), partition);
        loop {
            if let Some(process) = rdd.lineage().pinned(at) {
                return process;
            }
            let Some(Parent::Narrow(parent)) = rdd.parents().into_iter().next() else { break };
            let Some(&first) = rdd.lineage().parent_partitions(0, at).first() else { break };
            (rdd, at) = (parent, first);
        }
        self.home(partition)
    }

    /// The worker of each other process that takes in what concerns the whole process.
    fn others(self) -> impl Iterator<Item = usize> {
        (0..self.processes).filter(move |&process| process != self.process).map(move |process| process * self.threads)
    }

    /// The worker of `process` that takes in what belongs to `partition`.
    fn worker(&self, process: usize, partition: usize) -> usize {
        process * self.threads + (partition / self.processes) % self.threads
    }
}

/// The partitions of one stage that this process computes; its workers take the next one until none is left.
pub(super) struct Queue {
    partitions: Vec<usize>,
    next: AtomicUsize,
}

impl Queue {
    fn new(partitions: impl Iterator<Item = usize>) -> Self {
        Self { partitions: partitions.collect(), next: AtomicUsize::new(0) }
    }

    pub(super) fn take(&self) -> Option<usize> {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        self.partitions.get(next).copied()
    }
}

/// A job and what has come of it so far; shared by the workers of this process.
///
/// Once they have all let go of it, whoever submitted the job goes on. So the job, and with it functions and data of the
/// user's and perhaps the last handle of the context, is dropped by that thread and never by a worker.
pub(super) struct RunningJob {
    pub(super) job: Arc<Job>,
    pub(super) topology: Topology,
    /// One for each shuffle, and the last for the result stage.
    pub(super) queues: Vec<Queue>,
    output: Arc<Mutex<Outcome>>,
    failed: AtomicBool,
    /// The last field, because it tells that the others are dropped.
    _done: Sender<Infallible>,
}

/// What the thread that submitted a job keeps of it.
pub(super) struct Submitted {
    _job: Arc<Job>,
    output: Arc<Mutex<Outcome>>,
    done: Receiver<Infallible>,
}

impl Submitted {
    /// Waits until every worker of this process is through.
    pub(super) fn wait(self) -> Result<JobOutput> {
        match self.done.recv() {
            Ok(never) => match never {},
            Err(_) => lock(&self.output).take(),
        }
    }
}

fn lock(outcome: &Mutex<Outcome>) -> MutexGuard<'_, Outcome> {
    outcome.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Default)]
struct Outcome {
    results: Vec<Option<Payload>>,
    /// By stage and task, so that merging them in order gives the same everywhere.
    updates: BTreeMap<(usize, usize), Updates>,
    failures: BTreeMap<FailedAt, Error>,
    /// Failures that the other processes have not heard of.
    untold: Vec<FailedAt>,
}

impl Outcome {
    fn take(&mut self) -> Result<JobOutput> {
        if let Some((_, error)) = self.failures.pop_first() {
            return Err(error);
        }
        let results: Option<Vec<_>> = self.results.drain(..).collect();
        let results = results.ok_or_else(|| Error::internal("a job ended without all its results"))?;
        let updates = std::mem::take(&mut self.updates).into_values().flatten().collect();
        Ok(JobOutput { results, updates })
    }
}

impl RunningJob {
    pub(super) fn new(job: Job, topology: Topology) -> (Arc<Self>, Submitted) {
        let here = |rdd: &Arc<dyn ErasedRdd>, partition| topology.home_of(rdd, partition) == topology.process;
        let maps = job.shuffles.iter().map(|stage| {
            let rdd = stage.shuffle.map_side();
            let partitions = rdd.lineage().partitions();
            Queue::new((0..partitions).filter(|&partition| here(&rdd, partition)))
        });
        let positions = 0..job.result.partitions.len();
        let results = Queue::new(positions.filter(|&position| here(&job.result.rdd, job.result.partitions[position])));
        let queues = maps.chain([results]).collect();
        let outcome = Outcome { results: vec![None; job.result.partitions.len()], ..Outcome::default() };
        let (job, output) = (Arc::new(job), Arc::new(Mutex::new(outcome)));
        let (_done, done) = bounded(1);
        let submitted = Submitted { _job: job.clone(), output: output.clone(), done };
        (Arc::new(Self { job, topology, queues, output, failed: AtomicBool::new(false), _done }), submitted)
    }

    fn outcome(&self) -> MutexGuard<'_, Outcome> {
        lock(&self.output)
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// Runs one task of stage `stage` and sends what comes of it.
    pub(super) fn run_task(&self, stage: usize, index: usize, send: &mut dyn FnMut(Envelope)) {
        let outcome = match self.job.shuffles.get(stage) {
            Some(_) => self.run_map(stage, index, send),
            None => self.run_result(index, send),
        };
        if let Err(error) = outcome {
            self.fail(FailedAt { stage, index, process: self.topology.process }, error, send);
        }
    }

    fn run_map(&self, stage: usize, partition: usize, send: &mut dyn FnMut(Envelope)) -> Result<()> {
        let shuffle = &self.job.shuffles[stage].shuffle;
        let codec = shuffle.codec();
        let task = TaskContext::tracked(partition, self.job.scope, shuffle.site(), &self.job.tracking);
        let ((), updates) = run_counted_task(&task, |task| {
            shuffle.write(partition, task, &mut |target, payload| {
                let process = self.topology.home(target);
                let body = task.expect(self.seal(process, &payload, codec));
                let content = Content::Records { source: partition, target, body };
                send(Envelope { worker: self.topology.worker(process, target), content });
            });
        })?;
        self.keep_updates(stage, partition, updates, send);
        Ok(())
    }

    fn run_result(&self, position: usize, send: &mut dyn FnMut(Envelope)) -> Result<()> {
        let stage = &self.job.result;
        let partition = stage.partitions[position];
        let task = TaskContext::tracked(partition, self.job.scope, self.job.site, &self.job.tracking);
        let (payload, updates) = run_counted_task(&task, |task| {
            let payload = (stage.run)(partition, task);
            if self.topology.processes > 1 {
                let body = Body::Bytes(task.expect((stage.codec.encode)(&payload)));
                for worker in self.topology.others() {
                    send(Envelope { worker, content: Content::Result { position, body: body.clone() } });
                }
            }
            payload
        })?;
        self.outcome().results[position] = Some(payload);
        self.keep_updates(self.job.shuffles.len(), position, updates, send);
        Ok(())
    }

    /// Keeps what a task added to accumulators and sends it to the other processes.
    fn keep_updates(&self, stage: usize, index: usize, updates: Updates, send: &mut dyn FnMut(Envelope)) {
        if updates.is_empty() {
            return;
        }
        for worker in self.topology.others() {
            send(Envelope { worker, content: Content::Updates { index, updates: updates.clone() } });
        }
        self.outcome().updates.insert((stage, index), updates);
    }

    fn seal(&self, process: usize, payload: &Payload, codec: PayloadCodec) -> Result<Body> {
        if process == self.topology.process {
            Ok(Body::Local(payload.clone()))
        } else {
            (codec.encode)(payload).map(Body::Bytes)
        }
    }

    /// Keeps a failure and tells the other processes.
    fn fail(&self, at: FailedAt, error: Error, send: &mut dyn FnMut(Envelope)) {
        for worker in self.topology.others() {
            send(Envelope { worker, content: Content::Failure { at, failure: (&error).into() } });
        }
        self.keep_failure(at, error);
    }

    fn keep_failure(&self, at: FailedAt, error: Error) {
        self.failed.store(true, Ordering::Relaxed);
        self.outcome().failures.insert(at, error);
    }

    /// Tells the other processes what failed while this one took in what they sent: a job fails everywhere or nowhere.
    pub(super) fn tell_failures(&self, send: &mut dyn FnMut(Envelope)) {
        let untold = std::mem::take(&mut self.outcome().untold);
        for at in untold {
            let error = self.outcome().failures.get(&at).cloned();
            if let Some(error) = error {
                self.fail(at, error, send);
            }
        }
    }

    /// Opens an envelope that arrived for stage `stage`. Records of the user's types are read here.
    pub(super) fn accept(&self, stage: usize, envelope: Envelope) {
        let opened = run_guarded("a record that another process sent could not be read", || self.open(stage, envelope));
        if let Err(error) = opened.and_then(|opened| opened) {
            let at = FailedAt { stage, index: usize::MAX, process: self.topology.process };
            self.keep_failure(at, error);
            self.outcome().untold.push(at);
        }
    }

    fn open(&self, stage: usize, envelope: Envelope) -> Result<()> {
        match envelope.content {
            Content::Records { source, target, body } => {
                let shuffle = &self.job.shuffles[stage].shuffle;
                body.open(shuffle.codec().decode).and_then(|payload| shuffle.accept(source, target, payload))
            }
            Content::Result { position, body } => {
                body.open(self.job.result.codec.decode).map(|payload| self.outcome().results[position] = Some(payload))
            }
            Content::Updates { index, updates } => {
                self.outcome().updates.insert((stage, index), updates);
                Ok(())
            }
            Content::Failure { at, failure } => {
                self.keep_failure(at, failure.into());
                Ok(())
            }
        }
    }
}
