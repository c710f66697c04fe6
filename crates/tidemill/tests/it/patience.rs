//! Waiting in tests: for a fact, and never for a time; and what was logged meanwhile.

use std::{
    io::Write,
    sync::{Mutex, OnceLock, PoisonError},
    time::Duration,
};
use tidemill::{Interrupt, base::clock::Stopwatch};
use tracing_subscriber::fmt::MakeWriter;

/// Waits until `fact` holds; fails when it does not for much longer than it should take.
#[track_caller]
pub(crate) fn until(what: &str, mut fact: impl FnMut() -> bool) {
    let (watch, pause) = (Stopwatch::start(), Interrupt::new());
    while !fact() {
        assert!(watch.elapsed() < Duration::from_secs(30), "waited too long until {what}");
        pause.wait_timeout(Duration::from_millis(1));
    }
}

/// Lets a little real time pass: only to show that something does not happen.
pub(crate) fn a_moment() {
    Interrupt::new().wait_timeout(Duration::from_millis(60));
}

static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct IntoLog;

impl Write for IntoLog {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOG.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for IntoLog {
    type Writer = IntoLog;
    fn make_writer(&'a self) -> IntoLog {
        IntoLog
    }
}

/// Begins to keep what this process logs. Tests run side by side: look for words that only yours logs.
pub(crate) fn keep_log() {
    static KEPT: OnceLock<()> = OnceLock::new();
    KEPT.get_or_init(|| tracing_subscriber::fmt().with_ansi(false).with_writer(IntoLog).init());
}

/// The logged lines that hold all of `words`.
pub(crate) fn logged(words: &[&str]) -> Vec<String> {
    let log = String::from_utf8_lossy(&LOG.lock().unwrap_or_else(PoisonError::into_inner)).into_owned();
    log.lines().filter(|line| words.iter().all(|word| line.contains(word))).map(str::to_owned).collect()
}
