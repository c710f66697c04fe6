//! The one public error type. Kinds tell the caller what to do; messages tell a person what happened.

use std::{borrow::Cow, error::Error as StdError, fmt, process::ExitCode, sync::Arc};

/// `Result` with the house's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What the caller can do about an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The program asked for something that cannot be: change the program or its configuration.
    Invalid,
    /// The outside world did not answer (a file, a socket, a disk): it may answer later.
    Unavailable,
    /// A record or file could not be read: look at the data.
    Data,
    /// A function of the user's returned an error or panicked.
    User,
    /// The context was stopped.
    Closed,
    /// A defect of tidemill itself.
    Internal,
}

/// An error of tidemill: a [kind](ErrorKind), a message, and perhaps a source.
///
/// # Examples
/// ```
/// use tidemill::{Error, ErrorKind};
/// let error = Error::invalid("the window of \"30 ms\" is no multiple of the slide \"20 ms\"");
/// assert_eq!(error.kind(), ErrorKind::Invalid);
/// ```
#[derive(Clone)]
pub struct Error {
    kind: ErrorKind,
    message: Cow<'static, str>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
    mark: Option<Mark>,
}

/// What is to be known of an error beyond its kind; it holds for every error that has a marked one as a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// It came up while batches ran, and not because the program was declared or configured wrongly.
    Running,
    /// A checkpoint does not let the program go on.
    Checkpoint,
    /// No try and no later batch can make it good: the program stops, whatever is configured.
    Final,
}

macro_rules! constructors {
    ($($(#[$doc:meta])* $name:ident => $kind:ident),* $(,)?) => {
        $($(#[$doc])*
        pub fn $name(message: impl Into<Cow<'static, str>>) -> Self {
            Self::new(ErrorKind::$kind, message)
        })*
    };
}

impl Error {
    /// An error of the given kind.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, message: message.into(), source: None, mark: None }
    }

    constructors! {
        /// The program asked for something that cannot be.
        invalid => Invalid,
        /// The outside world did not answer.
        unavailable => Unavailable,
        /// A record or file could not be read.
        data => Data,
        /// A function of the user's failed; what a user's own fallible code returns.
        user => User,
        /// The context was stopped.
        closed => Closed,
        /// A defect of tidemill itself.
        internal => Internal,
    }

    /// Another run of the same program has taken over: this one ends at once, with [code](Self::exit_code) 3, and tries
    /// nothing again. What a connector returns whose outside system refuses an older run.
    ///
    /// # Examples
    /// ```
    /// let error = tidemill::Error::fenced("a newer run of this program writes to the topic");
    /// assert_eq!((error.kind(), error.exit_code()), (tidemill::ErrorKind::Closed, 3));
    /// ```
    pub fn fenced(message: impl Into<Cow<'static, str>>) -> Self {
        Self::closed(message).marked(Mark::Checkpoint)
    }

    /// The same error with what caused it.
    #[must_use]
    pub fn with_source(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// The same error with what caused it, where that is boxed already.
    #[must_use]
    pub(crate) fn with_boxed_source(mut self, source: Box<dyn StdError + Send + Sync>) -> Self {
        self.source = Some(Arc::from(source));
        self
    }

    /// The same error, its message led by `context`.
    #[must_use]
    pub fn context(mut self, context: impl fmt::Display) -> Self {
        self.message = format!("{context}: {}", self.message).into();
        self
    }

    /// What the caller can do about it.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Whether trying the same again later may succeed: the outside world did not answer or has no room, but did not say no.
    pub(crate) fn may_pass(&self) -> bool {
        use std::io::ErrorKind::{
            AlreadyExists, InvalidInput, IsADirectory, NotADirectory, NotFound, PermissionDenied, ReadOnlyFilesystem,
            Unsupported,
        };
        let mut source = self.source();
        while let Some(error) = source {
            if let Some(error) = error.downcast_ref::<std::io::Error>() {
                let kind = error.kind();
                let refused = [NotFound, PermissionDenied, ReadOnlyFilesystem, NotADirectory, IsADirectory];
                let wrong = [AlreadyExists, InvalidInput, Unsupported];
                return self.kind == ErrorKind::Unavailable && !refused.contains(&kind) && !wrong.contains(&kind);
            }
            source = error.source();
        }
        self.kind == ErrorKind::Unavailable
    }

    /// The same error with a mark, unless it has one.
    #[must_use]
    pub(crate) fn marked(mut self, mark: Mark) -> Self {
        self.mark = self.mark().or(Some(mark));
        self
    }

    /// Its mark, or that of what caused it.
    pub(crate) fn mark(&self) -> Option<Mark> {
        let mut source = self.source();
        let mut mark = self.mark;
        while let (None, Some(error)) = (mark, source) {
            mark = error.downcast_ref::<Self>().and_then(|error| error.mark);
            source = error.source();
        }
        mark
    }

    /// The code that a process should end with because of this error: 2 if the program is declared or configured wrongly,
    /// 3 if its checkpoint does not let it go on (another program has it, it does not fit, it is damaged), 1 for all else.
    ///
    /// # Examples
    /// ```
    /// use tidemill::{StreamingContext, seconds};
    /// let ssc = StreamingContext::local(1, seconds(1))?;
    /// let error = ssc.start().expect_err("there is no output");
    /// assert_eq!(error.exit_code(), 2);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    pub fn exit_code(&self) -> u8 {
        match self.mark() {
            Some(Mark::Checkpoint) => 3,
            Some(Mark::Running | Mark::Final) => 1,
            None if self.kind == ErrorKind::Invalid || self.misuse().is_some() => 2,
            None => 1,
        }
    }

    /// The misuse behind it, where it is one of those the API knows by name.
    pub fn misuse(&self) -> Option<&Misuse> {
        self.source.as_deref().and_then(|source| source.downcast_ref())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, Told(self))
    }
}

/// An error with all that caused it, each on a line of its own.
pub(crate) struct Told<'a>(pub(crate) &'a (dyn StdError + 'static));

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = self.0.to_string();
        f.write_str(&first)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            let text = error.to_string();
            if text != first {
                write!(f, "\n  caused by: {text}")?;
            }
            source = error.source();
        }
        Ok(())
    }
}

/// How a process ends with what its program came to: an error is printed with all that caused it, and its
/// [code](Error::exit_code) is the process's.
///
/// # Examples
/// ```no_run
/// use std::process::ExitCode;
/// use tidemill::{Result, StreamingContext, seconds};
///
/// fn main() -> ExitCode {
///     tidemill::exit(run())
/// }
///
/// fn run() -> Result<()> {
///     let ssc = StreamingContext::local(2, seconds(1))?;
///     ssc.text_file_stream("logs").print(10);
///     ssc.start()?;
///     ssc.await_termination()
/// }
/// ```
pub fn exit(result: Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", Told(&error));
            ExitCode::from(error.exit_code())
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        // EMFILE and ENFILE, which std does not name.
        let advice = match error.raw_os_error() {
            Some(23 | 24) => "; allow more open files (\"ulimit -n\"), or use fewer workers and receivers",
            _ => "",
        };
        Error::unavailable(format!("{error}{advice}")).with_source(error)
    }
}

impl From<Misuse> for Error {
    fn from(misuse: Misuse) -> Self {
        let kind = if matches!(misuse, Misuse::AlreadyStopped) { ErrorKind::Closed } else { ErrorKind::Invalid };
        Error::new(kind, misuse.to_string()).with_source(misuse)
    }
}

/// A call that Spark Streaming forbids too; each text says what to do instead.
///
/// Sections 1.3 to 1.6 of the surface tidemill is written to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Misuse {
    /// `start` with nothing to do.
    #[error(
        "no output operations are registered, so there is nothing to run; call print, foreach_rdd or save_as_text_files on a stream before start"
    )]
    NoOutputs,
    /// A stream or operation added while the context runs.
    #[error("\"{operation}\" was called after the context was started; declare every stream before start")]
    AddedAfterStart {
        /// The method that was called.
        operation: &'static str,
    },
    /// A stream or operation added after stop.
    #[error("\"{operation}\" was called after the context was stopped; make a new StreamingContext")]
    AddedAfterStop {
        /// The method that was called.
        operation: &'static str,
    },
    /// `start` of a stopped context.
    #[error("the context was already stopped and cannot be started again; make a new StreamingContext")]
    AlreadyStopped,
    /// `persist` or `checkpoint` of a stream after start.
    #[error("the {setting} of a stream cannot change after start; set it while the program is being declared")]
    ChangedAfterStart {
        /// What was to be changed.
        setting: &'static str,
    },
    /// A window or slide that does not fit the stream.
    #[error(
        "the {what} duration of {given_ms} ms is not a positive multiple of the stream's slide duration of {slide_ms} ms"
    )]
    NotMultiple {
        /// `window` or `slide`.
        what: &'static str,
        /// The duration that was given, in milliseconds.
        given_ms: u64,
        /// The slide duration of the parent stream, in milliseconds.
        slide_ms: u64,
    },
    /// A stateful operation with no checkpoint directory.
    #[error(
        "\"{operation}\" keeps state and needs a checkpoint directory; call StreamingContext::checkpoint(dir) before start"
    )]
    NoCheckpointDirectory {
        /// The stateful operation.
        operation: String,
    },
    /// A checkpoint interval that does not fit.
    #[error(
        "the checkpoint interval of {given_ms} ms is not a positive multiple of the stream's slide duration of {slide_ms} ms"
    )]
    BadCheckpointInterval {
        /// The interval that was given, in milliseconds.
        given_ms: u64,
        /// The slide duration of the stream, in milliseconds.
        slide_ms: u64,
    },
    /// `remember` called twice.
    #[error("the remember duration is already set to {set_ms} ms; call remember once")]
    RememberedTwice {
        /// What it was set to, in milliseconds.
        set_ms: u64,
    },
    /// A queue stream in a checkpointed program; Spark finds out only at recovery.
    #[error(
        "a queue stream cannot be recovered from a checkpoint; use a replayable source, or set tidemill.queueStream.allowCheckpoint to true to accept that its items are lost in a crash"
    )]
    QueueWithCheckpoint,
    /// `slice` before start.
    #[error("slice needs a running context: the stream has no zero time yet; call it after start")]
    NotStarted,
    /// Streams of two contexts in one operation.
    #[error("\"{operation}\" was given streams of different contexts; build them all from one StreamingContext")]
    DifferentContexts {
        /// The operation.
        operation: &'static str,
    },
    /// Streams of different slide durations in one operation.
    #[error(
        "\"{operation}\" was given streams with slide durations of {left_ms} ms and {right_ms} ms; give them one slide duration, for example with window"
    )]
    DifferentSlides {
        /// The operation.
        operation: &'static str,
        /// Slide duration of the first stream, in milliseconds.
        left_ms: u64,
        /// Slide duration of the other stream, in milliseconds.
        right_ms: u64,
    },
    /// A batch interval of zero.
    #[error("the batch duration must be at least 1 ms")]
    ZeroBatchDuration,
    /// `spark.streaming.concurrentJobs` above 1 with stateful operations.
    #[error(
        "spark.streaming.concurrentJobs is {jobs}, but \"{operation}\" keeps state from batch to batch and needs batches one after another; set it to 1"
    )]
    ConcurrentStateful {
        /// The configured number of concurrent jobs.
        jobs: usize,
        /// The stateful operation.
        operation: String,
    },
    /// `spark.streaming.concurrentJobs` above 1 with an output that knows batches by their times.
    #[error(
        "spark.streaming.concurrentJobs is {jobs}, but \"{output}\" knows batches again by their times and writes them one after another; set it to 1"
    )]
    ConcurrentMarked {
        /// The configured number of concurrent jobs.
        jobs: usize,
        /// The output.
        output: String,
    },
}

#[cfg(test)]
mod tests;
