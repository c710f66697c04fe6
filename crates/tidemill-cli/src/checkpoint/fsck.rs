//! `tidemill checkpoint fsck`: whether all that is needed is whole.

use crate::{
    Failure,
    output::{print, print_json, printable},
    place::look,
};
use clap::Args;
use tidemill::checkpoint::{Finding, Severity};

/// What it ends with if there are errors.
const DAMAGED: u8 = 3;

/// Reads every file that is needed and tells what is wrong; the exit code is 3 if anything is lost.
#[derive(Args, Debug)]
pub(crate) struct Fsck {
    /// The checkpoint: a folder or URL.
    place: String,
    /// For programs.
    #[arg(long)]
    json: bool,
}

impl Fsck {
    pub(crate) fn run(&self) -> Result<u8, Failure> {
        let (_, found) = look(&self.place)?;
        if self.json {
            print_json(&found.findings)?;
        } else {
            let lines: String = found.findings.iter().map(line).collect();
            let end = if found.is_damaged() { "it is damaged" } else { "nothing is lost" };
            print(format!("{lines}{}: {} files, {end}\n", found.url, found.files.len()).as_bytes())?;
        }
        Ok(if found.is_damaged() { DAMAGED } else { 0 })
    }
}

fn line(finding: &Finding) -> String {
    let severity = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        _ => "info",
    };
    let file = if finding.file.is_empty() { String::new() } else { format!("\"{}\": ", finding.file) };
    let to_do = if finding.to_do.is_empty() { String::new() } else { format!("; to do: {}", finding.to_do) };
    format!("{severity}: {}\n", printable(&format!("{file}{}{to_do}", finding.what)))
}
