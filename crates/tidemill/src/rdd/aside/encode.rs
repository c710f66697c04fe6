//! What is kept of a record: the beginning of its bytes, and of its text if it has one.

use crate::base::dead_letters::DeadLetter;
use serde::Serialize;
use std::{
    fmt::{self, Write as _},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// A record as far as it is kept.
#[derive(Debug, Default)]
pub(super) struct Content {
    bytes: Vec<u8>,
    record_bytes: u64,
    text: Option<String>,
    /// Why it has no bytes.
    lost: Option<String>,
}

impl Content {
    /// Runs the user's code that serialises the record; a panic in it costs the content and no more.
    pub(super) fn of<T: Serialize + ?Sized>(record: &T, max_bytes: usize) -> Self {
        let lost = |why: String| Self { lost: Some(why), ..Self::default() };
        catch_unwind(AssertUnwindSafe(|| Self::encoded(record, max_bytes)))
            .unwrap_or_else(|panic| Err(super::super::task::panic_message(&*panic).to_owned()))
            .unwrap_or_else(lost)
    }

    fn encoded<T: Serialize + ?Sized>(record: &T, max_bytes: usize) -> Result<Self, String> {
        let capped = Capped { kept: Vec::new(), max: max_bytes, seen: 0 };
        let written = postcard::to_io(record, capped).map_err(|error| error.to_string())?;
        let mut text = Beginning { text: String::new(), max: max_bytes };
        let text = write!(text, "{}", Word(record)).is_ok().then_some(text.text);
        Ok(Self { bytes: written.kept, record_bytes: written.seen, text, lost: None })
    }

    pub(super) fn write_to(&self, letter: &mut DeadLetter) {
        letter.bytes.clone_from(&self.bytes);
        letter.record_bytes = self.record_bytes;
        letter.text.clone_from(&self.text);
        if let Some(why) = &self.lost {
            letter.error = format!("{}\n  and the record cannot be serialised: {why}", letter.error);
        }
    }
}

/// Keeps the first bytes and counts all.
struct Capped {
    kept: Vec<u8>,
    max: usize,
    seen: u64,
}

impl io::Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.max - self.kept.len();
        self.kept.extend(&bytes[..bytes.len().min(room)]);
        self.seen += bytes.len() as u64;
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Keeps the first characters.
struct Beginning {
    text: String,
    max: usize,
}

impl fmt::Write for Beginning {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.max - self.text.len();
        let mut end = text.len().min(room);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        self.text.push_str(&text[..end]);
        Ok(())
    }
}

/// Displays what is serialised as one text, number or the like; all else is an error.
struct Word<'a, T: ?Sized>(&'a T);

impl<T: Serialize + ?Sized> fmt::Display for Word<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.serialize(f)
    }
}
