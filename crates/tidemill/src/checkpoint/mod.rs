//! What is remembered of a streaming program, and how a restart is decided.
//!
//! A log of immutable files says what every batch was given, what it changed and that it is done; `model` has what
//! stands in it, `delta` how state is written. From outside a checkpoint can be looked into: [`Inspection`].

mod append;
mod background;
mod compare;
mod decide;
mod delta;
mod directory;
mod entry;
mod envelope;
mod facts;
mod inspect;
mod job;
mod log;
mod memory;
mod merge;
mod model;
mod open;
mod owner;
mod plan;
mod state_file;
mod tail;

pub use compare::{Change, Difference, PartChange, PartKind};
pub(crate) use delta::{
    BEGUN, Delta, DeltaWriter, Entry, GROUPS, Group, StateDelta, decode_record, entries_of, push_entry,
};
pub(crate) use directory::CheckpointDirectory;
pub(crate) use inspect::state_entries;
pub use inspect::{
    CommitFound, FileFound, FileStatus, Finding, Inspection, LettersFound, OperatorState, PartFound, ProgramFound,
    Severity, StartFound,
};
pub(crate) use job::job;
pub(crate) use log::{BeforeStart, CheckpointLog, OpenOptions};
pub use model::Slice;
pub(crate) use model::{Commit, Part, Picked, Program, Recovered, Slices, StateSource};
pub(crate) use open::nonce;
pub use owner::utc;
pub(crate) use state_file::{load_state, put_state};
