//! This process as a member of a cluster: it keeps the order of jobs that process 0 decides.
//!
//! Process 0 announces every job as it starts it. The others hold a job until it is announced, compare what it looks
//! like, and build jobs in the order of the announcements. A process whose program does not go the same way ends.

use super::{
    cluster::Control,
    order::{Failure, Order, Place, Report, Step, decode, encode},
};
use crate::{
    base::{Error, Result},
    rdd::{JobScope, Lane, Turn},
};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

#[cfg(test)]
mod tests;

/// What a process ends with if it is not in step with the others (`EX_CONFIG` of sysexits).
const OUT_OF_STEP_EXIT_CODE: i32 = 78;
/// Notes that may wait for somebody to hear them.
const QUEUE_NOTES: usize = 1024;
/// How often a wait for another process says what it waits for.
const WAIT_REPORT: Duration = Duration::from_secs(10);

/// What a process has heard and done so far.
#[derive(Default)]
struct Progress {
    /// The next sequence number of each lane.
    lanes: HashMap<Lane, u64>,
    /// Lanes that are between a turn and its end.
    busy: HashSet<Lane>,
    /// What process 0 has announced and this process has not done yet; jobs with their number among all jobs.
    steps: HashMap<Turn, (u64, Step)>,
    verdicts: HashMap<Turn, Option<Failure>>,
    /// On process 0: what the others say.
    reports: HashMap<Turn, Vec<Option<Failure>>>,
    announced_jobs: u64,
    built_jobs: u64,
    /// Process 0 sends no more.
    ended: bool,
    /// This process starts no more jobs.
    leaving: bool,
}

/// This process as one of several.
pub(super) struct Member {
    index: usize,
    processes: usize,
    control: Control,
    progress: Mutex<Progress>,
    changed: Condvar,
    heard: Receiver<Vec<u8>>,
    reader: Mutex<Option<JoinHandle<()>>>,
}

impl Member {
    pub(super) fn start(index: usize, processes: usize, control: Control) -> Result<Arc<Self>> {
        let (notes, heard) = bounded(QUEUE_NOTES);
        let member = Arc::new(Self {
            index,
            processes,
            control,
            progress: Mutex::default(),
            changed: Condvar::new(),
            heard,
            reader: Mutex::default(),
        });
        let reading = member.clone();
        let reader = std::thread::Builder::new()
            .name("tidemill-orders".into())
            .spawn(move || reading.read(notes))
            .map_err(|e| Error::from(e).context("the thread that reads orders could not be started"))?;
        *member.reader.lock().unwrap_or_else(PoisonError::into_inner) = Some(reader);
        Ok(member)
    }

    pub(super) fn leads(&self) -> bool {
        self.index == 0
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what the others send until the channel is closed.
    fn read(&self, notes: Sender<Vec<u8>>) {
        let mut notes = Some(notes);
        while let Ok(message) = self.control.recv() {
            let taken = if self.leads() {
                decode(&message.payload).map(|report| self.take_report(report))
            } else {
                decode(&message.payload).map(|order| self.take_order(order, &mut notes))
            };
            if let Err(error) = taken {
                self.part(&format!("process {} sent an order that cannot be read: {error}", message.from));
            }
        }
        self.progress().ended = true;
        self.changed.notify_all();
    }

    fn take_report(&self, report: Report) {
        self.progress().reports.entry(report.place.into()).or_default().push(report.failure);
        self.changed.notify_all();
    }

    fn take_order(&self, order: Order, notes: &mut Option<Sender<Vec<u8>>>) {
        match order {
            Order::Step(place, step) => self.take_step(place.into(), step),
            Order::Verdict(place, failure) => drop(self.progress().verdicts.insert(place.into(), failure)),
            // Nobody hears it once the engine is gone.
            Order::Note(note) => drop(notes.as_ref().map(|notes| notes.send(note))),
            Order::End => {
                self.progress().ended = true;
                *notes = None;
            }
        }
        self.changed.notify_all();
    }

    fn take_step(&self, turn: Turn, step: Step) {
        let mut progress = self.progress();
        if progress.leaving {
            drop(progress);
            self.out_of_step(&format!(
                "process 0 goes on with {}, but the program has ended here",
                described(&turn, &step)
            ));
        }
        let number = progress.announced_jobs;
        progress.announced_jobs += u64::from(matches!(step, Step::Job { .. }));
        progress.steps.insert(turn, (number, step));
    }

    /// Waits, in every process but the first, until process 0 announces the next step of this thread's lane.
    pub(super) fn turn(&self, scope: JobScope) -> Result<Turn> {
        let turn = self.next_place(scope)?;
        if self.leads() {
            return Ok(turn);
        }
        let mut progress = self.progress();
        while !progress.steps.contains_key(&turn) {
            if progress.ended || progress.leaving {
                progress.busy.remove(&turn.lane);
                return Err(Error::closed(format!(
                    "process 0 has ended, and {} asks for a job that it did not run; if that is unexpected, let the \
                     program declare the same jobs in every process",
                    turn.lane
                )));
            }
            progress = self.wait(progress, || format!("{} waits for process 0 to run its next job", turn.lane));
        }
        if let Some((_, Step::Agree)) = progress.steps.get(&turn) {
            drop(progress);
            self.out_of_step(&format!("{} has a job that process 0 does not have", turn.lane));
        }
        Ok(turn)
    }

    fn next_place(&self, scope: JobScope) -> Result<Turn> {
        let lane = Lane::of(scope)?;
        let mut progress = self.progress();
        if !progress.busy.insert(lane.clone()) {
            return Err(Error::invalid(format!(
                "two actions run at a time in {lane}, and the program runs on several processes; give every thread that \
                 calls actions a name of its own"
            )));
        }
        let next = progress.lanes.entry(lane.clone()).or_default();
        let sequence = *next;
        *next += 1;
        Ok(Turn { lane, sequence })
    }

    /// Waits for a change; says from time to time what for.
    fn wait<'a>(&'a self, held: MutexGuard<'a, Progress>, what: impl Fn() -> String) -> MutexGuard<'a, Progress> {
        let (held, waited) = self.changed.wait_timeout(held, WAIT_REPORT).unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            tracing::warn!(process = self.index, "{}", what());
        }
        held
    }

    /// On process 0: tells the others that a job starts. They build jobs in the order of these calls.
    pub(super) fn announce(&self, turn: &Turn, site: String, fingerprint: u64) -> Result<()> {
        self.send(&Order::Step(Place::from(turn), Step::Job { site, fingerprint }))
    }

    /// On the others: compares a job with what was announced, and waits until all announced before it are built.
    pub(super) fn follow(&self, turn: &Turn, site: &str, fingerprint: u64) {
        let mut progress = self.progress();
        let Some((number, step)) = progress.steps.remove(turn) else {
            drop(progress);
            self.out_of_step(&format!("\"{site}\" ran out of turn"));
        };
        if step != (Step::Job { site: site.to_owned(), fingerprint }) {
            drop(progress);
            let theirs = described(turn, &step);
            self.out_of_step(&format!("process 0 goes on with {theirs}, and this process with the job of \"{site}\""));
        }
        while progress.built_jobs != number {
            progress = self.wait(progress, || format!("\"{site}\" waits for jobs before it"));
        }
    }

    /// On the others: the job whose turn it was is in the workers' hands.
    pub(super) fn built(&self) {
        self.progress().built_jobs += 1;
        self.changed.notify_all();
    }

    /// The job of this turn has ended, or will not be run.
    pub(super) fn release(&self, turn: &Turn) {
        self.progress().busy.remove(&turn.lane);
    }

    /// The outcome that all processes have: the first failure there is, by process.
    pub(super) fn agree(&self, scope: JobScope, outcome: Result<()>) -> Result<()> {
        let turn = self.next_place(scope)?;
        let verdict = if self.leads() { self.judge(&turn, &outcome) } else { self.obey(&turn, &outcome) };
        self.release(&turn);
        match (verdict?, outcome) {
            (None, _) => Ok(()),
            // The same failure, but with its sources.
            (Some(failure), Err(error)) if Failure::from(&error) == failure => Err(error),
            (Some(failure), _) => Err(failure.into()),
        }
    }

    fn judge(&self, turn: &Turn, outcome: &Result<()>) -> Result<Option<Failure>> {
        self.send(&Order::Step(Place::from(turn), Step::Agree))?;
        let mut progress = self.progress();
        while progress.reports.get(turn).map_or(0, Vec::len) + 1 < self.processes {
            if progress.ended {
                return Err(Error::unavailable("another process has gone before the outcome of a batch was agreed on"));
            }
            progress = self.wait(progress, || format!("{} waits for the other processes", turn.lane));
        }
        let reports = progress.reports.remove(turn).unwrap_or_default();
        drop(progress);
        let own = outcome.as_ref().err().map(Failure::from);
        let verdict = own.or_else(|| reports.into_iter().flatten().next());
        self.send(&Order::Verdict(Place::from(turn), verdict.clone()))?;
        Ok(verdict)
    }

    fn obey(&self, turn: &Turn, outcome: &Result<()>) -> Result<Option<Failure>> {
        let failure = outcome.as_ref().err().map(Failure::from);
        self.control.send(&encode(&Report { place: Place::from(turn), failure })?)?;
        let mut progress = self.progress();
        loop {
            if let Some(verdict) = progress.verdicts.remove(turn) {
                progress.steps.remove(turn);
                return Ok(verdict);
            }
            if let Some((_, step @ Step::Job { .. })) = progress.steps.get(turn) {
                let theirs = described(turn, step);
                drop(progress);
                let here = outcome.as_ref().err().map(|error| format!(", which failed here alone: {error}"));
                self.out_of_step(&format!(
                    "process 0 goes on with {theirs}, and this process has no more of it{}",
                    here.unwrap_or_default()
                ));
            }
            if progress.ended {
                return Err(Error::closed(format!("process 0 ended before {} was done", turn.lane)));
            }
            progress = self.wait(progress, || format!("{} waits for the verdict of process 0", turn.lane));
        }
    }

    /// Forgets a lane that is over.
    pub(super) fn close_lane(&self, scope: JobScope) {
        if let Ok(lane) = Lane::of(scope) {
            self.progress().lanes.remove(&lane);
        }
    }

    pub(super) fn tell(&self, note: &[u8]) -> Result<()> {
        if self.leads() { self.send(&Order::Note(note.to_vec())) } else { Ok(()) }
    }

    pub(super) fn hear(&self) -> Option<Vec<u8>> {
        self.heard.recv().ok()
    }

    fn send(&self, order: &Order) -> Result<()> {
        self.control.broadcast(&encode(order)?)
    }

    /// No more jobs come from this process. Called before the workers are joined.
    pub(super) fn leave(&self) {
        let left = {
            let mut progress = self.progress();
            progress.leaving = true;
            progress.steps.iter().next().map(|(turn, (_, step))| described(turn, step))
        };
        self.changed.notify_all();
        if let Some(step) = left {
            self.out_of_step(&format!("process 0 goes on with {step}, but the program has ended here"));
        }
        if self.leads()
            && let Err(error) = self.send(&Order::End)
        {
            tracing::debug!(%error, "the others could not be told that process 0 ends");
        }
    }

    /// Says goodbye. Called once the workers of all processes are through.
    pub(super) fn close(&self) {
        self.control.close();
        let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(reader) = reader {
            // Notes that nobody hears must not keep it.
            while !reader.is_finished() && self.heard.recv().is_ok() {}
            drop(reader.join());
        }
    }

    fn out_of_step(&self, what: &str) -> ! {
        self.part(&format!("the processes do not run the same program: {what}; declare the same jobs in every process"))
    }

    /// Says why, and ends this process; the others then lose it and end too.
    pub(super) fn part(&self, why: &str) -> ! {
        let what = format!("process {}: {why}", self.index);
        if tracing::enabled!(tracing::Level::ERROR) {
            tracing::error!("{what}");
        } else {
            let line = format!("tidemill: {what}\n");
            eprint!("{line}");
        }
        std::process::exit(OUT_OF_STEP_EXIT_CODE);
    }
}

fn described(turn: &Turn, step: &Step) -> String {
    match step {
        Step::Job { site, .. } => format!("the job of \"{site}\" in {}", turn.lane),
        Step::Agree => format!("the end of an output in {}", turn.lane),
    }
}
