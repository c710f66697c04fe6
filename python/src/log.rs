//! What the engine has to say, on standard error, from the level on that Spark's `setLogLevel` sets.

use pyo3::{exceptions::PyValueError, prelude::*};
use std::{
    io::{IsTerminal, stderr},
    sync::OnceLock,
};
use tracing_subscriber::{filter::LevelFilter, fmt, layer::SubscriberExt, reload, util::SubscriberInitExt};

type SetLevel = Box<dyn Fn(LevelFilter) + Send + Sync>;

static LEVEL: OnceLock<SetLevel> = OnceLock::new();

/// Begins with warnings, as Spark's shell does.
pub(crate) fn begin() {
    LEVEL.get_or_init(|| {
        let (level, handle) = reload::Layer::new(LevelFilter::WARN);
        let lines = fmt::layer().with_writer(stderr).with_ansi(stderr().is_terminal()).with_target(false);
        let log = tracing_subscriber::registry().with(level).with(lines);
        // Another log of this process keeps its place.
        let _ = log.try_init();
        Box::new(move |level| drop(handle.reload(level)))
    });
}

/// Sets from which level on the engine speaks: a name of Spark's.
#[pyfunction]
pub(crate) fn set_log_level(level: &str) -> PyResult<()> {
    let level = match level {
        "ALL" | "TRACE" => LevelFilter::TRACE,
        "DEBUG" => LevelFilter::DEBUG,
        "INFO" => LevelFilter::INFO,
        "WARN" => LevelFilter::WARN,
        "ERROR" | "FATAL" => LevelFilter::ERROR,
        "OFF" => LevelFilter::OFF,
        other => return Err(PyValueError::new_err(format!("there is no log level \"{other}\""))),
    };
    if let Some(set) = LEVEL.get() {
        set(level);
    }
    Ok(())
}
