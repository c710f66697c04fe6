//! A function that runs once in every process of a program.

use super::{Lineage, Parent, Rdd, RddNode, Session, Site, TaskContext, chunk::Chunks, task::run_guarded};
use crate::base::{Data, Result};
use std::sync::Arc;

/// One empty partition at home in each process.
struct EveryProcess(usize);

impl Lineage for EveryProcess {
    fn partitions(&self) -> usize {
        self.0
    }
    fn parents(&self) -> Vec<Parent> {
        Vec::new()
    }
    fn pinned(&self, partition: usize) -> Option<usize> {
        Some(partition)
    }
}

impl RddNode<()> for EveryProcess {
    fn compute<'a>(&'a self, _partition: usize, _task: &'a TaskContext) -> Chunks<'a, ()> {
        Box::new(std::iter::empty())
    }
}

/// Calls `f` with the number of the process in every process, at once, and gives everybody what they returned. Every
/// process has to call this at the same place of the program.
///
/// # Errors
/// That of the first process in which it failed.
pub(crate) fn in_every_process<R: Data>(
    session: &Arc<Session>,
    site: Site,
    f: impl Fn(usize) -> Result<R> + Send + Sync + 'static,
) -> Result<Vec<R>> {
    let (_, processes) = session.runner().process();
    if processes == 1 {
        return Ok(vec![run_guarded(format!("\"{site}\" failed"), || f(0))??]);
    }
    let rdd = Rdd::from_node(session, site, EveryProcess(processes));
    rdd.run(site, move |_, process, task| task.expect(f(process)))
}
