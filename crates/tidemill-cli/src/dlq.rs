//! `tidemill dlq`: the records of a checkpoint that were put aside.

mod letters;
mod ls;
mod replay;
mod show;

use crate::Failure;
use clap::Subcommand;

/// Shows the dead letters of batches that are done, and gives them back.
#[derive(Debug, Subcommand)]
pub(crate) enum Dlq {
    Ls(ls::Ls),
    Show(show::Show),
    Replay(replay::Replay),
}

impl Dlq {
    pub(crate) fn run(&self) -> Result<u8, Failure> {
        match self {
            Dlq::Ls(command) => command.run(),
            Dlq::Show(command) => command.run(),
            Dlq::Replay(command) => command.run(),
        }
    }
}
