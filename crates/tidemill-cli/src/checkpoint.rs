//! `tidemill checkpoint`: looks into a checkpoint without running anything.

mod diff;
mod fsck;
mod inspect;
mod ls;
mod python;

use crate::Failure;
use clap::Subcommand;

/// Looks into a checkpoint without running anything.
#[derive(Debug, Subcommand)]
pub(crate) enum Checkpoint {
    Ls(ls::Ls),
    Inspect(inspect::Inspect),
    Diff(diff::Diff),
    Fsck(fsck::Fsck),
}

impl Checkpoint {
    pub(crate) fn run(&self) -> Result<u8, Failure> {
        match self {
            Checkpoint::Ls(command) => command.run(),
            Checkpoint::Inspect(command) => command.run(),
            Checkpoint::Diff(command) => command.run(),
            Checkpoint::Fsck(command) => command.run(),
        }
    }
}
