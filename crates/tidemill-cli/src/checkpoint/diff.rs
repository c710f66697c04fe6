//! `tidemill checkpoint diff`: two checkpoints side by side.

use super::python::{PythonDifference, PythonProgram};
use crate::{
    Failure,
    output::{Table, or_dash, print, print_json},
    place::look,
};
use clap::Args;
use serde::Serialize;
use std::collections::BTreeSet;
use tidemill::{
    Time,
    checkpoint::{Difference, Inspection},
};

/// Compares the programs of two checkpoints, and how many keys their operators have.
#[derive(Args, Debug)]
pub(crate) struct Diff {
    /// The checkpoint: a folder or URL.
    place: String,
    /// The one that it is compared with.
    other: String,
    /// For programs.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Differences {
    urls: [String; 2],
    last_done: [Option<Time>; 2],
    program: Difference,
    operators: Vec<Keys>,
    /// Where both are of Python's programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    python: Option<PythonDifference>,
}

#[derive(Serialize)]
struct Keys {
    uid: String,
    keys: [Option<u64>; 2],
}

impl Differences {
    fn of(one: &Inspection, other: &Inspection) -> Self {
        let both = [one, other];
        let uids: BTreeSet<_> = both.iter().flat_map(|found| &found.operators).map(|found| &found.uid).collect();
        let keys = |uid: &String| {
            let of = |found: &Inspection| found.operators.iter().find(|operator| operator.uid == *uid)?.keys;
            Keys { uid: uid.clone(), keys: both.map(of) }
        };
        Self {
            urls: both.map(|found| found.url.clone()),
            last_done: both.map(|found| found.last_done),
            program: one.difference(other),
            operators: uids.into_iter().map(keys).collect(),
            python: None,
        }
    }
}

impl Diff {
    pub(crate) fn run(&self) -> Result<u8, Failure> {
        let [(one, found), (other, other_found)] = [look(&self.place)?, look(&self.other)?];
        let mut differences = Differences::of(&found, &other_found);
        if let (Some(one), Some(other)) = (PythonProgram::of(&one)?, PythonProgram::of(&other)?) {
            differences.python = Some(PythonDifference::of(&one, &other));
        }
        if self.json {
            return print_json(&differences).map(|()| 0);
        }
        let [one, other] = differences.last_done.map(|time| or_dash(time.map(|time| time.as_ms())));
        let mut table = Table::new(&["", "CHECKPOINT", "OTHER"]);
        table.row(vec!["last batch done (ms)".into(), one, other]);
        for operator in &differences.operators {
            let [one, other] = operator.keys.map(or_dash);
            table.row(vec![format!("keys of {}", operator.uid), one, other]);
        }
        let python = differences.python.map(|python| format!("\n{python}")).unwrap_or_default();
        print(format!("{}\n{python}\n{}", differences.program, table.text()).as_bytes())?;
        Ok(0)
    }
}
