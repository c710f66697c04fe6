//! Whole numbers added up by word, without the interpreter.

use crate::{block::Block, blocks::Blocks};
use pyo3::{
    prelude::*,
    types::{PyDict, PyInt, PyList, PyString, PyTuple},
};
use rustix::time::{ClockId, clock_gettime};
use std::{cell::Cell, time::Duration};
use tidemill::{Text, rdd::SlotMap};

/// How many words are looked up together.
const CHUNK: usize = 256;

/// Sums by word, in the order of first sight. A sum holds 2^64 numbers of 64 bits.
#[derive(Default)]
pub(crate) struct Sums {
    words: SlotMap<Text>,
    sums: Vec<i128>,
    waiting: Vec<(Text, i64)>,
}

impl Sums {
    pub(crate) fn add(&mut self, word: &str, number: i64) {
        self.waiting.push((Text::from(word), number));
        if self.waiting.len() == CHUNK {
            self.add_waiting();
        }
    }

    fn add_waiting(&mut self) {
        let Self { words, sums, waiting } = self;
        let chunk = std::mem::replace(waiting, Vec::with_capacity(CHUNK));
        for (slot, number) in words.slots_of(chunk, |_| sums.push(0)) {
            sums[slot as usize] += i128::from(number);
        }
    }

    pub(crate) fn into_dict(mut self, py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
        self.add_waiting();
        let dict = PyDict::new(py);
        for (word, sum) in self.words.into_keys().into_iter().zip(self.sums) {
            let word = PyString::new(py, word.as_str());
            match i64::try_from(sum) {
                Ok(sum) => dict.set_item(word, sum)?,
                Err(_) => dict.set_item(word, sum)?,
            }
        }
        Ok(dict)
    }
}

/// How a line becomes words, as Python's `str.split` does it.
#[derive(Clone, Copy)]
enum Split<'a> {
    /// The line is the word.
    Not,
    AtSpace,
    At(&'a str),
}

impl Split<'_> {
    fn each(self, line: &str, mut f: impl FnMut(&str)) {
        match self {
            Self::Not => f(line),
            Self::AtSpace => line.split(is_space).filter(|word| !word.is_empty()).for_each(f),
            Self::At(separator) => match *separator.as_bytes() {
                [byte] => line.split(char::from(byte)).for_each(f),
                _ => line.split(separator).for_each(f),
            },
        }
    }
}

/// Unicode's white space, and four separators that Python takes for it too.
fn is_space(character: char) -> bool {
    character.is_whitespace() || matches!(character, '\x1c'..='\x1f')
}

/// What is a str and nothing more, if it can be written as UTF-8.
fn plain_text<'a>(value: &'a Bound<'_, PyAny>) -> Option<&'a str> {
    value.cast_exact::<PyString>().ok()?.to_str().ok()
}

/// A pair of a plain str and an int of 64 bits, which is no bool.
pub(crate) fn with_plain_pair(pair: &Bound<'_, PyAny>, f: impl FnOnce(&str, i64)) -> Option<()> {
    let pair = pair.cast_exact::<PyTuple>().ok().filter(|pair| pair.len() == 2)?;
    let (word, number) = (pair.get_item(0).ok()?, pair.get_item(1).ok()?);
    let number = number.cast_exact::<PyInt>().ok()?.extract().ok()?;
    f(plain_text(&word)?, number);
    Some(())
}

/// Adds `number` for each word of each record, up to the first record that is no plain str: gives the sums, and that
/// record with those behind it in its block.
#[pyfunction]
#[pyo3(signature = (blocks, number, splits, separator=None))]
pub(crate) fn sum_words<'py>(
    py: Python<'py>,
    blocks: &Bound<'py, PyAny>,
    number: i64,
    splits: bool,
    separator: Option<&str>,
) -> PyResult<(Bound<'py, PyDict>, Option<Bound<'py, PyList>>)> {
    let split = match (splits, separator) {
        (false, _) => Split::Not,
        (true, None) => Split::AtSpace,
        (true, Some(separator)) => Split::At(separator),
    };
    let mut sums = Sums::default();
    if let Ok(blocks) = blocks.cast::<Blocks>() {
        loop {
            let begun = thread_time();
            match blocks.get().take(py)? {
                None => break,
                Some(Block::Lines(lines)) => {
                    py.detach(|| {
                        for line in lines.iter() {
                            split.each(line.as_str(), |word| sums.add(word, number));
                        }
                    });
                    note(begun);
                }
                Some(Block::List(list)) => {
                    if let Some(rest) = add_list(&mut sums, list.bind(py), number, split) {
                        return Ok((sums.into_dict(py)?, Some(rest)));
                    }
                }
            }
        }
    } else {
        for block in blocks.try_iter()? {
            let list = block?.cast_into::<PyList>()?;
            if let Some(rest) = add_list(&mut sums, &list, number, split) {
                return Ok((sums.into_dict(py)?, Some(rest)));
            }
        }
    }
    Ok((sums.into_dict(py)?, None))
}

/// The records from the first one on that is no plain str.
fn add_list<'py>(
    sums: &mut Sums,
    list: &Bound<'py, PyList>,
    number: i64,
    split: Split<'_>,
) -> Option<Bound<'py, PyList>> {
    let begun = thread_time();
    let unknown = list.iter().position(|record| match plain_text(&record) {
        Some(line) => {
            split.each(line, |word| sums.add(word, number));
            false
        }
        None => true,
    });
    note(begun);
    unknown.map(|index| list.get_slice(index, list.len()))
}

thread_local! {
    static COUNTED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

fn thread_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs() as u32)
}

/// Notes what was spent since then.
fn note(begun: Duration) {
    COUNTED.set(COUNTED.get() + thread_time().saturating_sub(begun));
}

/// How many seconds of this thread's processor time went into counting words, not into Python.
#[pyfunction]
pub(crate) fn counted_seconds() -> f64 {
    COUNTED.get().as_secs_f64()
}
