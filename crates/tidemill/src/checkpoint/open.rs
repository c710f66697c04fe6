//! How a driver takes a checkpoint: it holds the name, decides where to go on from, and stores the next number.

use super::{
    OpenOptions, Program, Recovered,
    append::Turns,
    background::{INPUTS_EVERY, Shared},
    compare::{Discarded, compare},
    decide::{Decision, decide},
    entry::{INPUTS, LOCK, LogEntry, Opened, STATE},
    envelope::{self, Kind},
    facts::{Observed, epoch_of_names, numbers, unusable},
    memory::{InputsSource, Memory},
    owner::{owner, wall_now},
    tail::{Driver, Tail},
};
use crate::base::{
    Error, ErrorKind, Interrupt, Result,
    clock::Deadline,
    durable::durable_step,
    storage::{Hold, Storage, StorageRef},
    time::milliseconds,
};
use crossbeam_channel::Sender;
use std::{
    any::Any,
    collections::{BTreeMap, BTreeSet},
    hash::{BuildHasher, RandomState},
    sync::{Mutex, atomic::AtomicU64},
    time::Duration,
};

/// A second look at the log, if it grew while it was being read.
const LOOKS: usize = 5;

type Guard = Box<dyn Any + Send + Sync>;

/// A checkpoint that was taken.
pub(super) struct Opening {
    pub(super) shared: Shared,
    pub(super) hold: Option<Guard>,
    pub(super) recovered: Recovered,
}

pub(super) fn open(storage: &StorageRef, program: Program, options: &OpenOptions, wake: Sender<()>) -> Result<Opening> {
    let owner = owner(wall_now());
    let (hold, locks) = hold(&**storage, &owner, options)?;
    let mut look = 1;
    loop {
        let decision = decide(&Observed::of(&**storage)?)?;
        if decision.is_none() {
            refuse_leftovers(&**storage)?;
        }
        let decision = decision.unwrap_or_else(|| Decision { next: 1, ..Decision::default() });
        if !locks && !options.take_over {
            watch(&**storage, &decision, options.lease)?;
        }
        let (driver, tail, opened, recovered) = prepare(storage, &program, options, &owner, decision)?;
        if let Some(before_start) = &options.before_start {
            before_start(driver.epoch - 1)?;
            durable_step("log: before a start is logged");
        }
        let shared = Shared {
            storage: storage.clone(),
            driver,
            tail: Mutex::new(tail),
            turns: Turns::default(),
            fresh: Mutex::default(),
            inputs_every: AtomicU64::new(INPUTS_EVERY),
            wake: wake.clone(),
            stop: Interrupt::new(),
            heartbeat: (!locks && !options.lease.is_zero()).then(|| options.lease / 3),
            kept: Mutex::default(),
            tending: Mutex::default(),
        };
        match shared.append_all(|_| opened.clone()) {
            Err(error) if error.kind() == ErrorKind::Closed && options.take_over && look < LOOKS => look += 1,
            Err(error) => return Err(error),
            Ok(_) => {
                durable_step("log: a driver has taken the checkpoint");
                return Ok(Opening { shared, hold, recovered });
            }
        }
    }
}

/// A number that no other start draws: the keys of the standard library's hashers are random.
pub(crate) fn nonce() -> u64 {
    RandomState::new().hash_one(wall_now().as_ms())
}

fn taken(storage: &dyn Storage, owner: &str) -> Error {
    Error::closed(format!(
        "the checkpoint \"{}\" is in use by {owner}; stop that program first, or set \
         tidemill.checkpoint.takeOver=true to take it over, which makes that program fail at its next commit",
        storage.url()
    ))
}

/// Holds the checkpoint where the storage can: the guard, and whether it can.
fn hold(storage: &dyn Storage, owner: &str, options: &OpenOptions) -> Result<(Option<Guard>, bool)> {
    match storage.hold(LOCK, owner)? {
        Hold::Held(guard) => Ok((Some(guard), true)),
        Hold::Unsupported => Ok((None, false)),
        Hold::Taken(other) if options.take_over => {
            tracing::warn!(
                checkpoint = storage.url(),
                owner = other,
                "the checkpoint is taken over from a program that uses it"
            );
            Ok((None, true))
        }
        Hold::Taken(other) => {
            let other = if other.is_empty() { "another program" } else { &other };
            Err(taken(storage, other))
        }
    }
}

/// Where nothing can be held: a driver that is alive adds to the log.
fn watch(storage: &dyn Storage, decision: &Decision, lease: Duration) -> Result<()> {
    let Some((epoch, driver)) = decision.last_driver.as_ref().filter(|_| !decision.closed) else { return Ok(()) };
    let (deadline, pause) = (Deadline::after(lease), Interrupt::new());
    tracing::info!(
        checkpoint = storage.url(),
        owner = driver.owner,
        ?lease,
        "the checkpoint was not closed; it is watched whether its driver is alive"
    );
    while !deadline.is_over() {
        pause.wait_timeout(deadline.left().min(lease / 10).max(Duration::from_millis(1)));
        if numbers(storage)?.last().is_some_and(|last| *last >= decision.next) {
            return Err(taken(storage, &format!("{}, epoch {epoch}", driver.owner)));
        }
    }
    Ok(())
}

/// State without a log is not begun from anew.
fn refuse_leftovers(storage: &dyn Storage) -> Result<()> {
    for folder in [STATE, INPUTS] {
        if let Some(file) = storage.list(folder)?.first() {
            return Err(unusable(&format!(
                "there is \"{}\" in \"{}\", but no file of the log",
                file.name,
                storage.url()
            )));
        }
    }
    Ok(())
}

/// Compares the programs; what is to be logged of the start of this one.
fn prepare(
    storage: &StorageRef,
    program: &Program,
    options: &OpenOptions,
    owner: &str,
    mut decision: Decision,
) -> Result<(Driver, Tail, Vec<LogEntry>, Recovered)> {
    let epoch = decision.epoch.max(epoch_of_names(&**storage)?.unwrap_or_default()) + 1;
    let goes_on = decision.memory.first_epoch > options.leave_behind;
    let leaves_behind = decision.memory.first_epoch > 0 && !goes_on;
    if leaves_behind {
        tracing::info!(
            checkpoint = storage.url(),
            "what an earlier run remembers is left behind; the program begins afresh"
        );
        let batch_duration = milliseconds(program.batch_ms);
        decision.memory = decision.memory.afresh(epoch, options.zero, batch_duration);
    }
    let mut before = decision.memory.clone();
    before.settle();
    let discarded = match goes_on {
        true => fit(storage.url(), &before, program, &options.discard)?,
        false => Discarded::default(),
    };
    let driver = Driver { epoch, nonce: nonce() };
    let opened = LogEntry::Opened(Opened {
        owner: owner.to_owned(),
        at: wall_now(),
        program: program.clone(),
        zero: options.zero,
        forgets_state: discarded.state,
        forgets_inputs: discarded.inputs,
    });
    let mut recovered = recovered(&**storage, &decision, &opened)?;
    recovered.program = goes_on.then_some(before.program);
    let numbers = numbers(&**storage)?.into_iter().collect();
    let mut tail = Tail::new(decision.next, decision.memory, decision.manifests, numbers);
    tail.after_note = decision.ends_in_note;
    let live: BTreeSet<_> = tail.memory.files().map(|(name, _)| name.to_owned()).collect();
    for (name, bytes) in decision.needed.iter().filter(|(name, _)| !live.contains(*name)) {
        tail.retire(name, *bytes);
    }
    let mut entries = vec![opened.clone()];
    if decision.cut.is_some() || leaves_behind {
        // What was not believed now, or left behind, must not be believed later.
        let mut memory = tail.memory.clone();
        memory.apply(&opened)?;
        entries.push(LogEntry::Manifest(Box::new(memory)));
    }
    Ok((driver, tail, entries, recovered))
}

/// Tells the difference between the programs and what has to go.
fn fit(url: &str, before: &Memory, program: &Program, discard: &str) -> Result<Discarded> {
    let unfinished: Vec<_> = before.clone().recovered(BTreeMap::new(), Vec::new()).unfinished;
    let difference = compare(&before.program, program);
    let discarded =
        difference.decide(&unfinished, discard).map_err(|error| error.context(format_args!("\"{url}\"")))?;
    for line in difference.to_string().lines() {
        tracing::info!(checkpoint = url, "{line}");
    }
    for uid in discarded.state.iter().chain(&discarded.inputs) {
        tracing::warn!(
            checkpoint = url,
            uid,
            "what was remembered of it is thrown away, as tidemill.checkpoint.discard says"
        );
    }
    Ok(discarded)
}

/// What the program goes on from, once it has been logged that it starts.
fn recovered(storage: &dyn Storage, decision: &Decision, opened: &LogEntry) -> Result<Recovered> {
    let inputs = match &decision.memory.inputs {
        InputsSource::Inline(inputs) => inputs.clone(),
        InputsSource::File { name, .. } => read_inputs(storage, name)?,
    };
    let mut memory = decision.memory.clone();
    memory.settle();
    let passed_over = std::mem::take(&mut memory.passed_over);
    memory.apply(opened)?;
    let mut recovered = memory.recovered(inputs, decision.warnings.clone());
    recovered.passed_over.splice(0..0, passed_over);
    Ok(recovered)
}

fn read_inputs(storage: &dyn Storage, name: &str) -> Result<BTreeMap<String, Vec<u8>>> {
    let bytes = storage.get(name)?.ok_or_else(|| unusable(&format!("\"{name}\" is missing")))?;
    envelope::unseal(Kind::Inputs, &bytes).map_err(|why| unusable(&format!("\"{name}\" cannot be read, for {why}")))
}

#[cfg(test)]
mod tests;
