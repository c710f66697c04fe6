//! `tidemill checkpoint ls`: the commits.

use crate::{
    Failure,
    output::{Table, or_dash, print, print_json},
    place::look,
};
use clap::Args;
use tidemill::checkpoint::utc;

/// Lists the commits that the log still tells of, the oldest first.
#[derive(Args, Debug)]
pub(crate) struct Ls {
    /// The checkpoint: a folder or URL.
    place: String,
    /// For programs.
    #[arg(long)]
    json: bool,
}

impl Ls {
    pub(crate) fn run(&self) -> Result<u8, Failure> {
        let (_, found) = look(&self.place)?;
        if self.json {
            return print_json(&found.commits).map(|()| 0);
        }
        let mut table = Table::new(&["LOG", "START", "BATCH (MS)", "BATCH", "STATE BYTES", "DEAD LETTERS", "SINKS"]);
        for commit in &found.commits {
            table.row(vec![
                commit.log_number.to_string(),
                commit.epoch.to_string(),
                commit.time.as_ms().to_string(),
                utc(commit.time),
                commit.state_bytes.to_string(),
                commit.dead_letters.to_string(),
                or_dash(Some(commit.sinks.join(", ")).filter(|sinks| !sinks.is_empty())),
            ]);
        }
        print(table.text().as_bytes())?;
        Ok(0)
    }
}
