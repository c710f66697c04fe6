//! What the tests of this room run on: real workers, and a stand-in for several processes.

use crate::rdd::{
    Job, JobOutput, JobRunner, Parent, Session, Site, TaskContext,
    node::{ErasedRdd, Rdd},
    task::run_task,
};
use crate::{
    Context,
    base::{Data, Result},
};
use std::sync::Arc;

/// Runs jobs on the calling thread and says that there are several processes.
///
/// It fails a job in which a task reads what would be at another process.
struct ManyProcesses(usize);

impl ManyProcesses {
    fn check(&self, rdd: &dyn ErasedRdd) {
        let (parents, lineage) = (rdd.parents(), rdd.lineage());
        for (index, parent) in parents.iter().enumerate() {
            for partition in 0..lineage.partitions() {
                for read in lineage.parent_partitions(index, partition) {
                    let site = rdd.site();
                    assert_eq!(read % self.0, partition % self.0, "{site}: {partition} reads {read} of parent {index}");
                }
            }
            match parent {
                Parent::Narrow(parent) => self.check(&**parent),
                Parent::Shuffle(shuffle) => self.check(&*shuffle.map_side()),
            }
        }
    }
}

impl JobRunner for ManyProcesses {
    fn run(&self, job: Job) -> Result<JobOutput> {
        self.check(&*job.result.rdd);
        for stage in &job.shuffles {
            for source in 0..stage.shuffle.map_side().lineage().partitions() {
                let mut sent = Vec::new();
                run_task(&TaskContext::new(source, job.scope), |task| {
                    stage.shuffle.write(source, task, &mut |target, payload| sent.push((target, payload)));
                })?;
                sent.into_iter().try_for_each(|(target, payload)| stage.shuffle.accept(source, target, payload))?;
            }
        }
        let run = |&partition: &usize| {
            run_task(&TaskContext::new(partition, job.scope), |task| (job.result.run)(partition, task))
        };
        let results = job.result.partitions.iter().map(run).collect::<Result<_>>()?;
        Ok(JobOutput { results, updates: Vec::new() })
    }

    fn stop(&self) -> Result<()> {
        Ok(())
    }

    fn process(&self) -> (usize, usize) {
        (0, self.0)
    }
}

/// One to three workers; two and three processes.
pub(super) struct Sessions(Vec<Arc<Session>>);

/// How many there are.
pub(super) const SESSIONS: usize = 5;

impl Sessions {
    pub(super) fn new() -> Self {
        let workers = (1..=3).map(|n| Context::local(n).range(0, 0, 1, 1).session().clone());
        let processes = (2..=3).map(|n| Session::new(2, Arc::new(ManyProcesses(n))));
        Self(workers.chain(processes).collect())
    }

    pub(super) fn rdd<T: Data>(&self, session: usize, values: &[T], partitions: usize) -> Rdd<T> {
        Rdd::parallelized(&self.0[session], Site::unknown("values"), values.to_vec(), partitions)
    }
}

/// The records of each partition.
pub(super) fn parts<T: Data>(rdd: &Rdd<T>) -> Vec<Vec<T>> {
    rdd.glom().collect().unwrap()
}

/// All records in order.
pub(super) fn sorted<T: Data + Ord>(rdd: &Rdd<T>) -> Vec<T> {
    let mut records = rdd.collect().unwrap();
    records.sort();
    records
}
