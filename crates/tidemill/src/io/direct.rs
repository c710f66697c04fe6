//! Inputs without a receiver that can be read again: the driver picks what a batch reads, the workers read it.

use crate::{
    base::{Data, Result, Time, clock::Deadline},
    dstream::input::{Input, InputMemory, Slice},
    rdd::{
        Rdd, Session, Site,
        read::{ReadRdd, Source},
    },
};
use std::sync::Arc;

/// Where the records of a direct stream come from.
///
/// For each batch the driver [picks](Self::pick) a slice: a small plain value that says what the batch reads, such as ranges
/// of offsets. With a checkpoint it is logged before the batch runs, so that a batch that runs again reads the same. Every
/// process then makes a [`Source`] of the slice, which its workers read.
///
/// What `pick` goes on from is the input's own to keep. It is [remembered](Self::remember) from time to time and given
/// back at a restart, with what was picked since.
///
/// # Examples
/// A stream of numbers, three to a batch.
/// ```
/// use std::sync::{Mutex, PoisonError};
/// use tidemill::{Result, Time, io::{DirectInput, InputMemory, Slice, Source, SourceChunks}, testing::TestContext};
///
/// #[derive(Default)]
/// struct Numbers {
///     next: Mutex<u64>,
/// }
///
/// impl DirectInput<u64> for Numbers {
///     type Source = Range;
///     fn pick(&self, _: Time) -> Result<Slice> {
///         let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
///         let range = (*next, *next + 3);
///         *next = range.1;
///         Slice::of(&range, 3)
///     }
///     fn source(&self, _: Time, slice: &Slice) -> Result<Range> {
///         slice.decode().map(Range)
///     }
///     fn remember(&self) -> Result<Vec<u8>> {
///         Ok(self.next.lock().unwrap_or_else(PoisonError::into_inner).to_le_bytes().to_vec())
///     }
///     fn restore(&self, memory: &InputMemory<'_>) -> Result<()> {
///         let remembered = memory.remembered().and_then(|bytes| Some(u64::from_le_bytes(bytes.try_into().ok()?)));
///         let mut next = remembered.unwrap_or(0);
///         for (_, slice) in memory.picked() {
///             next = next.max(slice.decode::<(u64, u64)>()?.1);
///         }
///         *self.next.lock().unwrap_or_else(PoisonError::into_inner) = next;
///         Ok(())
///     }
/// }
///
/// struct Range((u64, u64));
///
/// impl Source<u64> for Range {
///     fn partitions(&self) -> usize {
///         1
///     }
///     fn place(&self, _: usize) -> String {
///         "numbers".into()
///     }
///     fn read<'a>(&'a self, _: usize) -> Result<SourceChunks<'a, u64>> {
///         Ok(Box::new(std::iter::once(Ok((self.0.0..self.0.1).collect()))))
///     }
/// }
///
/// let test = TestContext::new();
/// let seen = test.collect(&test.ssc().direct_stream(Numbers::default()));
/// test.run(2)?;
/// assert_eq!(seen.batches(), [[0, 1, 2], [3, 4, 5]]);
/// # Ok::<(), tidemill::Error>(())
/// ```
pub trait DirectInput<T>: Send + Sync + 'static {
    /// What the slice of a batch is read with.
    type Source: Source<T>;

    /// The operation that made the stream, for messages.
    fn operation(&self) -> &'static str {
        "direct_stream"
    }

    /// What tells it from other inputs of its kind, in words: a topic, a table. Part of the id under which a checkpoint
    /// knows it.
    fn identity(&self) -> Option<String> {
        None
    }

    /// Looks whether the program can run with this input; called in every process before anything starts.
    ///
    /// # Errors
    /// If it cannot.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// Called once when the program starts, in the process that drives, after [`restore`](Self::restore).
    ///
    /// # Errors
    /// If the program cannot run.
    fn start(&self) -> Result<()> {
        Ok(())
    }

    /// Picks what the batch at `time` reads. Called in the process that drives, in the order of the batches, on the thread
    /// that cuts them: what takes long here delays the next batch.
    ///
    /// # Errors
    /// Fails the batch.
    fn pick(&self, time: Time) -> Result<Slice>;

    /// What reads a slice; called in every process when the batch runs.
    ///
    /// # Errors
    /// Fails the batch.
    fn source(&self, time: Time, slice: &Slice) -> Result<Self::Source>;

    /// The batch at `time` ended and will not be run again; if it succeeded, its outputs are done and a checkpoint says so.
    fn release(&self, time: Time, slice: Option<&Slice>, succeeded: bool) {
        let _ = (time, slice, succeeded);
    }

    /// How many records a second the input may take in from now on, as backpressure has found.
    fn set_rate(&self, records_per_second: u64) {
        let _ = records_per_second;
    }

    /// What the input has to be told after a restart: everything that [`pick`](Self::pick) has changed so far.
    ///
    /// # Errors
    /// Ends the program.
    fn remember(&self) -> Result<Vec<u8>>;

    /// Takes up what an earlier start of the program remembered; called before [`start`](Self::start), in the process that
    /// drives a program with a checkpoint, and with an empty memory where there is nothing to take up.
    ///
    /// # Errors
    /// The program does not start.
    fn restore(&self, memory: &InputMemory<'_>) -> Result<()>;

    /// The program ended, in every process: nothing is picked, read or released any more.
    fn close(&self) {}
}

/// A direct input as an input of a graph.
pub(crate) struct Direct<D> {
    pub(crate) input: D,
    pub(crate) site: Site,
}

impl<T: Data, D: DirectInput<T>> Input<T> for Direct<D> {
    fn is_replayable(&self) -> bool {
        true
    }
    fn check(&self) -> Result<()> {
        self.input.check()
    }
    fn start(&self) -> Result<()> {
        self.input.start()
    }
    fn stop(&self, _: &Deadline) -> bool {
        true
    }
    fn pick(&self, time: Time) -> Result<Slice> {
        self.input.pick(time)
    }
    fn rdd(&self, session: &Arc<Session>, time: Time, slice: &Slice) -> Result<Rdd<T>> {
        let source = self.input.source(time, slice)?;
        Ok(Rdd::from_node(session, self.site, ReadRdd::new(self.site, source)))
    }
    fn release(&self, time: Time, slice: Option<&Slice>, succeeded: bool) {
        self.input.release(time, slice, succeeded);
    }
    fn set_rate(&self, records_per_second: u64) {
        self.input.set_rate(records_per_second);
    }
    fn identity(&self) -> Option<String> {
        self.input.identity()
    }
    fn remember(&self) -> Result<Vec<u8>> {
        self.input.remember()
    }
    fn restore(&self, memory: &InputMemory<'_>) -> Result<()> {
        self.input.restore(memory)
    }
    fn close(&self) {
        self.input.close();
    }
}
