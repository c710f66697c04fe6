//! The same streaming program on several processes: process 0 cuts the batches and tells the others what each one reads.
//!
//! The others have no generator and start no inputs. Every process runs the same graph over the same slices, and all
//! agree on how each output ended.

use super::{
    JobScheduler,
    batch::Batch,
    recovery::{PreparedLast, Restart},
};
use crate::{
    base::{Error, Result, Time, clock::Stopwatch},
    checkpoint::StateSource,
    dstream::{graph::Graph, input::Slice, output::SinkStart},
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// From process 0 to the schedulers of the others.
#[derive(Serialize, Deserialize)]
enum Note {
    Start(Opening, Remembered),
    /// This batch runs now.
    Batch {
        time_ms: u64,
        slices: Vec<(usize, Slice)>,
        failed: bool,
    },
    /// No more batches come.
    Stop,
}

/// What the programs of all processes must have in common.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Opening {
    zero_ms: u64,
    batch_ms: u64,
    inputs: Vec<String>,
    outputs: Vec<String>,
}

/// From where the others go on.
#[derive(Serialize, Deserialize)]
struct Remembered {
    epoch: u64,
    last_done: Option<Time>,
    state: Vec<StateSource>,
    sinks: PreparedLast,
    job: Option<String>,
    run: u64,
    has_unfinished: bool,
}

impl Opening {
    fn of(graph: &Graph, zero: Time) -> Self {
        Self {
            zero_ms: zero.as_ms(),
            batch_ms: crate::base::time::ms(graph.batch_duration),
            inputs: graph.inputs().iter().map(|input| input.site().to_string()).collect(),
            outputs: graph.outputs().iter().map(|output| output.site.to_string()).collect(),
        }
    }
}

fn tell(graph: &Graph, note: &Note) -> Result<()> {
    let runner = graph.session.runner();
    if runner.process().1 == 1 {
        return Ok(());
    }
    let bytes = postcard::to_stdvec(note)
        .map_err(|e| Error::internal("a batch could not be encoded for the other processes").with_source(e))?;
    runner.tell(&bytes)
}

fn hear(graph: &Graph) -> Option<Note> {
    let runner = graph.session.runner();
    let bytes = runner.hear()?;
    match postcard::from_bytes(&bytes) {
        Ok(note) => Some(note),
        Err(error) => {
            let _ = runner.part(&format!("process 0 sent a batch that cannot be read: {error}"));
            None
        }
    }
}

impl JobScheduler {
    /// Whether another process cuts the batches.
    pub(crate) fn follows(&self) -> bool {
        self.graph.session.runner().process().0 != 0
    }

    /// On process 0: tells the others that the program starts, and from when it counts.
    pub(super) fn tell_start(&self, restart: &Restart) -> Result<()> {
        let remembered = Remembered {
            epoch: self.graph.epoch(),
            last_done: restart.last_done,
            state: restart.state.clone(),
            sinks: restart.sinks.clone(),
            job: restart.start.job.clone(),
            run: restart.start.run,
            has_unfinished: restart.start.has_unfinished,
        };
        tell(&self.graph, &Note::Start(Opening::of(&self.graph, restart.zero), remembered))
    }

    /// On process 0: tells the others to run a batch that it is about to run itself.
    pub(super) fn tell_batch(&self, batch: &Batch) -> Result<()> {
        if self.follows() {
            return Ok(());
        }
        let (time_ms, slices, failed) = (batch.time.as_ms(), batch.slices.clone(), batch.failure.is_some());
        tell(&self.graph, &Note::Batch { time_ms, slices, failed })
    }

    /// On process 0: tells the others that the program is over.
    pub(super) fn tell_stop(&self) {
        if let Err(error) = tell(&self.graph, &Note::Stop) {
            tracing::warn!(%error, "the other processes could not be told to stop");
        }
    }

    /// On the others: waits until process 0 starts the program, and takes its zero time and the state that is here.
    pub(super) fn hear_start(&self) -> Result<()> {
        match hear(&self.graph) {
            Some(Note::Start(theirs, remembered)) => {
                let ours = Opening::of(&self.graph, Time::from_ms(theirs.zero_ms));
                if ours != theirs {
                    let what = "the processes do not run the same program";
                    return Err(self.graph.session.runner().part(&format!(
                        "{what}: process 0 starts {theirs:?}, this one {ours:?}; declare the same streams in every process"
                    )));
                }
                self.graph.set_zero_time(Time::from_ms(theirs.zero_ms));
                self.graph.set_epoch(remembered.epoch);
                self.graph.identify()?;
                let mut start = SinkStart::default();
                (start.job, start.run, start.has_unfinished) =
                    (remembered.job, remembered.run, remembered.has_unfinished);
                self.start_sinks(&start)?;
                self.restore_state(remembered.last_done, &remembered.state, &remembered.sinks)
            }
            Some(_) => Err(self.graph.session.runner().part("process 0 runs batches of another streaming context")),
            None => Err(Error::closed("process 0 ended before it started the streaming program")),
        }
    }

    /// The loop of the thread that takes batches from process 0, until it stops.
    pub(super) fn follow(&self, timeout: Duration) {
        while let Some(note) = hear(&self.graph) {
            match note {
                Note::Batch { time_ms, slices, failed } => self.queue_told(Time::from_ms(time_ms), slices, failed),
                Note::Stop => break,
                Note::Start(..) => {
                    let _ = self.graph.session.runner().part("process 0 starts a second streaming context");
                }
            }
        }
        self.queue.close();
        if !self.queue.wait_idle(timeout) {
            tracing::warn!("a batch does not end after process 0 has stopped; it is left behind");
        }
        if let Some(ended) = self.on_told_to_stop() {
            ended();
        }
    }

    fn queue_told(&self, time: Time, slices: Vec<(usize, Slice)>, failed: bool) {
        let info = self.info_of(time, &slices);
        let failure = failed.then(|| Error::unavailable(format!("process 0 could not pick the batch of {time}")));
        // Closed only once process 0 has stopped, after its last batch.
        let _ = self.queue.push(Batch { time, slices, info, submitted: Stopwatch::start(), failure });
        *self.last_cut() = Some(time);
    }
}
