//! A program that counts records by key, exactly once, in a process of its own that tests do ill to.
//!
//! The process is this very binary, told to run only [`counting`]. `TIDEMILL_TEST_FOLDER` is where it works,
//! `TIDEMILL_TEST_CONFIG` its configuration, `TIDEMILL_TEST_VARIANT` which program it is.

use crate::{counted::Records, patience::until};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};
use tidemill::{
    Config, Context, DStream, Error, Interrupt, Result, State, StateSpec, StreamingContext, Text,
    io::{FileStreamOptions, RollingOptions},
    keys, milliseconds,
};

pub(crate) const INTERVAL: Duration = milliseconds(50);

const FOLDER: &str = "TIDEMILL_TEST_FOLDER";
const CONFIG: &str = "TIDEMILL_TEST_CONFIG";
const VARIANT: &str = "TIDEMILL_TEST_VARIANT";

/// A trial of the program: its directories, the records that it is given, and how it is started.
pub(crate) struct Trial {
    pub(crate) records: Records,
    _folder: tempfile::TempDir,
}

impl Trial {
    pub(crate) fn new(seed: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { records: Records::new(seed, folder.path()), _folder: folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.records.folder.join(name)
    }

    /// Moves some files into the directory.
    pub(crate) fn give(&mut self, files: usize) {
        (0..files).for_each(|_| self.records.give());
    }

    pub(crate) fn start(&self) -> Program {
        self.start_with(|_| ())
    }

    pub(crate) fn start_with(&self, change: impl FnOnce(&mut Command)) -> Program {
        self.start_by(Command::new(env::current_exe().unwrap()), change)
    }

    /// Starts the program by a command that takes its arguments.
    pub(crate) fn start_by(&self, mut command: Command, change: impl FnOnce(&mut Command)) -> Program {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.path("log")).unwrap();
        command.args(["--exact", "trial::counting", "--nocapture", "--test-threads=1"]);
        command.env(FOLDER, &self.records.folder).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        change(&mut command);
        Program(command.spawn().unwrap())
    }

    /// What all starts have said.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// The times of the batches that ran, in the order in which they did.
    pub(crate) fn batches(&self) -> Vec<u64> {
        let log = self.log();
        log.lines().filter_map(|line| line.strip_prefix("batch ")?.strip_suffix(" ms")?.parse().ok()).collect()
    }

    pub(crate) fn until_written(&self) {
        until("all records are in the output", || {
            let (written, given) = self.records.written();
            written >= given
        });
    }

    /// Starts the program once more, lets it catch up and ends it; every record must have been counted once.
    pub(crate) fn end_exact(&mut self) {
        self.give(1);
        let mut program = self.start();
        self.until_written();
        assert_eq!(program.end("TERM").code(), Some(0), "{}", self.log());
        self.records.check(&self.log());
    }
}

/// A program that runs.
pub(crate) struct Program(Child);

impl Program {
    pub(crate) fn signal(&self, name: &str) {
        let kill = Command::new("kill").args([&format!("-{name}"), &self.0.id().to_string()]).status();
        assert!(kill.unwrap().success());
    }

    /// How it ended by itself.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let mut status = None;
        until("the program has ended", || {
            status = self.0.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }

    pub(crate) fn end(&mut self, signal: &str) -> ExitStatus {
        self.signal(signal);
        self.ended()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn configured(pairs: &[(&str, &str)]) -> impl FnOnce(&mut Command) {
    let lines: Vec<_> = pairs.iter().map(|(key, value)| format!("{key}={value}")).collect();
    move |command| {
        command.env(CONFIG, lines.join("\n"));
    }
}

pub(crate) fn variant(name: &str) -> impl FnOnce(&mut Command) {
    move |command| {
        command.env(VARIANT, name);
    }
}

/// Lets some real time pass, where what is tested is what happens in it.
pub(crate) fn pause(duration: Duration) {
    Interrupt::new().wait_timeout(duration);
}

/// The files below a folder that are not hidden, with what is in them.
pub(crate) fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let data = entries.filter(|entry| !entry.file_name().to_string_lossy().starts_with('.'));
    let mut files: Vec<_> = data.map(|entry| (entry.path(), fs::read(entry.path()).unwrap())).collect();
    files.sort();
    files
}

/// The program itself, where a process was started for it.
#[test]
fn counting() {
    let Some(folder) = env::var_os(FOLDER) else { return };
    tracing_subscriber::fmt().with_ansi(false).with_writer(std::io::stderr).init();
    let ended = run(Path::new(&folder), &env::var(VARIANT).unwrap_or_default());
    let code = ended.as_ref().err().map_or(0, Error::exit_code);
    if let Err(error) = ended {
        tracing::error!(%error, "the program of a test has ended");
    }
    // What the harness would say is no concern of who started this process.
    std::process::exit(i32::from(code));
}

fn run(folder: &Path, variant: &str) -> Result<()> {
    let given = env::var(CONFIG).unwrap_or_default();
    let pairs = given.lines().filter_map(|line| line.split_once('='));
    let context = Context::new(Config::from_pairs(pairs).set_if_missing(keys::MASTER, "local[2]"))?;
    let ssc = StreamingContext::new(&context, INTERVAL)?;
    ssc.checkpoint(folder.join("checkpoint"))?;
    let options = FileStreamOptions::new().new_files_only(false);
    let lines = ssc.text_file_stream_with(folder.join("in").display().to_string(), options);
    declare(&lines, folder, variant);
    ssc.start()?;
    ssc.await_termination()
}

fn declare(lines: &DStream<Text>, folder: &Path, variant: &str) {
    let out = folder.join("out").display().to_string();
    let rolling = RollingOptions::new().max_age(INTERVAL);
    if variant == "without counts" {
        return lines.save_as_rolling_files(out, rolling);
    }
    let mut records = lines.map(|line: Text| {
        let (id, key) = line.split_once(' ').map(|(id, key)| (id.to_owned(), key.to_owned())).unwrap();
        (key, id)
    });
    if variant == "more operators" {
        // What is new stands before, beside and after what was there.
        let sizes =
            lines.map(|line: Text| (line.len() % 3, 1_u64)).reduce_by_key_and_window(u64::max, INTERVAL * 3, INTERVAL);
        sizes.uid("sizes").foreach_rdd(|rdd, _| rdd.count().map(drop));
        records = records.filter(|(key, _)| !key.is_empty()).map(|record| record);
    }
    let hungry = variant == "hungry";
    let number = move |key: &String, id: Option<String>, count: &mut State<u64>| {
        if hungry {
            std::mem::forget(Vec::<u8>::with_capacity(1 << 28));
        }
        let number = count.get_option().unwrap_or(&0) + 1;
        count.update(number);
        format!("{} {key} {number}", id.unwrap_or_default())
    };
    let counted = records.map_with_state(StateSpec::function(number)).uid("counts");
    if variant == "prints" {
        counted.print(3);
    }
    counted.for_each_batch(|_, time| {
        say(&format!("batch {time}"));
        Ok::<(), Error>(())
    });
    counted.save_as_rolling_files(out, rolling);
}

#[allow(clippy::print_stdout, reason = "the test that started this process reads it")]
fn say(what: &str) {
    // In one piece, for what is logged goes into the same file.
    use std::io::Write;
    let _ = std::io::stdout().lock().write_all(format!("{what}\n").as_bytes());
}
