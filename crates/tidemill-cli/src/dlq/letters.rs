//! Dead letters with the numbers that people call them by: from 1, in the order of the commits.

use crate::{Failure, place::look};
use serde::Serialize;
use tidemill::dead_letters::{self, DeadLetter};

/// A letter and its number.
pub(super) struct Numbered {
    pub(super) number: usize,
    pub(super) file: String,
    pub(super) letter: DeadLetter,
}

/// A letter for programs: bytes are hexadecimal digits.
#[derive(Serialize)]
pub(super) struct Json<'a> {
    number: usize,
    file: &'a str,
    batch_ms: u64,
    operator: &'a str,
    partition: u64,
    record: u64,
    source: Option<&'a str>,
    offset: Option<u64>,
    exact: bool,
    error: &'a str,
    text: Option<&'a str>,
    bytes: String,
    record_bytes: u64,
    whole: bool,
}

impl Numbered {
    pub(super) fn json(&self) -> Json<'_> {
        let letter = &self.letter;
        Json {
            number: self.number,
            file: &self.file,
            batch_ms: letter.batch_time.as_ms(),
            operator: &letter.operator,
            partition: letter.partition,
            record: letter.record,
            source: letter.source.as_deref(),
            offset: letter.offset,
            exact: letter.exact,
            error: &letter.error,
            text: letter.text.as_deref(),
            bytes: hexadecimal(&letter.bytes),
            record_bytes: letter.record_bytes,
            whole: letter.is_whole(),
        }
    }

    /// Where the record came from.
    pub(super) fn source(&self) -> String {
        let Some(source) = &self.letter.source else { return "-".to_owned() };
        let about = if self.letter.exact { "" } else { "~" };
        self.letter.offset.map_or_else(|| source.clone(), |offset| format!("{source}:{about}{offset}"))
    }
}

pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// All letters of batches that are done.
pub(super) fn letters(place: &str) -> Result<Vec<Numbered>, Failure> {
    let (storage, found) = look(place)?;
    let mut letters = Vec::new();
    for file in &found.dead_letters {
        for letter in dead_letters::read(&storage, &file.name)? {
            letters.push(Numbered { number: letters.len() + 1, file: file.name.clone(), letter });
        }
    }
    Ok(letters)
}

/// Those with the given numbers; all, if none is given.
pub(super) fn chosen(letters: Vec<Numbered>, numbers: &[usize]) -> Result<Vec<Numbered>, Failure> {
    let there = letters.len();
    if let Some(number) = numbers.iter().find(|number| !(1..=there).contains(*number)) {
        return Err(Failure::new(2, format!("there is no dead letter {number}; there are {there}")));
    }
    let is_chosen = |numbered: &Numbered| numbers.is_empty() || numbers.contains(&numbered.number);
    Ok(letters.into_iter().filter(is_chosen).collect())
}
