//! `tidemill dlq ls`: one line for every dead letter.

use super::letters::{Numbered, letters};
use crate::{
    Failure,
    output::{Table, or_dash, print, print_json},
};
use clap::Args;

/// Lists the dead letters.
#[derive(Args, Debug)]
pub(crate) struct Ls {
    /// The checkpoint: a folder or URL.
    place: String,
    /// For programs.
    #[arg(long)]
    json: bool,
}

/// How much of a record a line shows.
const SHOWN_CHARS: usize = 40;

impl Ls {
    pub(crate) fn run(&self) -> Result<u8, Failure> {
        let letters = letters(&self.place)?;
        if self.json {
            return print_json(&letters.iter().map(Numbered::json).collect::<Vec<_>>()).map(|()| 0);
        }
        let mut table = Table::new(&["N", "BATCH (MS)", "SOURCE", "OPERATION", "RECORD", "ERROR"]);
        for numbered in &letters {
            let letter = &numbered.letter;
            table.row(vec![
                numbered.number.to_string(),
                letter.batch_time.as_ms().to_string(),
                numbered.source(),
                letter.operator.clone(),
                or_dash(letter.text.as_deref().map(|text| text.chars().take(SHOWN_CHARS).collect::<String>())),
                letter.error.clone(),
            ]);
        }
        print(table.text().as_bytes())?;
        Ok(0)
    }
}
