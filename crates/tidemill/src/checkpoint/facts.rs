//! What is found in a checkpoint: which files of the log there are, and what is in those that are asked for.

use super::{
    entry::{self, LOG, LogFile, STATE, log_name, log_number},
    envelope::{self, Kind, Unreadable},
};
use crate::base::{Error, Result, storage::Storage};
use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    rc::Rc,
};

/// A file of the log, as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Whole(Rc<LogFile>),
    Unreadable(Unreadable),
    Missing,
}

/// What a decision about a restart rests on. An error is the storage's, and nothing is decided then.
pub(crate) trait Facts {
    /// The numbers of the log's files, readable or not, in order.
    fn numbers(&self) -> &[u64];
    fn log(&self, number: u64) -> Result<Found>;
    /// What is wrong with a file that is named in the log; `None` if nothing is.
    fn fault(&self, name: &str, bytes: u64) -> Result<Option<String>>;
}

/// Facts that are read from a storage, each file once.
pub(crate) struct Observed<'a> {
    storage: &'a dyn Storage,
    numbers: Vec<u64>,
    logs: RefCell<HashMap<u64, Found>>,
    faults: RefCell<BTreeMap<String, Option<String>>>,
}

impl<'a> Observed<'a> {
    pub(crate) fn of(storage: &'a dyn Storage) -> Result<Self> {
        let numbers = numbers(storage)?;
        Ok(Self { storage, numbers, logs: RefCell::default(), faults: RefCell::default() })
    }
}

/// The numbers of all files of the log, in order.
pub(crate) fn numbers(storage: &dyn Storage) -> Result<Vec<u64>> {
    let mut numbers: Vec<_> = storage.list(LOG)?.iter().filter_map(|file| log_number(&file.name)).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

pub(crate) fn read_log(storage: &dyn Storage, number: u64) -> Result<Found> {
    let Some(bytes) = storage.get(&log_name(number))? else { return Ok(Found::Missing) };
    Ok(LogFile::decode(&bytes).map_or_else(Found::Unreadable, |file| Found::Whole(Rc::new(file))))
}

/// What is wrong with a file of state or inputs.
pub(crate) fn fault_of(storage: &dyn Storage, name: &str, length: u64) -> Result<Option<String>> {
    let Some(bytes) = storage.get(name)? else { return Ok(Some("it is missing".into())) };
    let kind = if name.starts_with(STATE) { Kind::State } else { Kind::Inputs };
    Ok(match envelope::verify(kind, &bytes) {
        Ok(_) if bytes.len() as u64 == length => None,
        Ok(_) => Some("it is not the file that was written".into()),
        Err(unreadable) => Some(unreadable.to_string()),
    })
}

impl Facts for Observed<'_> {
    fn numbers(&self) -> &[u64] {
        &self.numbers
    }

    fn log(&self, number: u64) -> Result<Found> {
        if let Some(found) = self.logs.borrow().get(&number) {
            return Ok(found.clone());
        }
        let found =
            if self.numbers.binary_search(&number).is_ok() { read_log(self.storage, number)? } else { Found::Missing };
        self.logs.borrow_mut().insert(number, found.clone());
        Ok(found)
    }

    fn fault(&self, name: &str, bytes: u64) -> Result<Option<String>> {
        if let Some(fault) = self.faults.borrow().get(name) {
            return Ok(fault.clone());
        }
        let fault = fault_of(self.storage, name, bytes)?;
        self.faults.borrow_mut().insert(name.to_owned(), fault.clone());
        Ok(fault)
    }
}

/// The highest epoch that the names of files of state and inputs tell of.
pub(crate) fn epoch_of_names(storage: &dyn Storage) -> Result<Option<u64>> {
    let mut highest = None;
    for folder in [STATE, entry::INPUTS] {
        highest = highest.max(storage.list(folder)?.iter().filter_map(|file| entry::epoch_of(&file.name)).max());
    }
    Ok(highest)
}

/// What cannot be gone on from, and what to do.
pub(crate) fn unusable(what: &str) -> Error {
    Error::data(format!(
        "{what}; nothing was changed: bring the file back from a copy, or give the program another checkpoint directory to \
         begin anew"
    ))
}
