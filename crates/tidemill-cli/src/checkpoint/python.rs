//! The program that the Python front keeps in a checkpoint: what is said of its calls and their code. Nothing is unpickled.

use crate::Failure;
use serde::{Deserialize, Serialize};
use std::fmt;
use tidemill::{Error, base::storage::StorageRef};

const NAME: &str = "python-program";
const MAGIC: &[u8] = b"tidemill-python";
const VERSION: u8 = 1;

/// The header of the file; its format is told in `streaming/program.py` of the Python package.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct PythonProgram {
    /// The version of Python that the functions are of.
    python: String,
    /// The calls that declared the streams, each with its place.
    calls: Vec<String>,
    /// A digest of the functions of each call; none in files of the first versions.
    #[serde(default)]
    code: Vec<String>,
}

impl PythonProgram {
    /// That of a checkpoint, if a Python program keeps it.
    pub(super) fn of(storage: &StorageRef) -> Result<Option<Self>, Failure> {
        let Some(bytes) = storage.get(NAME)? else { return Ok(None) };
        let header = header(&bytes).ok_or_else(|| Error::data(format!("\"{NAME}\" is no program of this version")))?;
        let program = serde_json::from_slice(header)
            .map_err(|error| Error::data(format!("the header of \"{NAME}\" cannot be read")).with_source(error))?;
        Ok(Some(program))
    }

    /// What makes a call the same one wherever it stands: its method and its functions.
    fn identities(&self) -> Vec<(&str, Option<&str>)> {
        let method = |call: &'_ str| call.find(" at ").unwrap_or(call.len());
        let code = |index: usize| self.code.get(index).map(String::as_str);
        self.calls.iter().enumerate().map(|(index, call)| (&call[..method(call)], code(index))).collect()
    }

    /// The calls that `other` does not make, or makes with other functions.
    fn not_in(&self, other: &Self) -> Vec<String> {
        let mut theirs = other.identities();
        let is_gone = |identity: &(&str, Option<&str>)| match theirs.iter().position(|there| there == identity) {
            Some(index) => {
                theirs.swap_remove(index);
                false
            }
            None => true,
        };
        let gone: Vec<bool> = self.identities().iter().map(is_gone).collect();
        self.calls.iter().zip(gone).filter(|(_, gone)| *gone).map(|(call, _)| call.clone()).collect()
    }
}

impl fmt::Display for PythonProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "functions of Python {} (cloudpickle); a restart takes them from here, for these calls:",
            self.python
        )?;
        self.calls.iter().try_for_each(|call| writeln!(f, "  {call}"))
    }
}

fn header(bytes: &[u8]) -> Option<&[u8]> {
    let rest = bytes.strip_prefix(MAGIC)?.strip_prefix(&[VERSION])?;
    let (length, rest) = rest.split_first_chunk()?;
    rest.get(..usize::try_from(u64::from_be_bytes(*length)).ok()?)
}

/// The calls of two programs that only one of them makes.
#[derive(Debug, Serialize)]
pub(super) struct PythonDifference {
    only_in: [Vec<String>; 2],
}

impl PythonDifference {
    pub(super) fn of(one: &PythonProgram, other: &PythonProgram) -> Self {
        Self { only_in: [one.not_in(other), other.not_in(one)] }
    }
}

impl fmt::Display for PythonDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.only_in.iter().all(Vec::is_empty) {
            return writeln!(f, "Python: the same calls with the same code");
        }
        for (calls, place) in self.only_in.iter().zip(["the checkpoint", "the other"]) {
            calls.iter().try_for_each(|call| writeln!(f, "Python, only in {place}: {call}"))?;
        }
        writeln!(f, "a restart takes functions from the checkpoint, unless tidemill.python.setupAgain is set")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(calls: &[(&str, &str)]) -> PythonProgram {
        let (calls, code) = calls.iter().map(|(call, code)| ((*call).to_owned(), (*code).to_owned())).unzip();
        PythonProgram { python: "3.11".into(), calls, code }
    }

    #[test]
    fn a_call_is_the_same_wherever_it_stands_and_another_with_other_code() {
        let one = program(&[("map at a.py:3", "1"), ("map at a.py:4", "1"), ("filter at a.py:5", "2")]);
        let other = program(&[("map at a.py:9", "1"), ("map at a.py:10", "3"), ("pprint at a.py:11", "")]);
        let found = PythonDifference::of(&one, &other);
        assert_eq!(found.only_in[0], ["map at a.py:4", "filter at a.py:5"]);
        assert_eq!(found.only_in[1], ["map at a.py:10", "pprint at a.py:11"]);
        assert_eq!(PythonDifference::of(&one, &one).to_string(), "Python: the same calls with the same code\n");
    }

    #[test]
    fn a_header_is_found_and_nothing_else_is_taken_for_one() {
        let mut bytes = [MAGIC, &[VERSION]].concat();
        bytes.extend(3_u64.to_be_bytes());
        bytes.extend(b"{} and the pickle");
        assert_eq!(header(&bytes), Some(b"{} ".as_slice()));
        for damaged in [&bytes[..10], &bytes[..20], b"", &[MAGIC, &[9], &bytes[16..]].concat()] {
            assert_eq!(header(damaged), None);
        }
    }
}
