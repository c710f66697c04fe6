//! `tidemill checkpoint inspect`: everything that is found.

use super::python::PythonProgram;
use crate::{
    Failure,
    output::{Table, or_dash, print, print_json, printable},
    place::look,
};
use clap::Args;
use tidemill::{
    Time,
    checkpoint::{FileStatus, Inspection, PartFound, ProgramFound, utc},
};

/// Shows the program, how far it is, what its operators remember, and all files.
#[derive(Args, Debug)]
pub(crate) struct Inspect {
    /// The checkpoint: a folder or URL.
    place: String,
    /// For programs.
    #[arg(long)]
    json: bool,
}

impl Inspect {
    pub(crate) fn run(&self) -> Result<u8, Failure> {
        let (storage, found) = look(&self.place)?;
        if self.json {
            return print_json(&found).map(|()| 0);
        }
        let python = PythonProgram::of(&storage)?.map(|program| program.to_string());
        let mut parts = vec![progress(&found), program(found.program.as_ref())];
        parts.extend(python);
        parts.extend([operators(&found), starts(&found), files(&found)]);
        print(parts.join("\n").as_bytes())?;
        Ok(0)
    }
}

fn time(time: Time) -> String {
    format!("{} ms ({})", time.as_ms(), utc(time))
}

fn times(times: &[Time]) -> String {
    let times: Vec<_> = times.iter().map(|time| time.as_ms().to_string()).collect();
    or_dash(Some(times.join(", ")).filter(|times| !times.is_empty()))
}

fn progress(found: &Inspection) -> String {
    let lines = [
        ("checkpoint", found.url.clone()),
        ("program", or_dash(found.program.as_ref().map(|program| printable(&program.name)))),
        ("batch duration", or_dash(found.program.as_ref().map(|program| format!("{} ms", program.batch_ms)))),
        ("zero time", time(found.zero)),
        ("last batch done", or_dash(found.last_done.map(time))),
        ("not done", times(&found.unfinished)),
        ("passed over", times(&found.passed_over)),
        ("closed", if found.closed { "yes" } else { "no: the program runs, or was killed" }.to_owned()),
        ("dead letters", found.dead_letter_count.to_string()),
    ];
    lines.iter().map(|(name, value)| format!("{name:<16} {value}\n")).collect()
}

fn program(program: Option<&ProgramFound>) -> String {
    let mut table = Table::new(&["PART", "UID", "SITE", "TYPES"]);
    let Some(program) = program else { return String::new() };
    let mut rows = |kind: &str, parts: &[PartFound]| {
        for part in parts {
            table.row(vec![kind.to_owned(), part.uid.clone(), part.site.clone(), part.types.clone()]);
        }
    };
    rows("input", &program.inputs);
    rows("operator", &program.operators);
    rows("output", &program.outputs);
    table.text()
}

fn operators(found: &Inspection) -> String {
    let mut table = Table::new(&["STATE OF", "KEYS", "BYTES"]);
    for operator in &found.operators {
        let bytes = operator.keys.map(|_| operator.bytes);
        table.row(vec![operator.uid.clone(), or_dash(operator.keys), or_dash(bytes)]);
    }
    table.text()
}

fn starts(found: &Inspection) -> String {
    let mut table = Table::new(&["START", "LOG", "AT", "BY"]);
    for start in &found.starts {
        let (epoch, number) = (start.epoch.to_string(), start.log_number.to_string());
        table.row(vec![epoch, number, utc(start.at), start.owner.clone()]);
    }
    table.text()
}

fn files(found: &Inspection) -> String {
    let mut table = Table::new(&["FILE", "BYTES", "STATUS", ""]);
    for file in &found.files {
        let status = match file.status {
            FileStatus::Live => "live",
            FileStatus::Pending => "pending",
            FileStatus::Garbage => "garbage",
            FileStatus::Damaged => "damaged",
            _ => "other",
        };
        table.row(vec![file.name.clone(), file.bytes.to_string(), status.to_owned(), file.what.clone()]);
    }
    table.text()
}
