//! Where a streaming program is remembered, and how a start meets what is remembered there.

use super::StreamingContext;
use crate::{
    base::{Error, Result, storage::StorageRef},
    checkpoint::CheckpointDirectory,
};
use std::{path::Path, sync::Arc};

impl StreamingContext {
    /// Sets where the program is remembered: a folder, which is created, or a URL of a [storage](crate::base::storage).
    ///
    /// From then on every batch is in a commit log there: what it reads before it runs; and, once all its outputs
    /// succeeded, the state it changed and that it is done. A program that was killed at any instant and starts again with
    /// the same checkpoint goes on from the last batch that is done: those that were begun run again over the same data,
    /// those that were missed are run as `tidemill.recovery.missedBatches` says. Stateful operations need a checkpoint.
    /// It belongs to one running program at a time.
    ///
    /// # Errors
    /// Unavailable, if the place cannot be made or written to; Invalid, if it does not keep what a log needs;
    /// [`Misuse::ChangedAfterStart`](crate::Misuse::ChangedAfterStart).
    ///
    /// # Examples
    /// ```
    /// use tidemill::{StreamingContext, seconds};
    /// let folder = tempfile::tempdir()?;
    /// let ssc = StreamingContext::local(2, seconds(1))?;
    /// ssc.checkpoint(folder.path().join("state"))?;
    /// assert!(folder.path().join("state").is_dir());
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    pub fn checkpoint(&self, url: impl AsRef<Path>) -> Result<()> {
        self.check_unstarted("checkpoint directory")?;
        self.set_checkpoint(CheckpointDirectory::create(url.as_ref())?)
    }

    /// As [`checkpoint`](Self::checkpoint), into a storage of one's own making.
    ///
    /// # Errors
    /// [`Misuse::ChangedAfterStart`](crate::Misuse::ChangedAfterStart).
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use tidemill::{StreamingContext, base::storage::MemoryStorage, seconds};
    /// let ssc = StreamingContext::local(2, seconds(1))?;
    /// ssc.checkpoint_to(Arc::new(MemoryStorage::new()))?;
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    pub fn checkpoint_to(&self, storage: StorageRef) -> Result<()> {
        self.check_unstarted("checkpoint directory")?;
        self.set_checkpoint(CheckpointDirectory::of(storage))
    }

    fn set_checkpoint(&self, directory: CheckpointDirectory) -> Result<()> {
        if let Some(path) = directory.path() {
            let _ = self.inner.graph.session.extensions.checkpoint_dir.set(path.to_path_buf());
        }
        self.inner.graph.set_checkpoint(directory);
        Ok(())
    }

    /// Begins afresh if the checkpoint is of a run that began with its start number `start` or an earlier one (they count
    /// from 1); otherwise it goes on. `u64::MAX` leaves any run behind, as `tidemill.checkpoint.afresh` does.
    ///
    /// A program that tries again to begin afresh says the same number again: once the new run has begun, it goes on.
    ///
    /// # Errors
    /// [`Misuse::ChangedAfterStart`](crate::Misuse::ChangedAfterStart).
    ///
    /// # Examples
    /// ```
    /// use tidemill::{base::storage::MemoryStorage, Config, seconds, testing::TestContext};
    /// let checkpoint = MemoryStorage::new();
    /// let mut totals = Vec::new();
    /// for _start in 0..3 {
    ///     let test = TestContext::remembered_in(checkpoint.clone(), Config::new(), seconds(1));
    ///     test.ssc().leave_behind(1)?;
    ///     let letters = test.stream(vec![vec![('a', 1)], vec![('a', 1)]]);
    ///     let counts = letters.update_state_by_key(|new: &[i32], n: Option<usize>| Some(n.unwrap_or(0) + new.len()));
    ///     let seen = test.collect(&counts);
    ///     test.run(1)?;
    ///     totals.extend(seen.batches().concat());
    /// }
    /// // The first start, the one that leaves it behind, and one that goes on with the second.
    /// assert_eq!(totals, [('a', 1), ('a', 1), ('a', 2)]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    pub fn leave_behind(&self, start: u64) -> Result<()> {
        self.check_unstarted("run that is left behind")?;
        self.inner.graph.leave_behind(start);
        Ok(())
    }

    /// Has `call` called when the program starts and has taken its checkpoint, before that is logged: with the number of the
    /// last start that the checkpoint knows, 0 if none. What it makes durable beside the checkpoint is there if the start is
    /// logged. An error of it keeps the program from starting.
    ///
    /// # Errors
    /// [`Misuse::ChangedAfterStart`](crate::Misuse::ChangedAfterStart).
    ///
    /// # Examples
    /// ```
    /// use std::sync::{Arc, atomic::{AtomicU64, Ordering}};
    /// let test = tidemill::testing::TestContext::new();
    /// let last = Arc::new(AtomicU64::new(7));
    /// let told = last.clone();
    /// test.ssc().before_start(move |start| {
    ///     told.store(start, Ordering::Relaxed);
    ///     Ok(())
    /// })?;
    /// test.collect(&test.stream(vec![vec![1]]));
    /// test.run(1)?;
    /// assert_eq!(last.load(Ordering::Relaxed), 0);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    pub fn before_start(&self, call: impl Fn(u64) -> Result<()> + Send + Sync + 'static) -> Result<()> {
        self.check_unstarted("call before the start")?;
        self.inner.graph.on_before_start(Arc::new(call));
        Ok(())
    }

    /// A context that goes on from the checkpoint at `url` if there is one, and begins there otherwise.
    ///
    /// `build` declares the program, in either case: a checkpoint holds data and no code. (Spark's calls it only where
    /// there is no checkpoint, for it keeps the functions themselves.) What changed in the program since is compared with
    /// what is remembered when the context starts; see [`DStream::uid`](crate::DStream::uid).
    ///
    /// # Errors
    /// What `build` returns; as [`checkpoint`](Self::checkpoint).
    ///
    /// # Examples
    /// ```
    /// use tidemill::{Result, StreamingContext, milliseconds};
    /// let folder = tempfile::tempdir()?;
    /// let program = || -> Result<StreamingContext> {
    ///     let ssc = StreamingContext::local(2, milliseconds(10))?;
    ///     let numbers = ssc.generate_stream(100, |number| (number % 3, number));
    ///     numbers.update_state_by_key(|new: &[u64], sum: Option<u64>| Some(sum.unwrap_or(0) + new.iter().sum::<u64>())).print(3);
    ///     Ok(ssc)
    /// };
    /// for _start in 0..2 {
    ///     let ssc = StreamingContext::get_or_create(folder.path(), program)?;
    ///     ssc.start()?;
    ///     ssc.stop_gracefully()?;
    /// }
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    pub fn get_or_create<E>(url: impl AsRef<Path>, build: impl FnOnce() -> Result<Self, E>) -> Result<Self>
    where
        E: Into<Error>,
    {
        let ssc = build().map_err(Into::into)?;
        ssc.checkpoint(url)?;
        Ok(ssc)
    }
}
