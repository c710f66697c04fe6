//! What is remembered of a streaming program, and how a restart is decided.
//!
//! A log of immutable files says what every batch was given, what it changed and that it is done; [`model`] has what
//! stands in it, [`delta`] how state is written.

#![allow(dead_code, unused_imports, reason = "the rooms above are being fitted to it")]

mod delta;
mod directory;
mod log;
mod model;

pub(crate) use delta::{Delta, DeltaWriter, Entry, GROUPS, Group, StateDelta, group_of, push_entry};
pub(crate) use directory::CheckpointDirectory;
pub(crate) use log::{CheckpointLog, OpenOptions, load_state, put_state};
pub(crate) use model::{Commit, Part, Picked, Program, Recovered, Slice, Slices, StateSource};
