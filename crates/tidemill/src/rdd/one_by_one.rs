//! Transformations that look at one record at a time, in tasks that put aside what cannot be processed.
//!
//! Such a task keeps a copy of each record while the user's function has it, and calls the function under a guard of its
//! own: far slower than by chunks, and only done where dead letters are on.

use super::{
    aside,
    chunk::{CHUNK_RECORDS, Chunks},
    node::{ErasedRdd, Site},
    task::{Cursor, TaskContext, guarded, of_record},
};
use crate::base::Data;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Up to how many records one record may become and still be taken back as a whole when the last of them fails. Of more, the
/// first ones have moved on, and a failure is the task's.
const MOST: usize = 64 * 1024;

/// What `f` makes of the records of a partition, but for those it fails on.
pub(super) struct OneByOne<'a, T, I: IntoIterator, F> {
    chunks: Chunks<'a, T>,
    f: F,
    site: Site,
    task: &'a TaskContext,
    operator: &'a dyn ErasedRdd,
    partition: usize,
    cursor: Cursor,
    records: std::vec::IntoIter<T>,
    /// What is left of a record that becomes too many.
    rest: Option<I::IntoIter>,
}

impl<'a, T: Data, I: IntoIterator, F: Fn(T) -> I> OneByOne<'a, T, I, F> {
    pub(super) fn new(
        chunks: Chunks<'a, T>,
        task: &'a TaskContext,
        (operator, partition): (&'a dyn ErasedRdd, usize),
        f: F,
    ) -> Self {
        let (site, cursor, records) = (operator.site(), Cursor::default(), Vec::new().into_iter());
        Self { chunks, f, site, task, operator, partition, cursor, records, rest: None }
    }

    fn next_record(&mut self) -> Option<T> {
        loop {
            if let Some(record) = self.records.next() {
                self.cursor.step();
                aside::at(self.operator.id(), self.site, self.partition, self.cursor.record());
                return Some(record);
            }
            self.records = self.chunks.next()?.into_iter();
        }
    }

    /// Appends what becomes of one record; nothing, if it is put aside.
    fn process(&mut self, record: T, out: &mut Vec<I::Item>) {
        let Self { f, site, task, operator, partition, cursor, rest, .. } = self;
        let copy = guarded(site, task, cursor, || record.clone());
        let before = out.len();
        let made = catch_unwind(AssertUnwindSafe(|| {
            let mut items = f(record).into_iter();
            while out.len() - before < MOST {
                out.push(items.next()?);
            }
            Some(items)
        }));
        match made {
            Ok(left) => *rest = left,
            Err(panic) => {
                let error = of_record(panic);
                guarded(site, task, cursor, || out.truncate(before));
                task.expect(aside::reject(*operator, *partition, cursor.record(), &copy, error));
            }
        }
        guarded(site, task, cursor, || drop(copy));
    }

    fn go_on(&mut self, out: &mut Vec<I::Item>) {
        let Some(items) = &mut self.rest else { return };
        guarded(&self.site, self.task, &self.cursor, || out.extend(items.take(CHUNK_RECORDS)));
        if out.len() < CHUNK_RECORDS {
            self.rest = None;
        }
    }
}

impl<T: Data, I: IntoIterator, F: Fn(T) -> I> Iterator for OneByOne<'_, T, I, F> {
    type Item = Vec<I::Item>;

    fn next(&mut self) -> Option<Self::Item> {
        let _entered = self.task.enter(&self.site);
        let mut out = Vec::new();
        self.go_on(&mut out);
        // No further than the chunk it is in, so that what was read last stays near what is being processed.
        while out.is_empty() || (out.len() < CHUNK_RECORDS && self.records.len() > 0) {
            let Some(record) = self.next_record() else { break };
            self.process(record, &mut out);
        }
        (!out.is_empty()).then_some(out)
    }
}
