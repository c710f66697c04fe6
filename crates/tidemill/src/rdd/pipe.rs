//! Records through a program of the operating system: one line in for each record, one record for each line out.
//!
//! The task itself feeds the program and takes from it, whichever it is ready for, so that neither waits for the other
//! and what is under way stays bounded. Three threads do the blocking: one writes, one reads, one keeps the last words
//! on the error output. All are joined before the partition ends.

use super::{
    chunk::Chunks,
    node::{Rdd, Site},
    task::{Cursor, TaskContext, guarded},
};
use crate::base::{Data, Error, Result};
use crossbeam_channel::{Receiver, Sender, bounded, never, select};
use std::{
    collections::VecDeque,
    fmt,
    io::{self, BufRead, BufReader, Read, Write},
    process::{Child, Command, Stdio},
    sync::Arc,
    thread::{self, JoinHandle},
};

/// Chunks of input, and of output, that may wait between the task and the program.
const CHUNKS_UNDER_WAY: usize = 2;
/// Lines of output in a chunk.
const CHUNK_LINES: usize = 512;
/// Bytes of the end of the error output that go into the error.
const LAST_WORDS_BYTES: usize = 2048;

/// What to run for each partition.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    /// The program and its arguments.
    pub(crate) command: Vec<String>,
    /// Variables to set in its environment.
    pub(crate) env: Vec<(String, String)>,
    /// Whether it sees the environment of this process too.
    pub(crate) inherits_env: bool,
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.command.join(" "))
    }
}

impl Program {
    fn spawn(&self) -> io::Result<Child> {
        let (program, arguments) = self.command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let mut command = Command::new(program);
        if !self.inherits_env {
            command.env_clear();
        }
        command.args(arguments).envs(self.env.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
    }
}

/// A running program, and the threads at its three ends.
struct Running {
    child: Child,
    /// `None` once there is no more to write.
    input: Option<Sender<Vec<u8>>>,
    output: Receiver<io::Result<Vec<String>>>,
    threads: Vec<JoinHandle<()>>,
    last_words: Receiver<Vec<u8>>,
}

fn missing_end() -> io::Error {
    io::Error::other("the program has no standard streams")
}

fn spawn_thread(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name(format!("tidemill-pipe-{name}")).spawn(body)
}

impl Running {
    fn start(program: &Program) -> io::Result<Self> {
        let mut child = program.spawn()?;
        let ends = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (input, to_write) = bounded(CHUNKS_UNDER_WAY);
        let (read, output) = bounded(CHUNKS_UNDER_WAY);
        let (said, last_words) = bounded(1);
        let mut running = Running { child, input: Some(input), output, threads: Vec::new(), last_words };
        let (Some(stdin), Some(stdout), Some(stderr)) = ends else { return Err(missing_end()) };
        // A thread that cannot be started drops its end; dropping `running` ends the program and joins the others.
        running.threads.push(spawn_thread("write", move || write_all(stdin, &to_write))?);
        running.threads.push(spawn_thread("read", move || read_lines(stdout, &read))?);
        running.threads.push(spawn_thread("errors", move || {
            let _ = said.send(keep_end(stderr));
        })?);
        Ok(running)
    }

    /// Waits for the program; its exit and the end of what it said on its error output.
    fn finish(&mut self) -> io::Result<(std::process::ExitStatus, String)> {
        let status = self.child.wait()?;
        let words = self.last_words.recv().unwrap_or_default();
        Ok((status, String::from_utf8_lossy(&words).trim().to_owned()))
    }
}

impl Drop for Running {
    /// A partition that is not read to its end, or that failed, leaves neither a program nor a thread behind.
    fn drop(&mut self) {
        self.input = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.output = never();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// Writes until there is no more; a program that does not want to read it all is no failure.
fn write_all(mut stdin: impl Write, chunks: &Receiver<Vec<u8>>) {
    for chunk in chunks {
        if stdin.write_all(&chunk).is_err() {
            return;
        }
    }
}

/// Reads lines in chunks until the output ends or nobody wants it.
fn read_lines(stdout: impl Read, send: &Sender<io::Result<Vec<String>>>) {
    let mut lines = BufReader::new(stdout).lines();
    loop {
        let chunk: io::Result<Vec<String>> = lines.by_ref().take(CHUNK_LINES).collect();
        let ended = chunk.as_ref().map_or(true, |lines| lines.len() < CHUNK_LINES);
        let empty = chunk.as_ref().is_ok_and(Vec::is_empty);
        if (!empty && send.send(chunk).is_err()) || ended {
            return;
        }
    }
}

/// Reads to the end and keeps the last bytes.
fn keep_end(mut stderr: impl Read) -> Vec<u8> {
    let (mut kept, mut buffer) = (VecDeque::new(), [0; 4096]);
    while let Ok(read @ 1..) = stderr.read(&mut buffer) {
        kept.extend(&buffer[..read]);
        let surplus = kept.len().saturating_sub(LAST_WORDS_BYTES);
        kept.drain(..surplus);
    }
    kept.into()
}

/// The chunks of one partition after the program.
struct Piped<'a, T, F> {
    parent: Option<Chunks<'a, T>>,
    line: Arc<F>,
    program: Arc<Program>,
    running: Option<Running>,
    waiting: Option<Vec<u8>>,
    cursor: Cursor,
    site: Site,
    task: &'a TaskContext,
}

impl<T, F: Fn(&T, &mut Vec<u8>)> Piped<'_, T, F> {
    fn fail(&self, what: impl fmt::Display, error: Error) -> ! {
        let (site, partition, program) = (self.site, self.task.partition, &self.program);
        self.task.fail(error.context(format!("\"{site}\" failed in partition {partition}: \"{program}\" {what}")))
    }

    /// Sees to it that a chunk of lines is waiting to be written, while there are records.
    fn fill(&mut self) {
        let Self { parent, line, site, task, cursor, .. } = self;
        match parent.as_mut().and_then(Iterator::next) {
            Some(chunk) => {
                let mut bytes = Vec::new();
                guarded(site, task, cursor, || {
                    for record in &chunk {
                        cursor.step();
                        line(record, &mut bytes);
                        bytes.push(b'\n');
                    }
                });
                self.waiting = Some(bytes);
            }
            None => self.end_input(),
        }
    }

    fn end_input(&mut self) {
        (self.parent, self.waiting) = (None, None);
        if let Some(running) = &mut self.running {
            running.input = None;
        }
    }

    /// Writes or reads one chunk, whichever goes first; the lines that were read, or `None` at the end of the output.
    fn exchange(&mut self, running: &Running) -> Step {
        let (Some(input), Some(bytes)) = (&running.input, self.waiting.take()) else {
            return running.output.recv().map_or(Step::Ended, Step::Read);
        };
        // Made ready only once the program can take it, so that it is not lost when output comes first.
        let mut bytes = Some(bytes);
        let step = select! {
            send(input, bytes.take().unwrap_or_default()) -> sent => if sent.is_ok() { Step::Wrote } else { Step::Refused },
            recv(running.output) -> read => read.map_or(Step::Ended, Step::Read),
        };
        self.waiting = bytes;
        step
    }

    /// Ends the task if the program did not end well.
    fn check(&mut self) {
        let Some(mut running) = self.running.take() else { return };
        running.input = None;
        match running.finish() {
            Ok((status, _)) if status.success() => {}
            Ok((status, words)) => {
                let said = if words.is_empty() { "it said nothing on its error output" } else { &words };
                self.fail(format_args!("ended with \"{status}\""), Error::user(said.to_owned()))
            }
            Err(error) => self.fail("could not be waited for", error.into()),
        }
    }
}

/// What came of one exchange with the program.
enum Step {
    Wrote,
    /// The program reads no more.
    Refused,
    Read(io::Result<Vec<String>>),
    Ended,
}

impl<T, F: Fn(&T, &mut Vec<u8>)> Iterator for Piped<'_, T, F> {
    type Item = Vec<String>;

    fn next(&mut self) -> Option<Vec<String>> {
        loop {
            if self.waiting.is_none() && self.parent.is_some() {
                self.fill();
            }
            let running = self.running.take()?;
            let step = self.exchange(&running);
            self.running = Some(running);
            match step {
                Step::Wrote => {}
                Step::Refused => self.end_input(),
                Step::Read(Ok(lines)) => return Some(lines),
                Step::Read(Err(error)) => self.fail(
                    "wrote what is no text in UTF-8, or could not be read",
                    Error::data(error.to_string()).with_source(error),
                ),
                Step::Ended => {
                    self.end_input();
                    self.check();
                }
            }
        }
    }
}

impl<T: Data> Rdd<T> {
    /// The lines that a program writes when it is given the records, one a line, for each partition anew.
    ///
    /// `command` is the program and its arguments; no shell takes part unless it is the program. `env` is added to the
    /// environment of this process. The program also runs for an empty partition; it need not read all its input.
    ///
    /// The partition ends when the output does: a child that the program leaves behind and that holds its output open
    /// is waited for.
    ///
    /// A job fails, with the end of what the program wrote to its error output, if it ends with another status than 0.
    ///
    /// # Errors
    /// If `command` is empty.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(1);
    /// let sorted = sc.parallelize(vec![3, 1, 2], 1).pipe(["sort", "-r"], [("LC_ALL", "C")])?;
    /// assert_eq!(sorted.collect()?, vec!["3", "2", "1"]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn pipe<C, E, N, V>(&self, command: C, env: E) -> Result<Rdd<String>>
    where
        T: fmt::Display,
        C: IntoIterator<Item: Into<String>>,
        E: IntoIterator<Item = (N, V)>,
        N: Into<String>,
        V: Into<String>,
    {
        let program = Program {
            command: command.into_iter().map(Into::into).collect(),
            env: env.into_iter().map(|(name, value)| (name.into(), value.into())).collect(),
            inherits_env: true,
        };
        self.pipe_at(Site::here("pipe"), program, |record, line| {
            write!(line, "{record}").expect("writing to memory does not fail");
        })
    }

    /// As [`pipe`](Self::pipe); `line` appends the text of a record, without the end of the line.
    pub(crate) fn pipe_at(
        &self,
        site: Site,
        program: Program,
        line: impl Fn(&T, &mut Vec<u8>) + Send + Sync + 'static,
    ) -> Result<Rdd<String>> {
        if program.command.is_empty() {
            return Err(Error::invalid(format!("\"{site}\" was given an empty command; name a program")));
        }
        let (program, line) = (Arc::new(program), Arc::new(line));
        Ok(self.map_partition_chunks(site, false, move |_, chunks, task| {
            let mut piped = Piped {
                parent: Some(chunks),
                line: line.clone(),
                program: program.clone(),
                running: None,
                waiting: None,
                cursor: Cursor::default(),
                site,
                task,
            };
            match Running::start(&program) {
                Ok(running) => piped.running = Some(running),
                Err(error) => piped.fail("could not be started", error.into()),
            }
            Box::new(piped)
        }))
    }
}
