//! Proof that a program is exactly-once: it is aborted between any two of its durable steps, started again, and compared
//! with a run that nothing interrupted.
//!
//! Every run is a process of its own, for a crash spares nothing of a process: the test's binary is started again with
//! the name of the test that calls, and there [`crash_everywhere`] runs the program instead of the trials.

use super::{TestContext, crash_output::Output};
use crate::{
    StreamingContext,
    base::{Config, Data, Error, Result, storage::LocalStorage},
    dstream::DStream,
};
use std::{
    env, fs,
    panic::Location,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

/// Set in a process that runs the program: the folder of the run, and the call that it is for.
const RUN: &str = "TIDEMILL_CRASH_RUN";
const CALL: &str = "TIDEMILL_CRASH_CALL";
/// Read by the durable steps themselves; see `base/durable.rs`.
const AT: &str = "TIDEMILL_CRASH_AT";
const LOG: &str = "TIDEMILL_CRASH_LOG";

/// What a program has to work with while it is crashed: a context, an input, and a folder for what it writes.
///
/// # Examples
/// See [`crash_everywhere`].
#[derive(Debug)]
pub struct CrashRun<T> {
    test: TestContext,
    input: DStream<T>,
    folder: PathBuf,
}

impl<T> CrashRun<T> {
    /// The context. Its clock stands still between batches, and it is remembered in a folder of the run.
    pub fn ssc(&self) -> &StreamingContext {
        self.test.ssc()
    }

    /// The stream of the input, which can be read again after a crash.
    pub fn input(&self) -> DStream<T> {
        self.input.clone()
    }

    /// The folder whose files are compared, those excepted whose name begins with `.` or `_`.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A path in the folder, as a text that outputs take.
    pub fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }
}

/// Runs a program over `input`, one list for each batch of a second; aborts it between every two durable steps in turn,
/// starts it again, and compares what is in its folder and in its state with a run that was not interrupted.
///
/// The program declares streams from [`CrashRun::input`] and writes below [`CrashRun::folder`]; the lines of all files are
/// compared, order aside. Each crash is followed by a second one soon after the restart. Whatever the program does
/// beside its outputs happens in processes of their own, once for every run. To let windows pass and keys time out, end
/// the input with empty batches.
///
/// Durable steps are there in debug builds, or with the feature `crash-points` of this crate. The calling test must be
/// in a thread that has its name, as the test harness does it unless it has only one thread.
///
/// # Panics
/// With the step after which the output or the state differs, and how; if a run fails otherwise.
///
/// # Examples
/// ```
/// use tidemill::{State, StateSpec, testing::crash_everywhere};
/// # if cfg!(debug_assertions) {
/// crash_everywhere(
///     |run| {
///         let number = |key: &String, _: Option<u32>, count: &mut State<u32>| {
///             count.update(count.get_option().unwrap_or(&0) + 1);
///             format!("{key} {}", count.get())
///         };
///         let counted = run.input().map_with_state(StateSpec::function(number));
///         counted.save_as_text_files(run.path("counts"), "");
///         Ok(())
///     },
///     vec![vec![("a".to_owned(), 1)], vec![("a".to_owned(), 1), ("b".to_owned(), 1)]],
/// );
/// # }
/// ```
#[track_caller]
pub fn crash_everywhere<T: Data>(program: impl Fn(&CrashRun<T>) -> Result<()>, input: Vec<Vec<T>>) {
    crash_everywhere_with(Config::new(), program, input);
}

/// As [`crash_everywhere`], where `config` says nothing else.
///
/// # Panics
/// As [`crash_everywhere`].
///
/// # Examples
/// As [`crash_everywhere`].
#[track_caller]
pub fn crash_everywhere_with<T: Data>(
    config: Config,
    program: impl Fn(&CrashRun<T>) -> Result<()>,
    input: Vec<Vec<T>>,
) {
    let call = Location::caller().to_string();
    match (env::var_os(RUN), env::var(CALL)) {
        (Some(folder), Ok(of_call)) if of_call == call => run_and_exit(Path::new(&folder), config, program, input),
        // In a process that runs the program of another call of the same test.
        (Some(_), _) => {}
        (None, _) => Trials::new(call).run(),
    }
}

/// The whole of a child process: runs the program to the end of its input, from wherever it was left.
fn run_and_exit<T: Data>(
    folder: &Path,
    config: Config,
    program: impl Fn(&CrashRun<T>) -> Result<()>,
    input: Vec<Vec<T>>,
) -> ! {
    let code = match run(folder, config, program, input) {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("{error:?}");
            1
        }
    };
    std::process::exit(code)
}

fn run<T: Data>(
    folder: &Path,
    config: Config,
    program: impl Fn(&CrashRun<T>) -> Result<()>,
    input: Vec<Vec<T>>,
) -> Result<()> {
    let batch_duration = Duration::from_secs(1);
    let storage = Arc::new(LocalStorage::create(checkpoint_of(folder))?);
    let test = TestContext::remembered_at(storage, config, batch_duration);
    let last = batch_duration * u32::try_from(input.len()).map_err(|_| Error::invalid("too many batches"))?;
    let folder = output_of(folder);
    fs::create_dir_all(&folder).map_err(Error::from)?;
    let input = test.stream(input);
    let run = CrashRun { test, input, folder };
    program(&run)?;
    run.test.run_until(last)
}

fn checkpoint_of(run: &Path) -> PathBuf {
    run.join("checkpoint")
}

fn output_of(run: &Path) -> PathBuf {
    run.join("output")
}

/// How one run of the program ended.
enum Ended {
    Well,
    Crashed,
}

/// The process that compares.
struct Trials {
    call: String,
    folder: PathBuf,
    /// The durable steps of the run that is compared with.
    steps: Vec<String>,
}

impl Trials {
    fn new(call: String) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("tidemill-crash-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        Self { call, folder: env::temp_dir().join(name), steps: Vec::new() }
    }

    #[track_caller]
    fn run(mut self) {
        let expected = self.uninterrupted();
        assert!(
            !self.steps.is_empty(),
            "there are no durable steps to crash at: build with debug assertions or the feature \"crash-points\", and \
             let the program write something"
        );
        for step in 1.. {
            if let Ended::Well = self.crashed_at(step, &expected) {
                break;
            }
        }
        drop(fs::remove_dir_all(&self.folder));
    }

    #[track_caller]
    fn uninterrupted(&mut self) -> Output {
        let (folder, log) = (self.folder.join("uninterrupted"), self.folder.join("steps"));
        fs::create_dir_all(&folder).expect("a test has a temporary directory");
        self.start(&folder, &[(LOG, log.display().to_string())], "the run that nothing interrupts");
        self.steps = fs::read_to_string(log).unwrap_or_default().lines().map(str::to_owned).collect();
        Output::of(&checkpoint_of(&folder), &output_of(&folder))
    }

    /// Crashes at a step, and soon after the restart again; then lets the program run to its end.
    #[track_caller]
    fn crashed_at(&self, step: usize, expected: &Output) -> Ended {
        let folder = self.folder.join("crashed");
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("a test has a temporary directory");
        let name = self.steps.get(step - 1).map_or("a step in the background", String::as_str);
        let place = format!("a crash at durable step {step} ({name})");
        if let Ended::Well = self.start(&folder, &[(AT, step.to_string())], &place) {
            return Ended::Well;
        }
        // Not the same step each time, and most of them in what a restart does.
        let again = 1 + step * 7 % 23;
        let crashed_again = self.start(&folder, &[(AT, again.to_string())], &place);
        if let Ended::Crashed = crashed_again {
            self.start(&folder, &[], &place);
        }
        expected.compare(&Output::of(&checkpoint_of(&folder), &output_of(&folder)), &place);
        Ended::Crashed
    }

    /// Runs the program in a process, which may end well or, if it is asked to, by a crash.
    #[track_caller]
    fn start(&self, folder: &Path, variables: &[(&str, String)], place: &str) -> Ended {
        let binary = env::current_exe().expect("a test has a binary");
        let mut command = Command::new(binary);
        match thread::current().name() {
            Some(test) if test != "main" => command.args([test, "--exact", "--nocapture", "--include-ignored"]),
            _ => command.args(env::args_os().skip(1)),
        };
        command.env_remove(AT).env_remove(LOG).env(RUN, folder).env(CALL, &self.call);
        // What a process that was aborted leaves behind goes with the folder.
        command.env("TMPDIR", &self.folder);
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        let output = command.stdin(Stdio::null()).output().expect("the operating system starts processes");
        let may_crash = variables.iter().any(|(name, _)| *name == AT);
        match ended(output.status) {
            Some(Ended::Crashed) if !may_crash => {}
            Some(ended) => return ended,
            None => {}
        }
        let texts = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        panic!("{place}: the program ended with {}\n{}", output.status, texts.concat());
    }
}

fn ended(status: ExitStatus) -> Option<Ended> {
    use std::os::unix::process::ExitStatusExt;
    const ABORTED: i32 = 6;
    match (status.code(), status.signal()) {
        (Some(0), _) => Some(Ended::Well),
        (_, Some(ABORTED)) => Some(Ended::Crashed),
        _ => None,
    }
}
